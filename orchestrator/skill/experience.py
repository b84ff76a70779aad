"""What a member can learn from: one finished task, and what the world said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

By = Literal["tests", "exit code", "reviewer", "person", "run"]

ENOUGH_CALLS = 5

_TESTS = re.compile(
    r"\b(pytest|unittest|tox|nox|make (?:\S+ )*(?:test|check)\S*|(?:npm|yarn|pnpm)(?: run)? test|"
    r"cargo (?:test|nextest)|go test|ctest|mvn (?:\S+ )*(?:test|verify)|gradle \S*test|rspec|"
    r"phpunit)\b"
)

_RUNS_COMMANDS = ("shell", "python")
_LOOKS = ("skill_search", "skill_view", "tool_search", "plan", "ask_person")
"""Tools whose calls are no part of how a thing is done."""


@dataclass(frozen=True)
class Step:
    """One tool call, as it ended."""

    tool: str
    arguments: Mapping[str, Any]
    outcome: str
    text: str
    exit_code: int | None = None

    @property
    def worked(self) -> bool:
        return self.outcome == "ok" and not self.exit_code

    @property
    def tests(self) -> bool:
        """Whether it ran tests."""
        command = str(self.arguments.get("command", self.arguments.get("code", "")))
        return self.tool in _RUNS_COMMANDS and _TESTS.search(command) is not None


@dataclass(frozen=True)
class Sign:
    """Somebody other than the member says how the task went."""

    good: bool
    by: By
    detail: str = ""


@dataclass(frozen=True)
class Experience:
    """One member call of a run."""

    run: str
    task: str
    """The member call, e.g. `analyst#1`."""
    author: str
    """`team/profile`."""
    brief: str
    steps: tuple[Step, ...]
    corrections: tuple[str, ...] = ()
    """What people said against it, in their words."""
    sign: Sign | None = None
    """From others; `own_sign` adds what its own commands came to."""

    @property
    def outside(self) -> Sign | None:
        """The sign that counts: a person's before a reviewer's before that of commands."""
        return self.sign or own_sign(self.steps)


@dataclass(frozen=True)
class Worth:
    """Why a task should be remembered as a skill."""

    reasons: tuple[str, ...] = field(default_factory=tuple)

    def __bool__(self) -> bool:
        return bool(self.reasons)


def own_sign(steps: Sequence[Step]) -> Sign | None:
    """What the member's last test run, else its last command, came to; a command that works is a
    sign only after one that did not.
    """
    runs = [step for step in steps if step.tool in _RUNS_COMMANDS and step.exit_code is not None]
    tests = [step for step in runs if step.tests]
    if tests:
        return Sign(tests[-1].worked, "tests", _command(tests[-1]))
    if len(runs) > 1 and any(not step.worked for step in runs[:-1]) and runs[-1].worked:
        return Sign(True, "exit code", _command(runs[-1]))
    return None


def worth(experience: Experience, *, seen_before: bool) -> Worth:
    """Whether there is something to learn; `seen_before`: a similar task has gone well already."""
    reasons: list[str] = []
    done = useful_steps(experience.steps)
    if len(done) >= ENOUGH_CALLS:
        reasons.append(f"{len(done)} tool calls")
    if recovered(experience.steps):
        reasons.append("a recovered error")
    if experience.corrections:
        reasons.append("a correction by a person")
    if seen_before and done:
        reasons.append("a second similar task")
    return Worth(tuple(reasons))


def useful_steps(steps: Sequence[Step]) -> Sequence[Step]:
    """The calls that worked and did something, each once, in order."""
    found: dict[str, Step] = {}
    for step in steps:
        if step.worked and step.tool not in _LOOKS:
            found.setdefault(f"{step.tool} {sorted(step.arguments.items())!r}", step)
    return list(found.values())


def recovered(steps: Sequence[Step]) -> Sequence[tuple[Step, Step]]:
    """Calls that failed, each with the first later call of the same tool that worked."""
    pairs: list[tuple[Step, Step]] = []
    for at, step in enumerate(steps):
        if step.worked or step.tool in _LOOKS or step.outcome in ("denied", "unavailable"):
            continue
        later = (each for each in steps[at + 1 :] if each.tool == step.tool and each.worked)
        if (better := next(later, None)) is not None and better.arguments != step.arguments:
            pairs.append((step, better))
    return pairs


def _command(step: Step) -> str:
    command = str(step.arguments.get("command", step.arguments.get("code", step.tool)))
    return " ".join(command.split())[:100]
