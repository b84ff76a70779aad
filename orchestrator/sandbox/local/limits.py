"""Which limit is kept by what, and the command that sets those the kernel keeps per process."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

from orchestrator.sandbox.base import SandboxConfig

_OPEN_FILES = 1024


def prlimit(config: SandboxConfig, *, memory: bool, processes: bool) -> Sequence[str]:
    """The words before a command that hold it to the limits; `memory` and `processes` say whether
    those two are to be kept this way.
    """
    words = [
        "prlimit",
        _limit("cpu", resource.RLIMIT_CPU, config.cpu_seconds, slack=1),
        _limit("fsize", resource.RLIMIT_FSIZE, config.disk_mb << 20),
        _limit("nofile", resource.RLIMIT_NOFILE, _OPEN_FILES),
        _limit("core", resource.RLIMIT_CORE, 0),
    ]
    if memory:
        words.append(_limit("as", resource.RLIMIT_AS, config.memory_mb << 20))
    if processes:
        words.append(_limit("nproc", resource.RLIMIT_NPROC, config.processes + 1))
    return (*words, "--")


def _limit(name: str, kind: int, value: int, *, slack: int = 0) -> str:
    """Soft and hard limit, never above a hard limit we stand under ourselves. The `slack` between
    the two lets the signal of the soft one come first.
    """
    hard = resource.getrlimit(kind)[1]
    if hard == resource.RLIM_INFINITY:
        return f"--{name}={value}:{value + slack}"
    return f"--{name}={min(value, hard)}:{min(value + slack, hard)}"


def counts_processes_per_sandbox() -> bool:
    """From Linux 5.14 on, a process limit set inside a user namespace counts that namespace only;
    before, it counted every process of the user.
    """
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 14)
