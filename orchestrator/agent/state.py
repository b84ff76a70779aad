"""What a member is handed, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Question
from orchestrator.events import MemberState


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
    direct: bool = False
    """The person speaks to the member itself: earlier turns of their session come before it."""


@dataclass(frozen=True)
class MemberResult:
    """How a member call ended; a failure is a value, so that it does not lose the others' work."""

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
