"""Files between members: the runtime copies them, never a member."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.errors import PersonError
from orchestrator.sandbox.base import Sandbox
from orchestrator.team.base import Artifact

_PATH = re.compile(r"[\w./-]+\.\w+")


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

    def take_inputs(self, source: Path) -> None:
        """Keep a copy of what the person gave, so that a resumed run finds the same files."""
        if not source.is_dir():
            raise PersonError(f"{source} is not a folder; give the folder that holds the files")
        if not self.inputs.exists():
            fresh = self.folder / "inputs.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(source, fresh, ignore=shutil.ignore_patterns(".git"))
            fresh.rename(self.inputs)

    def listing(self) -> Sequence[str]:
        """The artifacts there are right now, as paths below `artifacts`."""
        return [path.relative_to(self.artifacts).as_posix() for path in _files(self.artifacts)]

    async def hand_out(
        self, sandbox: Sandbox, workdir: str, artifacts: Sequence[str]
    ) -> Mapping[str, str]:
        """Copy the inputs and those artifacts into the member's working folder; returns sha256 by
        path.
        """
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
    ) -> Sequence[Artifact]:
        """Take over what a member declares as its result; paths are relative to `artifacts`.

        Declared is what its tools wrote on purpose (`written`) and what its answer names, unless it
        still is as handed out. A file that another member has changed meanwhile is not replaced:
        this one goes below the profile's name.
        """
        entries = await sandbox.list(workdir, recursive=True)
        prefix = f"{workdir}/"
        present = {entry.path.removeprefix(prefix) for entry in entries if not entry.folder}
        named = {match.strip("./") for match in _PATH.findall(answer)}
        wanted = {path.removeprefix(prefix) for path in written} | named
        published: list[Artifact] = []
        for path in sorted(wanted & present):
            data = await sandbox.read(f"{workdir}/{path}")
            digest = hashlib.sha256(data).hexdigest()
            if given.get(path) == digest:
                continue
            target = self._place(path, profile, given.get(path), digest)
            await asyncio.to_thread(_write, self.artifacts / target, data)
            published.append(Artifact(target, digest))
        return published

    def save_text(self, name: str, text: str) -> str:
        """Publish a text of the runtime's own, such as an answer too long to hand on."""
        _write(self.artifacts / name, text.encode())
        return name

    def published(self) -> Sequence[Artifact]:
        """Everything published so far, with absolute paths."""
        return [Artifact(str(path), _digest(path)) for path in _files(self.artifacts)]

    def _place(self, path: str, profile: str, given: str | None, digest: str) -> str:
        there = self.artifacts / path
        if not there.is_file() or _digest(there) in (given, digest):
            return path
        return str(PurePosixPath(profile) / path)

    def _digests(self, artifacts: Sequence[str]) -> dict[str, str]:
        inputs = {
            path.relative_to(self.inputs).as_posix(): _digest(path) for path in _files(self.inputs)
        }
        return inputs | {path: _digest(self.artifacts / path) for path in artifacts}


def _files(folder: Path) -> Sequence[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.rename(path)
