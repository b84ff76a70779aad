"""A memory limit for all processes of a sandbox together, where the kernel lets us make a control
group.

Both interfaces are served: cgroup v2 below the nearest group that hands the memory controller on
to its children, and the memory hierarchy of v1.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

JOIN = ("/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"')
"""Followed by the group's `joining` path and a command: runs the command inside the group."""


@dataclass(frozen=True)
class MemoryGroup:
    """A control group of our own."""

    folder: Path
    counter: str
    """File whose `oom_kill` line counts the processes the limit has ended."""

    @property
    def joining(self) -> str:
        return str(self.folder / "cgroup.procs")

    def kills(self) -> int:
        """How many processes the limit has ended so far."""
        for line in (self.folder / self.counter).read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Give the group back; one that still has processes stays until `make` finds it empty."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def make(limit_bytes: int, *, proc: Path = Path("/proc/self")) -> MemoryGroup | None:
    """A group with that limit, proven to accept a process of ours; None when there can be none."""
    for parent, version in places(proc):
        _remove_abandoned(parent)
        folder = parent / f"{_prefix()}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        group = MemoryGroup(folder, "memory.events" if version == 2 else "memory.oom_control")
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            _limit(folder, version, limit_bytes)
            group.kills()
            subprocess.run([*JOIN, group.joining, "/bin/sh", "-c", ":"], env={}, check=True)
        except (OSError, subprocess.CalledProcessError):
            group.remove()
            continue
        return group
    return None


def _limit(folder: Path, version: int, limit_bytes: int) -> None:
    files = {
        1: ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        2: ("memory.max", "memory.swap.max"),
    }
    memory, swap = files[version]
    (folder / memory).write_text(str(limit_bytes), encoding="ascii")
    if (folder / swap).exists():
        value = 0 if version == 2 else limit_bytes
        (folder / swap).write_text(str(value), encoding="ascii")


def places(proc: Path) -> Sequence[tuple[Path, int]]:
    """Groups below which ours may stand, nearest first, each with its interface's version."""
    return list(_places(proc))


def _places(proc: Path) -> Iterator[tuple[Path, int]]:
    for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, group = line.split(":", 2)
        version = 2 if not controllers else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        for root, mount in _mounts(proc, version):
            own = mount / group.removeprefix(root).lstrip("/")
            if version == 1:
                yield own, 1
                continue
            for folder in (own, *own.parents):
                if _hands_memory_on(folder):
                    yield folder, 2
                if folder == mount:
                    break


def _mounts(proc: Path, version: int) -> Iterator[tuple[str, Path]]:
    """Where the hierarchy is mounted: the group that is its root there, and the folder."""
    for line in (proc / "mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == ("cgroup2" if version == 2 else "cgroup") and (
            version == 2 or "memory" in options.split(",")
        ):
            root, folder = fields.split(" ")[3:5]
            yield root.rstrip("/"), Path(folder)


def _hands_memory_on(folder: Path) -> bool:
    try:
        return "memory" in (folder / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return False


def _prefix() -> str:
    """Of the groups whose names hold process numbers that mean something to us."""
    return f"retinue-{Path('/proc/self/ns/pid').stat().st_ino}-"


def _remove_abandoned(parent: Path) -> None:
    """Groups of processes of ours that were killed; the kernel refuses those still in use."""
    try:
        leftovers = list(parent.glob(f"{_prefix()}*"))
    except OSError:
        return
    for folder in leftovers:
        owner = folder.name.removeprefix(_prefix()).partition("-")[0]
        if Path(f"/proc/{owner}").exists():
            continue
        with contextlib.suppress(OSError):
            folder.rmdir()
