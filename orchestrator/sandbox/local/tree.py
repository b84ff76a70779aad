"""The processes of one command: to end them all, to wait until they are gone, to halt them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_PATIENCE_SECONDS = 10.0
"""How long the kernel may take to end processes that were sent SIGKILL."""


class Tree(Protocol):
    """Every process a command started, and itself."""

    def pids(self) -> Set[int]: ...

    async def end(self) -> None:
        """Kill them all and return when none is left; called once, last."""
        ...


async def exited(pidfd: int, patience: float | None = None) -> bool:
    """Wait until the process behind the descriptor has ended; False when patience ran out."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pidfd, lambda: ended.done() or ended.set_result(None))
    try:
        async with asyncio.timeout(patience):
            await ended
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pidfd)
    return True


class NamespaceTree:
    """A command in a process namespace of its own: when its first process ends, so do all."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._pidfd = _descriptor(leader)

    def pids(self) -> Set[int]:
        return _descendants(self._leader) | {self._leader}

    async def end(self) -> None:
        if self._pidfd is None:
            return
        try:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await exited(self._pidfd, _PATIENCE_SECONDS)
        finally:
            os.close(self._pidfd)


class MarkedTree:
    """A command without a namespace: its session, and whoever carries its mark in the environment.

    A process that leaves the session and clears its environment is not found; only a namespace
    holds those.
    """

    def __init__(self, leader: int, mark: str) -> None:
        self._leader = leader
        self._mark = mark.encode()

    def pids(self) -> Set[int]:
        return {
            pid
            for pid, process in _processes().items()
            if process.session == self._leader or self._is_marked(pid)
        }

    def _is_marked(self, pid: int) -> bool:
        try:
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    async def end(self) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while left := await asyncio.to_thread(self.pids):
            _signal(left, signal.SIGKILL)
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.005)


def halt(pids: Callable[[], Set[int]]) -> None:
    """Stop all of them, those included that are started meanwhile."""
    stopped: set[int] = set()
    while new := pids() - stopped:
        _signal(new, signal.SIGSTOP)
        stopped |= new


def proceed(pids: Callable[[], Set[int]]) -> None:
    _signal(pids(), signal.SIGCONT)


def _signal(pids: Set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _descriptor(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


@dataclass(frozen=True)
class _Process:
    parent: int
    session: int


def _processes() -> dict[int, _Process]:
    """Every process that is not a zombie, by its number."""
    found: dict[int, _Process] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name, in the second field, may hold blanks and brackets.
            state, parent, _, session = (
                (folder / "stat").read_bytes().rpartition(b") ")[2].split(maxsplit=4)[:4]
            )
            if state not in (b"Z", b"X"):
                found[int(folder.name)] = _Process(int(parent), int(session))
    return found


def _descendants(pid: int) -> Set[int]:
    children: dict[int, list[int]] = {}
    for child, process in _processes().items():
        children.setdefault(process.parent, []).append(child)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = children.get(waiting.pop(), [])
        waiting += new
        found.update(new)
    return found
