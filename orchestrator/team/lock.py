"""One process per run: a file lock that dies with its process, and names it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestrator.errors import RunBusyError

_TRIES = 20
_SECONDS_BETWEEN = 0.01
"""For this long together, a lock may be one of those who only look."""


@contextmanager
def hold(folder: Path, run: str) -> Generator[None]:
    """Keep the run to ourselves. Raises RunBusyError naming the process that has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        if not _taken(file):
            raise RunBusyError(run, _pid(file.fileno()))
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
            # Shared, so that two who look do not take each other for one who works.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid(file.fileno())
    return None


def _taken(file: IO[str]) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_SECONDS_BETWEEN)
        else:
            return True
    return False


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).decode().strip()
    return int(text) if text.isdigit() else 0
