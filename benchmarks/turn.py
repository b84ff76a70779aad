"""One turn with one tool that needs no sandbox, all persistence on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, cpu_ms, show
from benchmarks.firm import PLAN, finish, open_firm, request, write_team

SCRIPT = [{"profile": "member-0", "calls": [PLAN]}, {"profile": "member-0", "say": "41 rows."}]


async def _measure() -> Sequence[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_team(folder, 1, SCRIPT)
        async with open_firm(folder) as runtime:
            wanted = request(runtime, folder, "How many rows are there?", target="member-0")
            value = await cpu_ms(lambda: finish(runtime, wanted), times=40)
    return [Figure("one turn, one tool, all persistence on", value, "ms CPU", at_most=40)]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


if __name__ == "__main__":
    show(measure())
