"""The files of a skill: which there are, and that none leads out of its folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import PersonError, Problem

MAX_FILES = 500
MAX_FILE_BYTES = 10_000_000
MAX_TOTAL_BYTES = 50_000_000

_IGNORED = frozenset({".git", "__pycache__", ".DS_Store"})


@dataclass(frozen=True)
class SkillFile:
    path: str
    """Relative to the skill's folder, with `/`."""
    size: int
    """In bytes."""
    executable: bool


def list_files(
    folder: Path, *, without: str | None = None
) -> tuple[tuple[SkillFile, ...], Sequence[Problem]]:
    """The regular files below `folder` save `without` at its top, sorted; and what is left out:
    links, special files, and what is beyond the limits.
    """
    found: list[SkillFile] = []
    problems: list[Problem] = []
    total = 0
    for path in walk(folder):
        relative = path.relative_to(folder).as_posix()
        if relative == without:
            continue
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            problem = "is a link or a special file; left out"
            problems.append(Problem(str(path), None, "", problem, "put a copy there"))
        elif status.st_size > MAX_FILE_BYTES or total + status.st_size > MAX_TOTAL_BYTES:
            size = f"{status.st_size:,} bytes"
            limits = f"{MAX_FILE_BYTES:,} a file, {MAX_TOTAL_BYTES:,} a skill"
            problems.append(
                Problem(str(path), None, "", f"is too large ({size}); left out", limits)
            )
        elif len(found) == MAX_FILES:
            problem = f"more than {MAX_FILES} files; the rest is left out"
            problems.append(Problem(str(folder), None, "", problem, "take some out"))
            break
        else:
            total += status.st_size
            found.append(SkillFile(relative, status.st_size, bool(status.st_mode & 0o111)))
    return tuple(found), problems


def walk(folder: Path) -> Sequence[Path]:
    """Everything below `folder` that is no folder, sorted; links are not followed."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in _IGNORED and name not in links]
        found += [Path(root) / name for name in (*names, *links) if name not in _IGNORED]
        if len(found) > 20 * MAX_FILES:
            break
    return sorted(found)


def inside(folder: Path, path: str) -> Path:
    """The file `path` of the skill in `folder`. Raises PersonError for one that leads out."""
    parts = PurePosixPath(path)
    target = folder.joinpath(*parts.parts)
    root = folder.resolve()
    if parts.is_absolute() or ".." in parts.parts or not target.resolve().is_relative_to(root):
        raise PersonError(f"{path!r} is not inside the skill's folder")
    return target


def tree_hash(folder: Path) -> str:
    """One sha256 of the files of a skill: their paths, executable bits and bytes."""
    total = hashlib.sha256()
    for listed in list_files(folder)[0]:
        with (folder / listed.path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{content} {'x' if listed.executable else '-'} ".encode())
        total.update(os.fsencode(f"{listed.path}\n"))
    return total.hexdigest()


def check_names(folder: Path) -> None:
    """Raises PersonError for a file of a skill whose name is no UTF-8."""
    for listed in list_files(folder)[0]:
        try:
            listed.path.encode()
        except UnicodeEncodeError as error:
            name = ascii(listed.path)
            raise PersonError(f"the name of its file {name} is no UTF-8; rename it") from error


def protect(folder: Path) -> None:
    """Take the right to write from every file."""
    for path in walk(folder):
        path.chmod(path.stat().st_mode & ~0o222)
