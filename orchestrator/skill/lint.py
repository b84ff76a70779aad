"""What is wrong with skills on disk, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, NotFoundError, Problem
from orchestrator.index import count_tokens
from orchestrator.skill.document import SKILL_FILE, find_skills, read_skill

MOST_TOKENS = 5000
"""Of a body, as the specification recommends."""


@dataclass(frozen=True)
class Verdict:
    """One skill that was looked at."""

    file: str
    loads: bool
    problems: tuple[Problem, ...]
    """Warnings when it loads."""


def lint(paths: Iterable[Path], *, strict: bool = False) -> Iterator[Verdict]:
    """Every skill at or below the paths; `strict` also measures the body. Raises NotFoundError for
    a path without any skill.
    """
    for path in paths:
        folders = find_skills(path) if path.is_dir() else [path]
        if not folders:
            raise NotFoundError(SKILL_FILE, str(path), hint="name a folder that holds skills")
        for folder in folders:
            yield _verdict(folder, strict)


def _verdict(path: Path, strict: bool) -> Verdict:
    try:
        document = read_skill(path)
    except ConfigError as error:
        return Verdict(str(path), False, tuple(error.problems))
    problems = document.warnings
    file = str(path / SKILL_FILE if path.is_dir() else path)
    if strict and (tokens := count_tokens(document.body)) > MOST_TOKENS:
        hint = "move details into references/"
        problem = f"the body has {tokens:,} tokens, {MOST_TOKENS:,} are recommended"
        problems = (*problems, Problem(file, None, "", problem, hint))
    return Verdict(file, True, problems)
