"""What the parts of a team run hand to each other."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import Question
from orchestrator.events import RunState
from orchestrator.model.base import Usage


class MemberCaller(Protocol):
    """Runs one member on one brief; asked again with the same `call` after a crash, it goes on
    where it was.
    """

    async def __call__(self, profile: str, brief: Brief, call: str) -> MemberResult: ...


@dataclass(frozen=True)
class Artifact:
    path: str
    """Absolute path on this machine."""
    sha256: str


@dataclass(frozen=True)
class MemberReport:
    profile: str
    state: str
    steps: int


@dataclass(frozen=True)
class RunResult:
    """What a run came to; `to_dict` is the object that `--json` prints."""

    run_id: str
    state: RunState
    answer: str
    members: tuple[MemberReport, ...] = ()
    steps: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    artifacts: tuple[Artifact, ...] = ()
    rehearsal: bool = False
    error: str | None = None
    questions: tuple[Question, ...] = ()
    denied: bool = False
    """It failed because a person said no; to go on would change nothing."""

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["cost_usd"] = None if self.cost_usd is None else str(self.cost_usd)
        return data
