"""A role as Markdown: front matter, then the persona."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, Problem
from orchestrator.profile import claude_code
from orchestrator.profile.checking import checked, salvaged
from orchestrator.profile.schema import Agent, FrontMatter
from orchestrator.profile.text_file import read_text
from orchestrator.profile.yaml_file import Document, parse_yaml

_FENCE = re.compile(r"---[ \t]*")


@dataclass(frozen=True)
class AgentFile:
    """A role as far as it could be read, and the front matter it came from."""

    agent: Agent
    front: Document
    problems: Sequence[Problem]


def read_agent(path: Path) -> AgentFile:
    """The role in that file, ours or Claude Code's. Raises ConfigError when there is none in it."""
    front, persona = _split(path)
    document = _parse(front, str(path))
    problems = list(document.problems)
    if not isinstance(document.value, dict):
        problems.append(
            document.problem((), "has no `key: value` lines", "give name and description")
        )
        raise ConfigError(problems)
    keys, foreign = claude_code.translated(document.value)
    problems += [document.problem(loc, problem, hint) for loc, problem, hint in foreign]
    matter = checked(FrontMatter, keys, document, problems)
    if not persona:
        problems.append(
            Problem(str(path), None, "", "has no persona", "write it below the front matter")
        )
    matter = matter or salvaged(FrontMatter, keys, {"name": "unnamed", "description": "none"})
    if matter is None:
        raise ConfigError(problems)
    agent = Agent(**dict(matter), persona=persona, source=path)
    return AgentFile(agent, document, problems)


def _split(path: Path) -> tuple[str, str]:
    """Front matter and body. Raises ConfigError."""
    text = read_text(path)
    lines = text.replace("\r\n", "\n").split("\n")
    if not _FENCE.fullmatch(lines[0]):
        problem = "is empty" if not text.strip() else "does not begin with front matter"
        hint = "begin with `---`, name, description, `---`; the persona follows"
        raise ConfigError([Problem(str(path), 1, "", problem, hint)])
    end = next((at for at, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    if end is None:
        hint = "put a line `---` between it and the persona"
        raise ConfigError([Problem(str(path), 1, "", "the front matter does not end", hint)])
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]).strip()


def _parse(front: str, file: str) -> Document:
    try:
        return parse_yaml(front, file, first_line=2)
    except ConfigError:
        literal = _with_literal_description(front)
        if literal == front:
            raise
        return parse_yaml(literal, file, first_line=2)


def _with_literal_description(front: str) -> str:
    """The description in quotes, up to the next key: Claude Code takes it literally even where it
    is no valid YAML, and writes such descriptions itself, with dialogues in them.
    """

    def quoted(match: re.Match[str]) -> str:
        text = match[1].strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            text = text[1:-1]
        lines = "\n" * match[1].count("\n")
        return f"description: {json.dumps(text, ensure_ascii=False)}{lines}"

    pattern = r"^description:(.*?)(?=^(?!(?:Context|Examples?|user|assistant):)\w+:|\Z)"
    return re.sub(pattern, quoted, front, count=1, flags=re.MULTILINE | re.DOTALL)
