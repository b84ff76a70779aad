"""The folders people read and edit, kept in step with the version that serves."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from orchestrator.skill.files import list_files, tree_hash, walk
from orchestrator.skill.records import Records
from orchestrator.skill.version import Version, shown
from orchestrator.skill.writer import copy_files, put_in_place

Change = Literal["same", "pending", "edited", "removed"]
"""`pending`: what was decided is not on disk yet."""


class WorkingCopies:
    """`skills/<name>/` of every skill, as the records say it was last written or seen."""

    def __init__(self, root: Path, records: Records) -> None:
        self.root = root
        self._staging = root / ".staging"
        self._records = records

    def names(self) -> Sequence[str]:
        """The folders there are, links among them."""
        if not self.root.is_dir():
            return ()
        entries = (entry for entry in self.root.iterdir() if not entry.name.startswith("."))
        return sorted(entry.name for entry in entries if entry.is_dir())

    def change(self, name: str) -> Change:
        """What happened to the folder since it was last written or seen."""
        folder = self.root / name
        row = self._records.row(name)
        on_disk = row.on_disk if row is not None else None
        wanted = self._wanted(name)
        want = wanted.sha256 if wanted is not None else None
        if not folder.is_dir():
            return "removed" if on_disk is not None and on_disk == want else "pending"
        settled: Change = "same" if on_disk == want else "pending"
        if row is not None and on_disk is not None and row.seen == _signature(folder):
            return settled
        if (content := tree_hash(folder)) in (on_disk, want):
            with self._records.database.transaction():
                self.saw(name, content)
            return "same" if content == want else "pending"
        return "edited"

    def saw(self, name: str, content: str) -> None:
        """The folder holds that now; part of the caller's transaction."""
        self._records.set_disk(name, content, _signature(self.root / name))

    def write_out(self, name: str) -> None:
        """Make the folder hold what serves, else the newest version; an edit that nobody has picked
        up yet stays.
        """
        folder = self.root / name
        with self._records.database.transaction():
            row = self._records.row(name)
            if row is None:
                return
            version = self._wanted(name)
            want = version.sha256 if version is not None else None
            there = tree_hash(folder) if folder.is_dir() else None
            if there not in (None, row.on_disk, want) or folder.is_symlink():
                return
            if there != want:
                self._replace(folder, version)
            signature = _signature(folder) if version is not None else None
            self._records.set_disk(name, want, signature)

    def clean(self) -> None:
        """Remove what a crash left behind."""
        with self._records.database.transaction():
            shutil.rmtree(self._staging, ignore_errors=True)

    @contextmanager
    def staged(self) -> Generator[Path]:
        """A folder to prepare things in; only for who holds the database's write lock."""
        staging = self._staging / secrets.token_hex(8)
        staging.mkdir(parents=True, mode=0o700)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _replace(self, folder: Path, version: Version | None) -> None:
        with self.staged() as staging:
            fresh = staging / folder.name
            if version is not None:
                write_copy(version.folder, fresh)
                put_in_place(fresh, folder)
            elif folder.is_dir():
                folder.rename(fresh)

    def _wanted(self, name: str) -> Version | None:
        return shown(self._records.versions(name))


def write_copy(source: Path, target: Path) -> None:
    """The skill in `source`, byte for byte, as the new folder `target`."""
    target.mkdir()
    files, _ = list_files(source)
    copy_files(source, files, target)


def _signature(folder: Path) -> str:
    """Changes whenever a file below the folder does, without reading any."""
    total = hashlib.sha256()
    for path in walk(folder):
        status = path.lstat()
        facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        total.update(os.fsencode(f"{path.relative_to(folder)} {status.st_ino} {facts}\n"))
    return total.hexdigest()
