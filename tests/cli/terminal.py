"""A person at a terminal: a command on a pseudo-terminal, and what is typed there when."""

from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Sequence

_PATIENCE_SECONDS = 30


def sit_at(words: Sequence[str], *typed: tuple[str, str]) -> tuple[int, str]:
    """Run `retinue` with those words; each pair is what to wait for and what to type then. Returns
    the exit code and all that was shown.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "dumb"
        os.execv(sys.executable, [sys.executable, "-m", "orchestrator.cli", *words])
    shown, waiting, seen = "", list(typed), 0
    while select.select([terminal], [], [], _PATIENCE_SECONDS)[0]:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            break
        shown += piece.decode()
        while waiting and waiting[0][0] in shown[seen:]:
            seen = shown.index(waiting[0][0], seen) + len(waiting[0][0])
            os.write(terminal, waiting.pop(0)[1].encode())
    else:
        os.kill(child, 9)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown
