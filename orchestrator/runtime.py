"""Where the pieces are put together: the one door that front ends use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.events import RunState, Watcher
from orchestrator.home import Home
from orchestrator.profile.schema import Team
from orchestrator.team.base import MemberReport, RunResult


@dataclass(frozen=True)
class RunRequest:
    """A task for a team, a message for one member, or a workflow with its inputs."""

    team: Team
    task: str = ""
    target: str | None = None
    """Profile name or alias; None: the supervisor decides."""
    workflow: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: Path | None = None
    """Folder whose content every member gets as its working folder."""
    model: str | None = None
    """`provider/model` that replaces every model of the run."""
    rehearsal: Path | None = None
    """The script that the provider `rehearsal` plays."""
    session: str | None = None
    """Conversation to go on with; None: a new one."""
    person: str = "person"


@dataclass(frozen=True)
class RunRow:
    """A run as `runs list` shows it."""

    run_id: str
    team: str
    state: RunState
    task: str
    """First line of the task, shortened."""
    created: datetime
    updated: datetime
    steps: int
    tokens: int
    cost_usd: str | None
    verdict: str | None
    """`good`, `bad` or None."""
    pid: int | None
    """The live process that works on it."""


@dataclass(frozen=True)
class RunDetail:
    """A run as `runs show` shows it."""

    row: RunRow
    result: RunResult
    history: Sequence[Mapping[str, Any]]
    """What was said and done, oldest first: at, profile, kind, text."""


@dataclass(frozen=True)
class FirstRequest:
    """The exact first request of a member."""

    messages: Sequence[Mapping[str, str]]
    """role and content."""
    tools: Sequence[Mapping[str, Any]]
    tokens: int
    tokenizer: str


class Runtime:
    """Opens a home and a project folder and runs teams; an async context manager."""

    def __init__(self, *, project: Path, home: Home, environment: Mapping[str, str]) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def team(self, name: str) -> Team:
        """The team of that name, or in that file or folder. Raises ConfigError, NotFoundError."""
        raise NotImplementedError

    async def run(self, request: RunRequest, watch: Watcher) -> RunResult:
        raise NotImplementedError

    async def resume(self, run: str, watch: Watcher, *, model: str | None = None) -> RunResult:
        """Go on with a run that was killed, waits, failed or hit a limit. Raises RunBusyError."""
        raise NotImplementedError

    async def answer(
        self,
        run: str,
        text: str,
        watch: Watcher,
        *,
        decision: Literal["approve", "deny"] | None = None,
        question: str | None = None,
    ) -> RunResult | None:
        """Answer the run's open question and go on with it; None when a live process takes the
        answer over.
        """
        raise NotImplementedError

    def cancel(self, run: str) -> None:
        raise NotImplementedError

    def rate(self, run: str, verdict: Literal["good", "bad"], note: str = "") -> None:
        raise NotImplementedError

    def runs(self, *, team: str | None = None, state: str | None = None) -> Sequence[RunRow]:
        raise NotImplementedError

    def show(self, run: str) -> RunDetail:
        raise NotImplementedError

    def first_request(self, team: Team, profile: str, task: str = "") -> FirstRequest:
        raise NotImplementedError


__all__ = ["FirstRequest", "MemberReport", "RunDetail", "RunRequest", "RunRow", "Runtime"]
