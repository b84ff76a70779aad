"""Which calls of one reply get into each other's way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Footprint:
    """The files a call reads or changes."""

    paths: Sequence[str]
    """In normal form; `.` is the whole folder."""
    changes: bool

    @property
    def is_command(self) -> bool:
        return self.changes and "." in self.paths

    def clashes(self, other: Footprint) -> bool:
        """Whether it matters which of the two comes first. Two commands, which may change anything,
        are taken to mean different things.
        """
        if self.is_command and other.is_command:
            return False
        return (self.changes or other.changes) and any(
            _overlap(mine, theirs) for mine in self.paths for theirs in other.paths
        )


def _overlap(one: str, other: str) -> bool:
    """Whether they are the same, or one lies in the other."""
    return "." in (one, other) or f"{one}/".startswith(f"{other}/") or other.startswith(f"{one}/")
