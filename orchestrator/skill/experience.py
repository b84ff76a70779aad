"""What a member can learn from: one finished task, and what the world said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

By = Literal["tests", "exit code", "reviewer", "person", "run"]

ENOUGH_CALLS = 5

_TESTS = re.compile(
    r"(?:\w+=\S*\s+)*"
    r"(?:(?:sudo|time|timeout \S+|uv run|poetry run|\S*python[\d.]* -m|\S*/bin/)\s*)*"
    r"(?:pytest|unittest|tox|nox|make (?:\S+ )*(?:test|check)\S*|(?:npm|yarn|pnpm)(?: run)? test|"
    r"cargo (?:test|nextest)|go test|ctest|mvn (?:\S+ )*(?:test|verify)|gradle \S*test|rspec|"
    r"phpunit)\b"
)
"""A command that runs tests; the whole of it must be one, not a remark or a word in a text."""

_JOINTS = re.compile(r"(&&|\|\||\||;|\n)")

_GOOD = re.compile(
    r"\b[1-9]\d* (?:tests? )?(?:passed|passing)|^OK\b|test result: ok|^ok\b|^PASS\b|BUILD SUCCESS|"
    r"100% tests passed",
    re.MULTILINE,
)
_BAD = re.compile(
    r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?|errors?)\b|^FAIL|FAILED|BUILD FAILURE",
    re.MULTILINE,
)
"""What test runners say at the end."""

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
    def command(self) -> str:
        return str(self.arguments.get("command", ""))

    @property
    def tests(self) -> bool | None:
        """How the tests it ran ended; None: it ran none, or hid how they ended.

        The exit code counts where nothing comes after the tests that could change it; else what
        the runner says.
        """
        if self.tool != "shell" or self.exit_code is None:
            return None
        parts = _JOINTS.split(self.command)
        found = [at for at in range(0, len(parts), 2) if _TESTS.match(parts[at].strip())]
        if not found:
            return None
        if self.exit_code or _BAD.search(self.text):
            return False
        behind = parts[found[-1] + 1 :: 2]
        honest = all(joint == "&&" for joint in behind)
        return True if honest or _GOOD.search(self.text) else None


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
    sign only after the same program did not.
    """
    tests = [step for step in steps if step.tests is not None]
    if tests:
        return Sign(bool(tests[-1].tests), "tests", _command(tests[-1]))
    runs = [step for step in steps if step.tool in _RUNS_COMMANDS and step.exit_code is not None]
    if len(runs) > 1 and runs[-1].worked:
        again = [step for step in runs[:-1] if _program(step) == _program(runs[-1])]
        if any(not step.worked for step in again):
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


def _program(step: Step) -> str:
    """The word a command begins with; a Python program has none."""
    return step.command.split(maxsplit=1)[0] if step.command.strip() else step.tool


def _command(step: Step) -> str:
    command = str(step.arguments.get("command", step.arguments.get("code", step.tool)))
    return " ".join(command.split())[:100]
