"""Every error of Retinue, sorted by who can act on it.

RetinueError
├── PersonError              the person can mend it; shown without a traceback, exit code 2
│   ├── ConfigError          problems in files a person wrote, all of them at once
│   ├── NotFoundError        a name that leads nowhere, with the nearest names
│   ├── MissingExtraError    an optional dependency is not installed
│   ├── HomeError            the home cannot be used as it is
│   ├── ModelRefusedError    the provider refuses for good: bad key, no credit, no such model
│   └── RunBusyError         another process is working on this run
├── ToolRetry                the model may try again with other arguments
├── ToolFailed               the tool cannot do it; the model goes on without
├── Unavailable              nobody can act right now; never dressed up as a command's output
│   ├── SandboxUnavailable
│   └── ModelUnavailable
└── RunStopped               a limit or a person decides; the work done so far is kept
    ├── LimitReached
    ├── PersonNeeded
    └── RunCancelled
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


class RetinueError(Exception):
    """Base of every error raised on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file a person wrote."""

    file: str
    line: int | None
    """1-based; None where the file as a whole is meant."""
    key: str
    """Dotted path such as `members.0.tools`; empty for the whole file."""
    problem: str
    hint: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f" {self.key}:" if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}:{key} {self.problem}{hint}"

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


class PersonError(RetinueError):
    """The person who runs Retinue can mend this."""


class ConfigError(PersonError):
    """Files a person wrote are wrong; carries every problem found, not the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFoundError(PersonError):
    """A name leads nowhere."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), hint: str = "") -> None:
        self.kind, self.name = kind, name
        self.near = nearest(name, known)
        told = f"no {kind} {name!r}"
        if self.near:
            told += f"; did you mean {' or '.join(map(repr, self.near))}?"
        if hint:
            told += f" ({hint})" if self.near else f"; {hint}"
        super().__init__(told)


class MissingExtraError(PersonError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra package: pip install 'retinue[{extra}]'")


class HomeError(PersonError):
    """The home directory cannot be used as it is."""


class ModelRefusedError(PersonError):
    """The provider refuses for good; a retry would be refused too."""


class RunBusyError(PersonError):
    """Another live process is working on this run."""

    def __init__(self, run: str, pid: int) -> None:
        self.run, self.pid = run, pid
        super().__init__(f"run {run} is being worked on by process {pid}; wait for it or cancel it")


class ToolRetry(RetinueError):
    """The call was wrong; the model may try again with other arguments."""


class ToolFailed(RetinueError):
    """The tool cannot do what was asked; the model goes on without it."""


class Unavailable(RetinueError):
    """A part we depend on is down."""


class SandboxUnavailable(Unavailable):
    """The sandbox cannot run commands."""


class ModelUnavailable(Unavailable):
    """No model of the chain answers, after all retries."""


class RunStopped(RetinueError):
    """The run ends here in a named state, with its work kept."""


class LimitReached(RunStopped):
    """A limit of the run or the member is used up."""

    def __init__(self, limit: str, message: str) -> None:
        self.limit = limit
        super().__init__(message)


class RunCancelled(RunStopped):
    """A person cancelled the run."""


@dataclass(frozen=True)
class Question:
    """What a person must answer before a run can go on."""

    id: str
    """Stable over a resume: the journal key of the step that asks."""
    profile: str
    text: str
    kind: str
    """`question` (free text), `approval` (approve or deny) or `unknown` (a tool's outcome is
    unknown).
    """
    options: tuple[str, ...] = ()


class PersonNeeded(RunStopped):
    """One or more questions stand open; the run waits."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)
        super().__init__("; ".join(question.text for question in self.questions))


def nearest(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known names that look most like `name`, best first."""
    return tuple(difflib.get_close_matches(name, list(known), n=most, cutoff=0.6))
