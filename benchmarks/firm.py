"""A team to measure with: members that only talk and plan, played by a rehearsal."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from orchestrator.events import Watcher
from orchestrator.home import Home
from orchestrator.runtime import RunRequest, Runtime
from orchestrator.team.base import RunResult

PLAN = {"tool": "plan", "arguments": {"items": [{"text": "count the rows"}, {"text": "answer"}]}}

_TRADES = ("ledgers", "contracts", "weather", "harbours", "bridges", "orchards", "engines", "maps")


def write_team(folder: Path, count: int, script: Sequence[Mapping[str, Any]], **team: Any) -> None:
    """A team file of that many members, the first one named `member-0`, and its script."""
    agents = folder / "agents"
    agents.mkdir(parents=True, exist_ok=True)
    trades = itertools.cycle(_TRADES)
    for n, trade in zip(range(count), trades, strict=False):
        front = yaml.safe_dump(
            {
                "name": f"role-{n}",
                "description": f"Keeps the {trade} of district {n} and answers questions on them",
                "examples": [f"What do the {trade} of district {n} say?"],
                "tools": ["plan", "ask_person"],
            }
        )
        (agents / f"role-{n}.md").write_text(f"---\n{front}---\nYou answer briefly.\n")
    entries = [{"profile": f"member-{n}", "agent": f"role-{n}"} for n in range(count)]
    content = {"name": "firm", "supervisor": {"margin": None}, "members": entries, **team}
    (folder / "team.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "rehearsal.yaml").write_text(yaml.safe_dump(list(script), sort_keys=False))


@asynccontextmanager
async def open_firm(folder: Path) -> AsyncGenerator[Runtime]:
    environment = {"XDG_CACHE_HOME": str(folder / "cache")}
    async with Runtime(
        project=folder, home=Home(folder / "home"), environment=environment
    ) as runtime:
        yield runtime


def request(runtime: Runtime, folder: Path, task: str, **more: Any) -> RunRequest:
    return RunRequest(
        team=runtime.team("team.yaml"),
        task=task,
        model="rehearsal",
        rehearsal=folder / "rehearsal.yaml",
        **more,
    )


async def finish(runtime: Runtime, wanted: RunRequest, watch: Watcher | None = None) -> RunResult:
    """Run to the end; raises when that is not completion."""
    result = await runtime.run(wanted, watch or (lambda _: None))
    if result.state != "completed":
        raise RuntimeError(f"the run is {result.state}: {result.error}")
    return result
