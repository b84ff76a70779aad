"""Files between members: the runtime copies them, never a member."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.errors import HomeError, PersonError, ToolFailed, ToolRetry
from orchestrator.sandbox.base import Sandbox
from orchestrator.team.base import Artifact

_MOST_NAMED = 5

_PATH = re.compile(r"[\w./-]+\.\w+")


@dataclass(frozen=True)
class Published:
    """What of a member's result was taken over; artifact paths are relative to `artifacts`."""

    artifacts: Sequence[Artifact]
    left_out: Sequence[str]
    """Why a declared file is not among them, one sentence each."""


@dataclass(frozen=True)
class Exchange:
    """The folder of one run: `inputs/` as given, `artifacts/` as published by members."""

    folder: Path

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def take_inputs(self, source: Path) -> Sequence[str]:
        """Keep a copy of what the person gave, so that a resumed run finds the same files.

        Links stay links, so that nothing outside of the folder is copied; pipes and sockets are
        left out. Returns what no member will get, one sentence. Raises PersonError.
        """
        if not source.is_dir():
            raise PersonError(f"{source} is not a folder; give the folder that holds the files")
        if self.folder.resolve().is_relative_to(source.resolve()):
            raise PersonError(
                f"{source} holds the home, where these very files are copied to; give a folder "
                "without it, or set RETINUE_HOME to a place outside"
            )
        if self.inputs.exists():
            return ()
        fresh = self.folder / "inputs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            shutil.copytree(source, fresh, symlinks=True, ignore=_left_out)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            raise PersonError(f"cannot copy the files of {source}: {_why(error)}") from error
        fresh.rename(self.inputs)
        special = _special(source)
        if not special:
            return ()
        more = f", and {len(special) - _MOST_NAMED} more" if len(special) > _MOST_NAMED else ""
        named = ", ".join(map(repr, special[:_MOST_NAMED])) + more
        return (f"of {source}, members do not get {named}: links, pipes and sockets are left out",)

    def drop_inputs(self) -> None:
        """Remove the copy of what the person gave; no member will ask for it any more."""
        shutil.rmtree(self.inputs, ignore_errors=True)

    def listing(self) -> Sequence[str]:
        """The artifacts there are right now, as paths below `artifacts`."""
        return [path.relative_to(self.artifacts).as_posix() for path in _files(self.artifacts)]

    async def hand_out(
        self, sandbox: Sandbox, workdir: str, artifacts: Sequence[str], *, inputs: bool
    ) -> Mapping[str, str]:
        """Copy those artifacts, and before them the inputs where these are wanted, into the
        member's working folder; returns sha256 by path, the inputs included.
        """
        if inputs:
            self.inputs.mkdir(parents=True, exist_ok=True)
            await sandbox.put(self.inputs, workdir)
        for path in artifacts:
            await sandbox.put(self.artifacts / path, f"{workdir}/{path}")
        return await asyncio.to_thread(self._digests, artifacts)

    async def publish(
        self,
        sandbox: Sandbox,
        workdir: str,
        *,
        profile: str,
        given: Mapping[str, str],
        written: Sequence[str],
        answer: str,
    ) -> Published:
        """Take over what a member declares as its result.

        Declared is what its tools wrote on purpose (`written`) and what its answer names, unless it
        still is as handed out. A file that another member has changed meanwhile is not replaced:
        this one goes below the profile's name. Raises HomeError when the home cannot take it.
        """
        prefix = f"{workdir}/"
        wanted = {path.removeprefix(prefix) for path in written}
        taken: list[Artifact] = []
        left_out: list[str] = []
        try:
            entries = await sandbox.list(workdir, recursive=True)
        except (ToolRetry, ToolFailed) as error:
            left_out.append(f"files that only the answer names were not looked for: {error}")
        else:
            present = {entry.path.removeprefix(prefix) for entry in entries if not entry.folder}
            wanted |= {match.strip("./") for match in _PATH.findall(answer)}
            wanted &= present
        for path in sorted(wanted):
            if not path.isprintable():
                left_out.append(f"{path!r} was not handed over: no such name is taken")
                continue
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self.folder, prefix="taking-") as folder:
                fresh = Path(folder, "file")
                try:
                    await sandbox.get(f"{workdir}/{path}", fresh)
                    artifact = await asyncio.to_thread(
                        self._take, fresh, path, profile, given.get(path)
                    )
                except ToolRetry as error:
                    left_out.append(f"{path!r} was not handed over: {error}")
                except OSError as error:
                    if error.errno != errno.ENAMETOOLONG:
                        raise HomeError(f"cannot keep {path!r}: {_why(error)}") from error
                    left_out.append(f"{path!r} was not handed over: its name is too long")
                else:
                    taken += [artifact] if artifact is not None else []
        return Published(taken, left_out)

    def save_text(self, name: str, text: str) -> str:
        """Publish a text of the runtime's own, such as an answer too long to hand on."""
        with TemporaryDirectory(dir=self.folder, prefix="taking-") as folder:
            fresh = Path(folder, "text")
            fresh.write_text(text, encoding="utf-8")
            _move(fresh, self.artifacts / name)
        return name

    def published(self) -> Sequence[Artifact]:
        """Everything published so far, with absolute paths."""
        return [Artifact(str(path), _digest(path)) for path in _files(self.artifacts)]

    def _take(self, fresh: Path, path: str, profile: str, given: str | None) -> Artifact | None:
        """Move the file to where it belongs; None when it is as it was handed out."""
        digest = _digest(fresh)
        if digest == given:
            return None
        own = f"{profile}/{path}"
        there = self.artifacts / path
        taken = there.is_file() and _digest(there) not in (given, digest)
        target = own if taken else path
        try:
            _move(fresh, self.artifacts / target)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            # A folder stands where the file shall be, or a file where its folder shall be.
            target = own
            _move(fresh, self.artifacts / target)
        return Artifact(target, digest)

    def _digests(self, artifacts: Sequence[str]) -> dict[str, str]:
        inputs = {
            _listed(path.relative_to(self.inputs)): _digest(path) for path in _files(self.inputs)
        }
        return inputs | {path: _digest(self.artifacts / path) for path in artifacts}


def _files(folder: Path) -> Sequence[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _listed(path: Path) -> str:
    """The path as a sandbox lists it: bytes that are not UTF-8 are written out."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)


def _special(source: Path) -> Sequence[str]:
    """What in the folder is neither file nor folder, the history of a repository not looked at."""
    found: list[str] = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(set(folders) - {".git"})
        for path in (Path(folder, name) for name in sorted([*folders, *names])):
            if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
                found.append(_listed(path.relative_to(source)))
    return found


def _left_out(folder: str, names: Sequence[str]) -> set[str]:
    """The history of a repository, and what is neither file, folder nor link."""
    kinds = {name: stat.S_IFMT(Path(folder, name).lstat().st_mode) for name in names}
    usual = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return {name for name, kind in kinds.items() if kind not in usual or name == ".git"}


def _why(error: OSError) -> str:
    """The reason without what surrounds it; of a `shutil.Error`, the first of its reasons."""
    if isinstance(error, shutil.Error):
        reasons = [str(reason) for _, _, reason in error.args[0]]
        return reasons[0] + (f", and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    return error.strerror or str(error)
