"""What a Retinue that was killed may have left: a bubblewrap whose watcher is dead."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from orchestrator.sandbox.local.walls import GATE


def end_orphans() -> None:
    """Kill the first process of every sandbox of ours that nobody watches, and so all it holds.

    It is known by our gate in its command line, by being the first of its process namespace, and
    by a parent that is no bubblewrap. Those of other users are left alone.
    """
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _name(folder.name) == "bwrap" and _is_orphan(folder):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(folder.name), signal.SIGKILL)


def _is_orphan(process: Path) -> bool:
    try:
        if GATE[2].encode() not in (process / "cmdline").read_bytes():
            return False
        lines = (process / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    numbers = status["NSpid"].split()
    return len(numbers) > 1 and numbers[-1] == "1" and _name(status["PPid"]) != "bwrap"


def _name(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
