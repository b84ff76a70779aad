"""What the parts of a team run hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from orchestrator.errors import Question
from orchestrator.events import MemberState, RunState
from orchestrator.model.base import Usage


@dataclass(frozen=True)
class Brief:
    """What a member is handed. Never the whole transcript."""

    goal: str
    context: str = ""
    constraints: str = ""
    expected: str = ""
    person: str = "person"
    """Id of the person on whose behalf the work is done."""
    words: str = ""
    """The person's own words that matter here."""
    output: Mapping[str, Any] | None = None
    """JSON schema the answer must fulfil."""


@dataclass(frozen=True)
class MemberResult:
    """How a member call ended; failures are values, so that one member does not lose the others'
    work.
    """

    profile: str
    call: str
    state: MemberState
    text: str
    """The answer; where there is none, the reason in one sentence."""
    steps: int = 0
    """Model calls made."""
    output: Mapping[str, Any] | None = None
    """The answer parsed, when the brief has a schema."""
    artifacts: tuple[str, ...] = ()
    """Paths below the run's artifacts folder."""
    questions: tuple[Question, ...] = ()
    """Open questions, when `state` is `waiting`."""


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

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["cost_usd"] = None if self.cost_usd is None else str(self.cost_usd)
        return data
