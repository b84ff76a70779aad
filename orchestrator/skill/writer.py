"""Writes Skill Documents, strictly as the specification wants them, in one step each."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import ConfigError, PersonError, Problem
from orchestrator.skill import specification
from orchestrator.skill.document import MAX_BYTES, SKILL_FILE, SkillDocument
from orchestrator.skill.files import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TOTAL_BYTES,
    SkillFile,
    inside,
)

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def write_skill(document: SkillDocument, folder: Path) -> None:
    """Make `folder` hold exactly this skill; it holds the old or the new one at any moment.

    Raises ConfigError with everything the specification forbids, PersonError for a file that leads
    out of the folder or is beyond the limits. `conform` makes any document legal.
    """
    _check(document, folder)
    text = skill_text(document)
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        fresh.mkdir(parents=True)
        _write(fresh / SKILL_FILE, text.encode())
        if document.folder is not None:
            copy_files(document.folder, document.files, fresh)
        put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def skill_text(document: SkillDocument) -> str:
    """The `SKILL.md`, block style, keys in the specification's order."""
    keys: dict[str, Any] = {"name": document.name, "description": document.description}
    if document.license:
        keys["license"] = document.license
    if document.compatibility:
        keys["compatibility"] = document.compatibility
    if document.allowed_tools:
        keys["allowed-tools"] = " ".join(document.allowed_tools)
    if document.metadata:
        keys["metadata"] = dict(document.metadata)
    front = yaml.safe_dump(
        keys, sort_keys=False, allow_unicode=True, default_flow_style=False, width=96
    )
    return f"---\n{front}---\n\n{document.body.strip()}\n"


def conform(document: SkillDocument) -> SkillDocument:
    """The same skill as the specification allows it: the name as a slug, unknown keys as text under
    `metadata`, what is too long cut, a cut description kept whole at the head of the body.
    """
    metadata = dict(document.metadata)
    for key, value in document.extra.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        metadata.setdefault(key, text)
    body, description = document.body, " ".join(document.description.split())
    if len(description) > specification.MAX_DESCRIPTION:
        body = f"{description}\n\n{body}"
        description = _cut(description, specification.MAX_DESCRIPTION)
    compatibility = document.compatibility
    if compatibility is not None and len(compatibility) > specification.MAX_COMPATIBILITY:
        body = f"{body}\n\nCompatibility: {compatibility}"
        compatibility = _cut(compatibility, specification.MAX_COMPATIBILITY)
    name = document.name
    if not specification.is_name(name):
        metadata.setdefault("title", name)
        name = specification.slug(name)
    return document.replace(
        name=name,
        description=description,
        body=body,
        compatibility=compatibility,
        metadata=metadata,
        extra={},
        warnings=(),
    )


def copy_files(source: Path, files: Iterable[SkillFile], target: Path) -> None:
    """Copy the named files, executable bits kept. Raises PersonError for one that leads out."""
    for file in files:
        origin, copy = inside(source, file.path), inside(target, file.path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        _write(copy, origin.read_bytes(), mode=0o755 if file.executable else 0o644)


def put_in_place(fresh: Path, folder: Path) -> None:
    """Rename the folder `fresh` to `folder`; what `folder` was lies in `fresh` afterwards, if there
    was anything.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchange(fresh, folder):
        aside = fresh.with_name(f"{fresh.name}.old")
        folder.rename(aside)
        fresh.rename(folder)
        aside.rename(fresh)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    if (code := ctypes.get_errno()) in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(one))


def _write(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


def _check(document: SkillDocument, folder: Path) -> None:
    place = str(folder / SKILL_FILE)
    problems = [Problem(place, None, *each) for each in specification.violations(document)]
    if document.name != folder.name:
        problem = f"is {document.name!r}, the folder is {folder.name!r}"
        problems.append(Problem(place, None, "name", problem, "make them the same"))
    if problems:
        raise ConfigError(problems)
    if len(document.body.encode()) > MAX_BYTES - 20_000:
        raise PersonError(f"the body of {document.name!r} is larger than {MAX_BYTES:,} bytes")
    if len(document.files) > MAX_FILES:
        raise PersonError(f"{document.name!r} has more than {MAX_FILES} files")
    total = sum(file.size for file in document.files)
    if total > MAX_TOTAL_BYTES or any(file.size > MAX_FILE_BYTES for file in document.files):
        raise PersonError(
            f"{document.name!r} is too large: {MAX_FILE_BYTES:,} bytes a file and "
            f"{MAX_TOTAL_BYTES:,} a skill are allowed"
        )


def _cut(text: str, most: int) -> str:
    """At the last sentence that fits, or at the last word."""
    short = text[: most - 1]
    end = max(short.rfind(". "), short.rfind("! "), short.rfind("? "))
    if end > most // 2:
        return short[: end + 1]
    return short.rsplit(" ", 1)[0] + "…"
