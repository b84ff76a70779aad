"""What a person writes under `workflows:`; `team.workflow` runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(Frozen):
    """`repeat:` runs the step again until the condition holds, at most `most` times."""

    until: str
    """An expression over `inputs`, `steps` and `result`, e.g. `{{ result.verdict == "pass" }}`."""
    most: int = Field(default=3, ge=1, le=20)


class Step(Frozen):
    """One step. Templates `{{ … }}` read `inputs.<name>`, `steps.<id>.answer`,
    `steps.<id>.output.<field>`, `item`.
    """

    id: str = Field(pattern=r"^[a-z0-9_-]{1,63}$")
    agent: str | None = None
    """A profile of the team; None: the supervisor chooses, as it would for a message."""
    prompt: str = ""
    needs: tuple[str, ...] = ()
    """Steps that must be finished first; references in templates count by themselves."""
    for_each: str | None = None
    """A template that gives a list; the step runs once per `item`, in parallel."""
    when: str | None = None
    """A condition; when it is false the step is skipped."""
    repeat: Repeat | None = None
    approve: str | None = None
    """What a person is asked before the steps that need this one go on; with `agent` unset the step
    only asks.
    """
    output: Mapping[str, Any] | None = None
    """JSON schema of the answer (type object); the member must return it, else the step fails."""


class Workflow(Frozen):
    description: str = ""
    inputs: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    """Names and default values; null means the person must give it."""
    steps: tuple[Step, ...]
    answer: str | None = None
    """Template of the run's answer; None: the answers of the last steps."""
