"""The patterns the scan looks for, each with what excuses it."""

from __future__ import annotations

import bisect
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.text.credentials import SECRET


@dataclass(frozen=True)
class Passage:
    """A match where it stands."""

    text: str
    match: re.Match[str]
    fences: Sequence[int] = ()
    """Where the code fences of the text begin and end, in order."""

    @property
    def number(self) -> int:
        """Of the line, from 1."""
        return self.text.count("\n", 0, self.match.start()) + 1

    @property
    def line(self) -> str:
        """The line or lines of the match."""
        start = self.text.rfind("\n", 0, self.match.start()) + 1
        end = self.text.find("\n", self.match.end())
        return self.text[start : end if end >= 0 else len(self.text)]

    @property
    def excerpt(self) -> str:
        """The line, secrets left out, shortened around the match."""
        words = " ".join(SECRET.sub(lambda secret: f"{secret[0][:8]}…", self.line).split())
        at = max(words.find(" ".join(self.match[0].split())[:40]) - 30, 0)
        return words[at : at + 160]

    @property
    def near(self) -> str:
        """The passage and what stands around it, in lower case."""
        return self.text[max(self.match.start() - 600, 0) : self.match.end() + 300].lower()

    @property
    def is_quoted(self) -> bool:
        """In quotes, backticks, a code fence, a table or a block quote: shown rather than said."""
        start = self.match.start()
        line_before = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        fenced = bisect.bisect(self.fences, start) % 2 == 1
        marks = any(line_before.count(mark) % 2 for mark in ('"', "`")) or "\u201c" in line_before
        return fenced or marks or line_before.lstrip().startswith(("|", ">"))


@dataclass(frozen=True)
class Rule:
    name: str
    verdict: Literal["block", "warn"]
    pattern: re.Pattern[str]
    why: str
    excused: Callable[[Passage], bool] | None = None
    """True: only worth a warning here."""
    ignored: Callable[[Passage], bool] | None = None
    """True: nothing at all."""


_ABOUT_ATTACKS = re.compile(
    r"inject|malicious|attack|adversar|jailbreak|red.?team|pentest|penetration|exploit|"
    r"vulnerab|reject|detect|phishing|untrusted|suspicious|guardrail|sanitiz|malware|threat|hostile"
)

_OFFICIAL = re.compile(
    r"https://(?:[\w.-]+\.)?(?:astral\.sh|rustup\.rs|sh\.rustup\.rs|deno\.land|bun\.sh|bun\.com|"
    r"docker\.com|ollama\.com|ollama\.ai|brew\.sh|nodesource\.com|python-poetry\.org|"
    r"pnpm\.io|volta\.sh|fnm\.vercel\.app|get\.helm\.sh|k3s\.io|nixos\.org|modal\.com|"
    r"elan\.lean-lang\.org|foundry\.paradigm\.xyz|claude\.ai|cli\.github\.com|"
    r"raw\.githubusercontent\.com/(?:Homebrew/install|nvm-sh/nvm|leanprover/elan|helm/helm|"
    r"ohmyzsh/ohmyzsh|rust-lang/rustup|pyenv/pyenv-installer|aquasecurity/trivy|"
    r"anchore/(?:syft|grype)|golangci/golangci-lint|k3d-io/k3d)/)",
    re.IGNORECASE,
)

_SECRET_PLACES = (
    r"(?:~|\$HOME|\$\{HOME\}|/root|/home/\w+|%USERPROFILE%)?/?"
    r"(?:\.ssh/(?:id_\w+|\*)|\.aws/credentials|\.netrc|\.npmrc|\.pypirc|\.docker/config\.json|"
    r"\.kube/config|\.gnupg|\.git-credentials|\.config/gcloud|\.config/gh/hosts)"
)

_SENDS = (
    r"(?:curl|wget|nc|ncat|netcat|scp|rsync|requests\.(?:post|put)|httpx\.(?:post|put)|fetch\()"
)


def _explains(passage: Passage) -> bool:
    """It is shown as an example, by a text about attacks."""
    return passage.is_quoted and _ABOUT_ATTACKS.search(passage.near) is not None


def _is_official_installer(passage: Passage) -> bool:
    """Or no installer at all: `curl … | bash` names the habit."""
    command = passage.match[0]
    return _OFFICIAL.search(command) is not None or re.search(r"\.\.\.|\u2026", command) is not None


def _is_placeholder(passage: Passage) -> bool:
    """`sk-your-key`, `AKIAIOSFODNN7EXAMPLE`, rows of x: too regular to be a secret."""
    secret = passage.match[0]
    if re.search(r"x{4}|\.{3}|\*{3}|example|your|test|fake|dummy|1234|abcd", secret, re.IGNORECASE):
        return True
    if re.search(r"PRIVATE KEY", secret):
        following = passage.text[passage.match.end() : passage.match.end() + 200]
        return len(re.findall(r"[A-Za-z0-9+/=]{40,}", following)) == 0
    counts = Counter(secret)
    entropy = -sum(n / len(secret) * math.log2(n / len(secret)) for n in counts.values())
    return entropy < 3.5


def _sets_a_path(passage: Passage) -> bool:
    """What an installer's manual says: a variable or a shell hook in the shell's start file."""
    return (
        re.search(r"\bexport\s+\w+=|\beval\b|\bsource\b|completion|alias\s", passage.line)
        is not None
    )


def _rule(
    name: str,
    verdict: Literal["block", "warn"],
    pattern: str,
    why: str,
    excused: Callable[[Passage], bool] | None = None,
    ignored: Callable[[Passage], bool] | None = None,
) -> Rule:
    return Rule(name, verdict, re.compile(pattern, re.IGNORECASE), why, excused, ignored)


RULES: tuple[Rule, ...] = (
    _rule(
        "override",
        "block",
        r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:all\s+|any\s+|the\s+|your\s+|my\s+|"
        r"every\s+)*(?:previous|prior|earlier|above|preceding|foregoing|existing|other|system|"
        r"safety|developer)\s+(?:\w+\s+)?(?:instructions?|prompts?|rules?|directives?|"
        r"guidelines?|messages?|constraints?|policies)\b",
        "tells the model to drop its instructions",
        _explains,
    ),
    _rule(
        "override",
        "block",
        r"\byou\s+are\s+(?:now|no\s+longer)\s+(?:DAN\b|an?\s+(?:unrestricted|unfiltered|"
        r"jailbroken)|bound\s+by|subject\s+to|restricted)|\bnew\s+system\s+prompt\s*:|"
        r"\b(?:reveal|print|output|leak|send)\s+(?:me\s+)?your\s+(?:full\s+|entire\s+|hidden\s+)?"
        r"system\s+prompt\b",
        "tells the model to drop its instructions",
        _explains,
    ),
    _rule(
        "secrecy",
        "block",
        r"\b(?:do\s+not|don't|never|without)\s+(?:tell(?:ing)?|inform(?:ing)?|notify(?:ing)?|"
        r"alert(?:ing)?|mention(?:ing)?\s+(?:this|it)\s+to|reveal(?:ing)?\s+(?:this|it)\s+to)\s+"
        r"(?:the\s+|your\s+)?(?:user|human|person|operator|owner|admin\w*)s?\b"
        r"(?!\s+(?:to|that|what|which|how|they|it|you|\"|'|if|when|about\s+how))",
        "tells the model to hide something from the person",
        _explains,
    ),
    _rule(
        "pipe-to-shell",
        "block",
        r"\b(?:curl|wget|fetch|iwr|irm|invoke-webrequest)\b[^\n|;]{0,300}\|\s*(?:sudo\s+)?"
        r"(?:-\S+\s+)*(?:env\s+\S+\s+)?(?:ba|z|da|k|fi)?sh\b|"
        r"\b(?:curl|wget)\b[^\n|;]{0,300}\|\s*(?:sudo\s+)?(?:python[\d.]*|perl|ruby|node|php)"
        r"\s*(?:-\s*)?(?=$|[\s`\"'])(?!\s*-[mc]\b)|"
        r"\b(?:ba|z)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)\b[^\n)]{0,300}\)|"
        r"\b(?:iwr|irm|invoke-webrequest)\b[^\n|;]{0,300}\|\s*(?:iex|invoke-expression)\b",
        "runs whatever a server sends",
        _is_official_installer,
    ),
    _rule(
        "encoded-command",
        "block",
        r"base64\s+(?:-d|-D|--decode)\b[^\n|]{0,100}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|"
        r"\b(?:eval|exec)\s*\(\s*(?:\w+\.)*(?:b64decode|decompress|fromhex|unhexlify|loads)\s*\(|"
        r"\b(?:eval|exec)\s*\(\s*(?:requests|httpx|urllib\.request)\.\w+\(|"
        r"\beval\s*\(\s*atob\s*\(|powershell[^\n]{0,60}-e(?:nc|ncodedcommand)?\s+[A-Za-z0-9+/=]{40}",
        "runs what cannot be read here",
    ),
    _rule(
        "reverse-shell",
        "block",
        r"/dev/tcp/[\w.$%{}]+/\w+|\b(?:nc|ncat|netcat)\s[^\n]{0,60}-\w*e\w*\s+/bin/\w*sh\b|"
        r"\bmkfifo\b[^\n]{0,100}\b(?:nc|ncat)\b|socket[^\n]{0,200}dup2[^\n]{0,100}/bin/\w*sh",
        "opens a shell to another machine",
        _explains,
    ),
    _rule(
        "exfiltration",
        "block",
        rf"\b{_SENDS}[^\n]{{0,300}}{_SECRET_PLACES}|{_SECRET_PLACES}[^\n]{{0,200}}\|[^\n]{{0,80}}"
        rf"\b{_SENDS}",
        "sends credentials away",
        _explains,
    ),
    _rule(
        "exfiltration",
        "block",
        r"\b(?:env|printenv|set)\s*\|[^\n]{0,80}\b(?:curl|wget|nc|ncat)\b|"
        r"\b(?:curl|wget)\b[^\n]{0,200}(?:-d|--data\S*|-F|--form|--post-data|-T|--upload-file|\?)"
        r"[^\n]{0,100}(?:\$\(\s*(?:env|printenv|cat\s+\S*(?:\.env|passwd|shadow|\.ssh|history))|"
        r"@\S*\.env\b|@/etc/(?:passwd|shadow))|"
        r"(?:post|put)\s*\([^\n]{0,120}(?:json|data)\s*=\s*(?:dict\()?os\.environ\b(?!\s*[\[.])|"
        r"JSON\.stringify\(\s*process\.env\s*\)",
        "sends the environment or secret files away",
        _explains,
    ),
    _rule(
        "exfiltration",
        "block",
        r"https?://[\w.-]*(?:webhook\.site|requestbin\.\w+|pipedream\.net|burpcollaborator\.net|"
        r"oast\.\w+|interact\.sh|transfer\.sh|pastebin\.com/api|ngrok(?:-free)?\.(?:io|app)|"
        r"beeceptor\.com)\b",
        "an address where anyone collects what is sent",
        lambda passage: (
            re.search(r"\b(?:ngrok|webhook test|tunnel)", passage.near) is not None
            or _explains(passage)
        ),
    ),
    _rule(
        "exfiltration",
        "block",
        r"\b(?:send|post|upload|forward|transmit|exfiltrate|append)\s+(?:\w+\s+){0,6}"
        r"(?:credentials?|api\s+keys?|secrets?|passwords?|private\s+keys?|tokens?|environment\s+"
        r"variables|(?:the\s+)?(?:whole\s+|full\s+|entire\s+)?conversation|chat\s+history|\.env)"
        r"\s+(?:\w+\s+){0,4}to\s+(?:the\s+)?[<`\"']?(?:https?://|\S+@\S+\.\w+)",
        "tells the model to send secrets away",
        _explains,
    ),
    _rule(
        "exfiltration",
        "block",
        r"!\[[^\]\n]*\]\(\s*https?://[^)\s]{1,300}[?&]\w{1,40}=(?:\{\{?|\$\{?|<|%7B|\[)[^)\n]{0,80}"
        r"(?:data|secret|token|conversation|history|context|content|env|key)",
        "an image whose address carries data away",
    ),
    _rule(
        "config-edit",
        "block",
        r"(?:>>?|\btee\s+(?:-a\s+)?)\s*[\"']?(?:~|\$HOME|\$\{HOME\}|/root)/?\.(?:bashrc|zshrc|"
        r"profile|bash_profile|zprofile|bash_login|zshenv|config/fish/config\.fish)\b",
        "changes what every shell of the person starts with",
        _sets_a_path,
    ),
    _rule(
        "config-edit",
        "block",
        r"(?:>>?|\btee\s+(?:-a\s+)?|\bsed\s+-i[^\n]{0,120}|\b(?:cp|mv|ln)\s+[^\n]{1,120})\s*[\"']?"
        r"(?:(?:(?:~|\$HOME|\$\{HOME\}|/root)/\.(?:ssh/(?:authorized_keys|config)|retinue/|"
        r"claude/(?:settings|CLAUDE)|codex/config|cursor/mcp|gitconfig|gemini/settings|hermes/"
        r"config))|/etc/(?:sudoers|crontab|cron\.d|passwd|shadow|hosts|ld\.so\.preload|profile)"
        r"|\S{0,200}\.git/hooks/\w)",
        "changes what decides who may do what",
        _explains,
    ),
    _rule(
        "config-edit",
        "block",
        r"\b(?:edit|modify|overwrite|rewrite|append\s+(?:\w+\s+){0,4}to|add\s+(?:\w+\s+){0,6}to|"
        r"change|update)\s+(?:the\s+|your\s+)?[`\"']?(?:~/\.ssh/authorized_keys|/etc/sudoers|"
        r"~/\.retinue/|\.?retinue/settings\.yaml|SOUL\.md|~/\.claude/(?:settings\.json|CLAUDE\.md))",
        "changes what decides who may do what",
        _explains,
    ),
    _rule(
        "destruction",
        "block",
        r"\brm\s+-(?:rf|fr|r\s+-f|f\s+-r)\s+(?:--no-preserve-root\s+)?[\"']?(?:/|~/?|\$HOME/?|"
        r"\$\{HOME\}/?|/\*|/(?:etc|usr|var|home|bin|boot|lib)/?)[\"']?(?=\s|$|[;&|`)])|"
        r"\bmkfs(?:\.\w+)?\s+/dev/(?!loop)|\bdd\s[^\n]{0,80}\bof=/dev/(?:sd|nvme|hd|disk)|"
        r":\(\)\s*\{\s*:\|:&\s*\};:",
        "destroys what is not the skill's",
        lambda passage: (
            passage.is_quoted
            and re.search(
                r"never|block|deny|danger|forbid|prevent|reject|destructive", passage.near
            )
            is not None
        ),
    ),
    _rule(
        "secret",
        "block",
        SECRET.pattern,
        "a key that seems to be real",
        ignored=_is_placeholder,
    ),
    _rule(
        "guard-off",
        "warn",
        r"--dangerously-\S+|--yolo\b|--no-sandbox\b|\bautoapprove\b|--trust-all\S*|"
        r"--skip-permissions\b",
        "switches a protection off",
    ),
    _rule(
        "unpinned-install",
        "warn",
        r"\b(?:pip3?|uv\s+pip|uv\s+tool|pipx)\s+install\s+(?!-r\b|-e\b|\.|--requirement)"
        r"(?:-\S+\s+)*(?![^\n`]*==)[\w\[\]\"'-]+|\bnpm\s+(?:i|install)\s+(?:-g|--global)\s+"
        r"(?!\S*@\d)[\w@/-]+|\bnpx\s+(?:-y\s+|--yes\s+)(?!\S*@\d)[\w@/-]+|"
        r"\b(?:cargo|go|gem|brew)\s+install\s+[\w@/.-]+",
        "installs whatever version is the newest",
    ),
    _rule(
        "network",
        "warn",
        r"\b(?:curl|wget)\s+[^\n]{0,120}https?://|\brequests\.(?:get|post|put|patch|delete)\(|"
        r"\bhttpx\.(?:get|post|put|Client|AsyncClient)\b|\burllib\.request\b|\bfetch\(\s*[\"'`]http",
        "talks to other machines",
    ),
    _rule("root", "warn", r"\bsudo\s+\w+", "wants the rights of root"),
)
