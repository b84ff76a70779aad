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

    async def hand_out(self, sandbox: Sandbox, workdir: str) -> Mapping[str, str]:
        """Copy inputs and artifacts into the member's working folder; returns sha256 by path."""
        for folder in (self.inputs, self.artifacts):
            folder.mkdir(parents=True, exist_ok=True)
            await sandbox.put(folder, workdir)
        return await asyncio.to_thread(self._digests)

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
        if not self.artifacts.is_dir():
            return []
        return [
            Artifact(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(self.artifacts.rglob("*"))
            if path.is_file()
        ]

    def _place(self, path: str, profile: str, given: str | None, digest: str) -> str:
        there = self.artifacts / path
        if not there.is_file():
            return path
        current = hashlib.sha256(there.read_bytes()).hexdigest()
        return path if current in (given, digest) else str(PurePosixPath(profile) / path)

    def _digests(self) -> dict[str, str]:
        digests: dict[str, str] = {}
        for folder in (self.inputs, self.artifacts):
            for path in folder.rglob("*") if folder.is_dir() else ():
                if path.is_file() and not path.is_symlink():
                    name = path.relative_to(folder).as_posix()
                    digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return digests


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.rename(path)
