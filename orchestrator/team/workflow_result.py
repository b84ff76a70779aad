"""How the steps of a workflow ended, and what that means for the steps that need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from orchestrator.errors import PersonNeeded, Question, RetinueError, RunCancelled, RunStopped
from orchestrator.events import MemberState

StepState = Literal[MemberState, "skipped", "pending"]
"""`skipped`: its condition did not hold, or what it needs failed; `pending`: what it needs is not
finished yet.
"""

UNFINISHED: tuple[Literal["cancelled", "waiting", "limited"], ...] = (
    "cancelled",
    "waiting",
    "limited",
)
"""States that a resumed run may still change; the first that occurs is that of the whole."""

Values = dict[str, object]
"""What templates may read."""


@dataclass(frozen=True)
class StepResult:
    """How a step, or one item of it, ended."""

    state: StepState
    answer: str = ""
    output: Mapping[str, object] | None = None
    comment: str = ""
    """What a person said when asked to approve."""
    error: str = ""
    """Why there is no answer, or not all of it."""
    again: bool = False
    """It failed in a way that another attempt may mend."""
    denied: bool = False
    """It failed because a person said no, and their word stands in a resumed run too."""
    artifacts: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    items: tuple[ItemResult, ...] | None = None
    """Of a `for_each`, in item order."""

    @property
    def blocks(self) -> bool:
        """Whether what needs this step cannot run, now or ever."""
        return self.state != "completed" and not self.was_skipped

    @property
    def was_skipped(self) -> bool:
        """Its condition did not hold."""
        return self.state == "skipped" and not self.error

    @cached_property
    def values(self) -> Values:
        """What templates read of it."""
        if self.state == "skipped":
            return {"state": self.state}
        values: Values = {
            "state": self.state,
            "answer": self.answer,
            "comment": self.comment,
            "artifacts": list(self.artifacts),
        }
        if self.output is not None:
            values["output"] = self.output
        if self.items is not None:
            done = [item for item in self.items if item.result.state == "completed"]
            lost = [item for item in self.items if item.result.state != "completed"]
            values["results"] = [
                {**item.result.values, "item": item.item, "index": item.index} for item in done
            ]
            values["failed"] = [
                {"item": item.item, "index": item.index, "error": item.result.error}
                for item in lost
            ]
        return values


@dataclass(frozen=True)
class ItemResult:
    index: int
    item: object
    result: StepResult


Results = Mapping[str, StepResult]


def to_values(inputs: Mapping[str, object], results: Results) -> Values:
    """What every template may read: the inputs, and the steps that had their turn."""
    steps = {step: result.values for step, result in results.items()}
    return {"inputs": inputs, "steps": steps}


def blocked(needs: Results) -> StepResult | None:
    """How a step ends without running, because of what it needs; None when it can run."""
    blocking = [(name, result) for name, result in needs.items() if result.blocks]
    for name, result in blocking:
        if result.state in ("failed", "skipped"):
            how = "failed" if result.state == "failed" else "could not run"
            return StepResult("skipped", error=f"needs {name!r}, which {how}")
    return StepResult("pending") if blocking else None


def ended(error: RetinueError) -> StepResult:
    match error:
        case PersonNeeded():
            return StepResult("waiting", error=str(error), questions=error.questions)
        case RunCancelled():
            return StepResult("cancelled", error=str(error))
        case RunStopped():
            return StepResult("limited", error=str(error))
        case _:
            return StepResult("failed", error=str(error))


def joined(items: tuple[ItemResult, ...]) -> StepResult:
    """All items as one result: a failed one does not fail the step while another is completed."""
    results = [item.result for item in items]
    done = [result for result in results if result.state == "completed"]
    lost = [item for item in items if item.result.state != "completed"]
    state: StepState = "completed" if done or not items else "failed"
    for unfinished in UNFINISHED:
        if any(result.state == unfinished for result in results):
            state = unfinished
            break
    reasons = "; ".join(f"[{item.index}] {item.result.error}" for item in lost[:5])
    return StepResult(
        state,
        "\n\n".join(result.answer for result in done),
        error=f"{len(lost)} of {len(items)} items not done: {reasons}" if lost else "",
        denied=bool(lost) and all(item.result.denied for item in lost),
        artifacts=tuple(path for result in done for path in result.artifacts),
        questions=tuple(question for result in results for question in result.questions),
        items=items,
    )
