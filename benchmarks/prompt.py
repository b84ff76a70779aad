"""The size of a member's first request with the core tools."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.figure import Figure, show
from benchmarks.firm import open_firm, write_team
from orchestrator.tool.catalog import CORE


async def _measure() -> Sequence[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entry = {"profile": "member-0", "agent": "role-0", "tools": list(CORE)}
        write_team(folder, 1, [], members=[entry])
        async with open_firm(folder) as runtime:
            team = runtime.team("team.yaml")
            first = runtime.first_request(team, "member-0", "How many rows are there?")
            bundled = {
                f"{team.name}/{member.profile}": runtime.first_request(team, member.profile).tokens
                for team in map(runtime.team, ("desk", "newsroom", "engineering"))
                for member in team.members
            }
    note = f"{first.tokenizer}; bundled members: {yaml.safe_dump(bundled).split()}"
    return [Figure("first request, core tools", first.tokens, "tokens", at_most=1500, note=note)]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


if __name__ == "__main__":
    show(measure())
