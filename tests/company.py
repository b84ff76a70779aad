"""A small team in a temporary project, played by a rehearsal script."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.events import Event, Watcher
from orchestrator.home import Home
from orchestrator.runtime import RunRequest, Runtime
from orchestrator.team.base import RunResult

ROLES = {
    "counter": ("Counts and computes over tables of numbers", ["How many rows are there?"]),
    "scribe": ("Writes letters and reports", ["Write a letter to the landlord"]),
    "keeper": ("Keeps the keys of the house", ["Who has the key to the cellar?"]),
}


@dataclass
class Company:
    """A project folder with one team, and everything that has happened in it."""

    project: Path
    home: Home
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    events: list[Event] = field(default_factory=list[Event])
    listener: Watcher | None = None
    """Hears each event as it happens, too."""

    def hire(
        self,
        script: Sequence[Mapping[str, Any]],
        *,
        members: Mapping[str, Mapping[str, Any]] | None = None,
        **team: Any,
    ) -> None:
        """Write the team: profile name to what its entry says beyond the agent of that name."""
        (self.project / "agents").mkdir(parents=True, exist_ok=True)
        for role, (description, examples) in ROLES.items():
            front = yaml.safe_dump({"name": role, "description": description, "examples": examples})
            path = self.project / "agents" / f"{role}.md"
            path.write_text(f"---\n{front}---\nYou do your work.\n", encoding="utf-8")
        entries = [
            {"profile": name, "agent": name if name in ROLES else "counter", **entry}
            for name, entry in (members or {role: {} for role in ROLES}).items()
        ]
        content = {"name": "firm", "supervisor": {"margin": None}, "members": entries, **team}
        self._write("team.yaml", content)
        self._write("rehearsal.yaml", list(script))

    def _write(self, name: str, content: object) -> None:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (self.project / name).write_text(text, encoding="utf-8")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Runtime]:
        environment = {"XDG_CACHE_HOME": str(self.project / "cache"), **self.environment}
        async with Runtime(
            project=self.project, home=self.home, environment=environment
        ) as runtime:
            yield runtime

    async def run(self, task: str = "", **request: Any) -> RunResult:
        """Run a task in a runtime of its own, as another process would."""
        async with self.open() as runtime:
            return await runtime.run(self.request(runtime, task, **request), self.watch)

    def request(self, runtime: Runtime, task: str = "", **request: Any) -> RunRequest:
        """A task for the team as it stands in the project now."""
        return RunRequest(
            team=runtime.team("team.yaml"),
            task=task,
            model="rehearsal",
            rehearsal=self.project / "rehearsal.yaml",
            **request,
        )

    async def resume(self, run: str) -> RunResult:
        async with self.open() as runtime:
            return await runtime.resume(run, self.watch)

    async def answer(self, run: str, text: str = "", **options: Any) -> RunResult | None:
        async with self.open() as runtime:
            return await runtime.answer(run, text, self.watch, **options)

    def watch(self, event: Event) -> None:
        self.events.append(event)
        if self.listener is not None:
            self.listener(event)

    def seen(self, kind: type[Event]) -> list[Any]:
        """The events of that kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]
