"""What a person means by TEAM, by a task, and by an input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.profile.schema import Team

MOST_BYTES = 200_000
"""Size of the longest task, in bytes."""


@dataclass(frozen=True)
class Target:
    """Where a team stands and who of it is meant."""

    project: Path
    team: str
    """As `Runtime.team` takes it."""
    profile: str | None = None
    folder: Path | None = None
    """The example folder, where one was named."""

    @property
    def inputs(self) -> Path | None:
        """What the members of an example get to work on."""
        return self._in_folder("inputs")

    @property
    def rehearsal(self) -> Path | None:
        return self._in_folder("rehearsal.yaml")

    def _in_folder(self, name: str) -> Path | None:
        path = (self.folder or self.project) / name
        return path if path.exists() and (self.folder or name != "inputs") else None


def find(where: str) -> Target:
    """The team behind a name, `TEAM/PROFILE`, a team's file or a folder with a `team.yaml`."""
    path = Path(where)
    if path.name == "team.yaml" and path.is_file():
        path = path.parent
    if (path / "team.yaml").is_file():
        folder = path.absolute()
        return Target(folder, str(folder / "team.yaml"), folder=folder)
    if path.is_file():
        return Target(Path.cwd(), str(path.absolute()))
    if path.is_dir() and where.startswith((".", "/", "~")):
        raise PersonError(f"the folder {where!r} has no team.yaml; name a team, or another folder")
    team, _, profile = where.rpartition("/")
    return Target(Path.cwd(), team or profile, profile if team else None)


def read_text(text: str, what: str = "task") -> str:
    """The text itself, what stands in the file behind `@FILE`, or for `-` what comes from stdin.

    Raises PersonError for what is empty, longer than 200 kB, not UTF-8, or not there.
    """
    if text == "-":
        text = _read(sys.stdin.buffer, "stdin", what)
    elif text.startswith("@") and not any(letter.isspace() for letter in text):
        try:
            with Path(text[1:]).open("rb") as file:
                text = _read(file, text[1:], what)
        except OSError as error:
            raise PersonError(
                f"cannot read {text[1:]!r}: {error.strerror}; `@` before a word names a file"
            ) from error
    if not text.strip():
        raise PersonError(f"the {what} is empty")
    try:
        _check_size(len(text.encode()), what)
    except UnicodeEncodeError as error:
        raise PersonError(f"the {what} is not UTF-8 text") from error
    return text


def _read(file: IO[bytes], name: str, what: str) -> str:
    data = file.read(MOST_BYTES + 1)
    _check_size(len(data), what)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PersonError(f"{name} is not UTF-8 text: byte {error.start} is wrong") from error


def _check_size(size: int, what: str) -> None:
    if size > MOST_BYTES:
        raise PersonError(
            f"the {what} is longer than {MOST_BYTES // 1000} kB; "
            "put it into a file and give the folder with --files"
        )


def choose_workflow(team: Team, named: str | None, task: str) -> str | None:
    """The workflow to run: the one that is named, else without a task the only one there is."""
    if named is not None:
        if named not in team.workflows:
            raise NotFoundError("workflow", named, team.workflows, f"team {team.name!r}")
        if task:
            raise PersonError("give a task or --workflow, not both; inputs go in with --input")
        return named
    if task:
        return None
    if len(team.workflows) == 1:
        return next(iter(team.workflows))
    names = ", ".join(team.workflows)
    raise PersonError(
        f"what shall {team.name!r} do? give a task"
        + (f", or --workflow with one of: {names}" if names else "")
    )


def read_inputs(pairs: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs, where `@FILE` as value stands for what is in the file."""
    inputs: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise PersonError(f"--input {pair!r} is not KEY=VALUE")
        inputs[key] = read_text(value, f"input {key!r}") if value.startswith("@") else value
    return inputs
