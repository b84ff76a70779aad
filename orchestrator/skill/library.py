"""The skills every profile may use beneath its own: the project's, the home's and the bundled
ones, all of them only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator import content
from orchestrator.errors import ConfigError, Problem
from orchestrator.skill.document import SkillDocument, find_skills, read_skill

Source = Literal["project", "home", "bundled"]


@dataclass(frozen=True)
class LibrarySkill:
    source: Source
    document: SkillDocument


def read_libraries(
    *, project: Path | None, home: Path
) -> tuple[Sequence[LibrarySkill], Sequence[Problem]]:
    """Every skill by name, the first library winning, and what cannot be read.

    `home` is the home's folder.
    """
    found: dict[str, LibrarySkill] = {}
    problems: list[Problem] = []
    for folder in content.search_path("skills", project=project, home=home):
        source = _source(folder, project, home)
        for path in find_skills(folder):
            try:
                document = read_skill(path)
            except ConfigError as error:
                problems += error.problems
                continue
            found.setdefault(document.name, LibrarySkill(source, document))
    return [found[name] for name in sorted(found)], problems


def _source(folder: Path, project: Path | None, home: Path) -> Source:
    if project is not None and folder == project / "skills":
        return "project"
    return "home" if folder == home / "skills" else "bundled"
