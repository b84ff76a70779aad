"""The skills every profile may use beneath its own: the project's, the home's and the bundled
ones, all of them only read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator import content
from orchestrator.errors import ConfigError, PersonError, Problem
from orchestrator.skill import specification
from orchestrator.skill.document import SKILL_FILE, SkillDocument, find_skills, read_skill

Source = Literal["project", "home", "bundled"]

_LOOK_SECONDS = 2.0
"""The folders are not looked at more often."""


@dataclass(frozen=True)
class LibrarySkill:
    source: Source
    document: SkillDocument
    """Its name is one a skill may have, whatever the file says."""


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
                document = _read_named(path)
            except ConfigError as error:
                problems += error.problems
                continue
            found.setdefault(document.name, LibrarySkill(source, document))
    return [found[name] for name in sorted(found)], problems


class Libraries:
    """The libraries of one home and project, read again only where a `SKILL.md` has changed."""

    def __init__(self, *, project: Path | None, home: Path) -> None:
        """`home` is the home's folder."""
        self._project = project
        self._home = home
        self._known: dict[Path, tuple[tuple[int, int], SkillDocument]] = {}
        self._skills: Sequence[LibrarySkill] = ()
        self._looked = float("-inf")

    def skills(self) -> Sequence[LibrarySkill]:
        """Every skill by name, the first library winning; the same objects while nothing changes.

        What cannot be read is left out; `read_libraries` says why.
        """
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._skills = self._read()
            self._looked = now
        return self._skills

    def _read(self) -> Sequence[LibrarySkill]:
        before = {(each.source, each.document.name): each for each in self._skills}
        found: dict[str, LibrarySkill] = {}
        for folder in content.search_path("skills", project=self._project, home=self._home):
            source = _source(folder, self._project, self._home)
            for path in find_skills(folder):
                document = self._document(path)
                if document is None or document.name in found:
                    continue
                known = before.get((source, document.name))
                same = known is not None and known.document is document
                found[document.name] = known if same and known else LibrarySkill(source, document)
        return [found[name] for name in sorted(found)]

    def _document(self, path: Path) -> SkillDocument | None:
        try:
            status = (path / SKILL_FILE).stat()
            state = (status.st_mtime_ns, status.st_size)
            known = self._known.get(path)
            if known is None or known[0] != state:
                known = self._known[path] = (state, _read_named(path))
        except (OSError, PersonError):
            return None
        return known[1]


def _read_named(path: Path) -> SkillDocument:
    document = read_skill(path)
    if specification.is_name(document.name):
        return document
    name = specification.slug(document.name, otherwise=specification.slug(path.name))
    return document.replace(name=name)


def _source(folder: Path, project: Path | None, home: Path) -> Source:
    if project is not None and folder == project / "skills":
        return "project"
    return "home" if folder == home / "skills" else "bundled"
