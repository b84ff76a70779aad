"""What happens in a run, as one typed union that every front end renders."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

RunState = Literal["queued", "running", "waiting", "completed", "failed", "cancelled", "limited"]
MemberState = Literal["completed", "failed", "waiting", "limited", "cancelled"]


@dataclass(frozen=True)
class RunStarted:
    kind: ClassVar[str] = "run_started"
    run: str
    team: str
    task: str
    resumed: bool = False
    model: str = ""
    rehearsal: bool = False


@dataclass(frozen=True)
class Routed:
    """The supervisor has decided who works next."""

    kind: ClassVar[str] = "routed"
    run: str
    members: tuple[str, ...]
    """Profile names."""
    rule: str
    """`addressed`, `only-member`, `margin`, `model` or `workflow`."""
    reason: str = ""


@dataclass(frozen=True)
class StepStarted:
    """A workflow step begins; `item` numbers the items of a `for_each`, from 0."""

    kind: ClassVar[str] = "step_started"
    run: str
    step: str
    item: int | None = None


@dataclass(frozen=True)
class StepFinished:
    kind: ClassVar[str] = "step_finished"
    run: str
    step: str
    state: str
    """A `MemberState`, or `skipped`."""
    item: int | None = None


@dataclass(frozen=True)
class MemberStarted:
    kind: ClassVar[str] = "member_started"
    run: str
    profile: str
    call: str
    """Identifies this member call within the run, e.g. `analyst#1`."""
    goal: str


@dataclass(frozen=True)
class TextDelta:
    kind: ClassVar[str] = "text_delta"
    run: str
    profile: str
    text: str
    restart: bool = False
    """The stream broke and begins again: what streamed in of this reply before is void."""


@dataclass(frozen=True)
class ReasoningDelta:
    kind: ClassVar[str] = "reasoning_delta"
    run: str
    profile: str
    text: str


@dataclass(frozen=True)
class ModelCalled:
    """One model call has ended; `cost_usd` is a decimal as text, None: price unknown."""

    kind: ClassVar[str] = "model_called"
    run: str
    profile: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: str | None
    attempts: int = 1


@dataclass(frozen=True)
class ToolStarted:
    kind: ClassVar[str] = "tool_started"
    run: str
    profile: str
    call_id: str
    tool: str
    summary: str
    """The arguments on one line, shortened."""


@dataclass(frozen=True)
class ToolFinished:
    kind: ClassVar[str] = "tool_finished"
    run: str
    profile: str
    call_id: str
    tool: str
    outcome: str
    """`ok`, `retry`, `failed`, `unavailable`, `denied` or `unknown`."""
    preview: str
    """First line of the result, shortened."""


@dataclass(frozen=True)
class PersonAsked:
    kind: ClassVar[str] = "person_asked"
    run: str
    profile: str
    question_id: str
    question: str
    asks_for: str
    """`question`, `approval` or `unknown`."""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class PersonAnswered:
    kind: ClassVar[str] = "person_answered"
    run: str
    profile: str
    question_id: str
    answer: str


@dataclass(frozen=True)
class ArtifactPublished:
    kind: ClassVar[str] = "artifact_published"
    run: str
    profile: str
    path: str
    """Relative to the run's artifacts folder."""
    sha256: str


@dataclass(frozen=True)
class MemberFinished:
    kind: ClassVar[str] = "member_finished"
    run: str
    profile: str
    call: str
    state: MemberState
    steps: int
    result: str
    """What the supervisor gets: the answer, or why there is none."""


@dataclass(frozen=True)
class Warned:
    """Something a person should know; the run goes on."""

    kind: ClassVar[str] = "warned"
    run: str
    profile: str
    message: str


@dataclass(frozen=True)
class RunFinished:
    """The run has stopped working: done, or waiting, limited, failed, cancelled."""

    kind: ClassVar[str] = "run_finished"
    run: str
    state: RunState
    answer: str
    error: str | None = None


Event = (
    RunStarted
    | Routed
    | StepStarted
    | StepFinished
    | MemberStarted
    | TextDelta
    | ReasoningDelta
    | ModelCalled
    | ToolStarted
    | ToolFinished
    | PersonAsked
    | PersonAnswered
    | ArtifactPublished
    | MemberFinished
    | Warned
    | RunFinished
)

Watcher = Callable[[Event], None]
"""Receives each event as it happens, in the run's own task; must not block."""


def to_dict(event: Event) -> dict[str, Any]:
    """The event as JSON-ready data, `kind` first."""
    return {"kind": event.kind, **dataclasses.asdict(event)}
