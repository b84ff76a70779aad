"""What in a skill could harm: a verdict for each finding, never one for the whole by a word.

Public skills explain attacks, install well-known tools and show placeholders; each rule therefore
says what excuses a match, and an excused match is a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.skill.document import MAX_BYTES, SKILL_FILE, SkillDocument
from orchestrator.skill.files import SkillFile
from orchestrator.skill.scan_rules import RULES, Passage
from orchestrator.skill.writer import skill_text

FindingVerdict = Literal["block", "warn"]

MOST_OF_A_KIND = 5
"""Findings of one rule in one file; more say nothing new."""

_PROGRAMS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")

_FENCE = re.compile(r"^[ \t]{0,20}(?:```|~~~)", re.MULTILINE)

_TAGS = range(0xE0000, 0xE01F0)
"""Unicode tags and variation selectors that carry hidden text."""

_HIDDEN = frozenset("\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\u180e\ufeff")
_JOINERS = frozenset("\u200c\u200d")
_TURNING = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")


@dataclass(frozen=True)
class Finding:
    rule: str
    verdict: FindingVerdict
    """`block`: a person must look before it serves; `warn`: a person should know."""
    file: str
    """Relative to the skill's folder."""
    line: int
    excerpt: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.verdict} {self.rule}: {self.why} ({self.excerpt})"


def scan(document: SkillDocument) -> tuple[Finding, ...]:
    """Everything in the text and the files of the skill that a person should know."""
    found = list(_text(SKILL_FILE, _skill_text(document)))
    for file in document.files:
        found += _file(document, file)
    return tuple(sorted(found, key=lambda each: (each.verdict, each.file, each.line)))


def _skill_text(document: SkillDocument) -> str:
    if document.folder is not None:
        for name in (SKILL_FILE, SKILL_FILE.lower()):
            if (path := document.folder / name).is_file():
                return path.read_text(encoding="utf-8", errors="replace")
    return skill_text(document)


def _file(document: SkillDocument, file: SkillFile) -> Iterator[Finding]:
    assert document.folder is not None
    with (document.folder / file.path).open("rb") as opened:
        data = opened.read(MAX_BYTES)
    if data.startswith(_PROGRAMS):
        why = "a compiled program, which nobody can read"
        yield Finding("compiled-program", "block", file.path, 1, f"{file.size:,} bytes", why)
        return
    if file.executable or data.startswith(b"#!") or file.path.startswith("scripts/"):
        why = "a script that a member may run"
        yield Finding("script", "warn", file.path, 1, f"{file.size:,} bytes", why)
    if b"\0" not in data:
        yield from _text(file.path, data.decode("utf-8", errors="replace"))


def _text(file: str, text: str) -> Iterator[Finding]:
    yield from _hidden(file, text)
    plain = "".join(letter for letter in text if letter not in _HIDDEN and letter not in _JOINERS)
    plain = unicodedata.normalize("NFKC", plain)
    fences = [match.start() for match in _FENCE.finditer(plain)]
    count: Counter[tuple[str, str]] = Counter()
    for rule in RULES:
        for match in rule.pattern.finditer(plain):
            passage = Passage(plain, match, fences)
            if rule.ignored is not None and rule.ignored(passage):
                continue
            excused = rule.excused is not None and rule.excused(passage)
            verdict: FindingVerdict = "warn" if excused else rule.verdict
            count[rule.name, verdict] += 1
            if count[rule.name, verdict] <= MOST_OF_A_KIND:
                yield Finding(rule.name, verdict, file, passage.number, passage.excerpt, rule.why)


def _hidden(file: str, text: str) -> Iterator[Finding]:
    """Characters nobody sees: text for a model only, or code that reads otherwise than it runs."""
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, 1):
        odd = {letter for at, letter in enumerate(line) if _is_hidden(line, at)}
        if odd:
            names = ", ".join(sorted(f"U+{ord(letter):04X}" for letter in odd))
            why = "characters that nobody sees"
            shown = re.sub(r"\s+", " ", "".join(each for each in line if each not in odd))
            yield Finding(
                "hidden-unicode", "block", file, number, f"{names} in {shown.strip()[:80]!r}", why
            )


def _is_hidden(line: str, at: int) -> bool:
    letter = line[at]
    if letter.isascii():
        return False
    if letter in _JOINERS:  # part of many scripts and of emoji, never of plain ASCII words
        return at == 0 or line[at - 1].isascii()
    return letter in _HIDDEN or letter in _TURNING or ord(letter) in _TAGS
