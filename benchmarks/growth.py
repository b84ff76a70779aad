"""What 100 turns of one session leave on disk, beside the text that was said."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, show
from benchmarks.firm import PLAN, finish, open_firm, request, write_team

TASK = "Tell me what the ledgers say about the rows of district 0. " * 6
SCRIPT = [
    {"profile": "member-0", "match": "district 0", "calls": [PLAN], "repeat": True},
    {"profile": "member-0", "say": "There are 41 rows in the ledgers. " * 12, "repeat": True},
]


def _state_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def _after(turns: int) -> tuple[int, int, int]:
    """Bytes of state, bytes of text said, journal rows left behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_team(folder, 1, SCRIPT)
        async with open_firm(folder) as runtime:
            wanted = request(runtime, folder, TASK, target="member-0", session="talk")
            for _ in range(turns):
                await finish(runtime, wanted)
        state = _state_bytes(folder / "home" / "state")
        with sqlite3.connect(folder / "home/state/firm/member-0/memory.db") as database:
            (text,) = database.execute("SELECT SUM(LENGTH(text)) FROM messages").fetchone()
            (rows,) = database.execute("SELECT COUNT(*) FROM journal").fetchone()
        database.close()
    return state, text, rows


async def _measure() -> Sequence[Figure]:
    ten, hundred = await _after(10), await _after(100)
    growth = (hundred[0] - ten[0]) / (hundred[1] - ten[1])
    return [
        Figure("state on disk after 100 turns", hundred[0] / 1e6, "MB"),
        Figure("state per byte of text, turns 11 to 100", growth, "bytes", at_most=5),
        Figure("journal rows and checkpoints left behind", hundred[2], "rows", at_most=0),
    ]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


if __name__ == "__main__":
    show(measure())
