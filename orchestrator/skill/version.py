"""One version of a skill: its content never changes, its state does."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from orchestrator.skill.document import SKILL_FILE, SkillDocument, read_skill
from orchestrator.skill.files import walk
from orchestrator.skill.scan import Finding
from orchestrator.skill.states import State

Origin = Literal["learned", "written", "edited", "imported", "shared"]
"""`learned` from a finished run, `written` by a member on its own, `edited` on disk by a person."""


@dataclass(frozen=True)
class Provenance:
    """Where a version comes from."""

    author: str
    """Address of a profile, or `person`."""
    origin: Origin
    reason: str
    runs: tuple[str, ...] = ()
    """Ids of the runs it was learned from."""
    model: str | None = None
    source: str = ""
    """The path or URL it was imported from, or the version it is a copy of."""


@dataclass(frozen=True)
class Version:
    skill: str
    n: int
    """Counted from 1 for each skill."""
    sha256: str
    """Of the whole folder: paths, executable bits, bytes."""
    parent: int | None
    provenance: Provenance
    findings: tuple[Finding, ...]
    """What the scan found when it arrived."""
    created: datetime
    state: State
    approved_by: str | None
    active: bool
    """It is the one that serves."""
    folder: Path
    """Its files; never written again."""

    @property
    def label(self) -> str:
        return f"{self.skill}@{self.n}"

    def read(self) -> SkillDocument:
        return read_skill(self.folder)


def shown(versions: Sequence[Version]) -> Version | None:
    """The version people see: the one that serves, else the newest that may yet, else the newest
    in quarantine; none when all are archived.
    """

    def rank(version: Version) -> tuple[bool, bool, int]:
        return version.active, version.state != "quarantined", version.n

    return max((each for each in versions if each.state != "archived"), key=rank, default=None)


def diff(old: Version | None, new: Version) -> str:
    """What changed, as a unified diff over all files; binary files are named only."""
    return "\n".join(_diff(old.folder if old is not None else None, new.folder))


def _diff(old: Path | None, new: Path) -> Iterator[str]:
    names = {path.relative_to(new).as_posix() for path in walk(new)}
    if old is not None:
        names |= {path.relative_to(old).as_posix() for path in walk(old)}
    for name in sorted(names, key=lambda each: (each != SKILL_FILE, each)):
        before, after = _lines(old, name), _lines(new, name)
        if before == after:
            continue
        if before is None or after is None:
            yield f"binary file {name} differs"
        else:
            yield from difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")


def _lines(folder: Path | None, name: str) -> list[str] | None:
    """None for a binary file; nothing for one that is not there."""
    if folder is None or not (folder / name).is_file():
        return []
    data = (folder / name).read_bytes()
    if b"\0" in data:
        return None
    return data.decode("utf-8", errors="replace").splitlines()
