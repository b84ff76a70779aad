"""A routed turn of four model calls, in a team of 3 and of 300 members."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, cpu_ms, show
from benchmarks.firm import PLAN, finish, open_firm, request, write_team
from orchestrator.index import Embedder

TASK = "What do the ledgers of district 0 say about the rows?"
ASSIGN = {"tool": "assign", "arguments": {"member": "member-0", "goal": "Count the rows."}}
SCRIPT = [
    {"profile": "supervisor", "match": "^Members:", "calls": [ASSIGN]},
    {"profile": "member-0", "calls": [PLAN]},
    {"profile": "member-0", "say": "41 rows."},
    {"profile": "supervisor", "say": "There are 41 rows."},
]


async def _turn_ms(members: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_team(folder, members, SCRIPT)
        async with open_firm(folder) as runtime:
            # The same task each time: its embedding is remembered and measured below.
            wanted = request(runtime, folder, TASK)
            return await cpu_ms(lambda: finish(runtime, wanted), times=30)


async def _embedding_ms() -> float:
    embedder = Embedder()
    numbers = itertools.count()
    return await cpu_ms(lambda: embedder.aembed([f"{TASK} {next(numbers)}"]), times=20)


async def _measure() -> Sequence[Figure]:
    three, many = await _turn_ms(3), await _turn_ms(300)
    return [
        Figure("routed turn, 3 members, 4 model calls", three, "ms CPU", at_most=40),
        Figure("the same with 300 members", many, "ms CPU", at_most=three + 20),
        Figure("embedding of the query", await _embedding_ms(), "ms CPU", note="300 members only"),
    ]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


if __name__ == "__main__":
    show(measure())
