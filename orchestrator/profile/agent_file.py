"""A role as Markdown: front matter, then the persona."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, Problem
from orchestrator.profile import claude_code
from orchestrator.profile.checking import checked, salvaged
from orchestrator.profile.schema import Agent, FrontMatter
from orchestrator.text import front_matter
from orchestrator.text.text_file import read_text
from orchestrator.text.yaml_file import Document


@dataclass(frozen=True)
class AgentFile:
    """A role as far as it could be read, and the front matter it came from."""

    agent: Agent
    front: Document
    problems: Sequence[Problem]


def read_agent(path: Path) -> AgentFile:
    """The role in that file, ours or Claude Code's. Raises ConfigError when there is none in it."""
    front, persona = _split(path)
    document = front_matter.parse(front, str(path))
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
    halves = front_matter.split(text)
    if not halves.begins:
        problem = "is empty" if not text.strip() else "does not begin with front matter"
        hint = "begin with `---`, name, description, `---`; the persona follows"
        raise ConfigError([Problem(str(path), 1, "", problem, hint)])
    if halves.front is None:
        hint = "put a line `---` between it and the persona"
        raise ConfigError([Problem(str(path), 1, "", "the front matter does not end", hint)])
    return halves.front, halves.body.strip()
