"""One process per run: a file lock that dies with its process, and names it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import RunBusyError


@contextmanager
def hold(folder: Path, run: str) -> Generator[None]:
    """Keep the run to ourselves. Raises RunBusyError naming the process that has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusyError(run, _pid(file.fileno())) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def holder(folder: Path) -> int | None:
    """The process that works on the run right now."""
    path = folder / "lock"
    if not path.exists():
        return None
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid(file.fileno())
    return None


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).decode().strip()
    return int(text) if text.isdigit() else 0
