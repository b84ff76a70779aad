"""The life of a skill's version: where it may go from where, and who may send it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from orchestrator.errors import PersonError

State = Literal["candidate", "trial", "trusted", "suspect", "archived", "quarantined"]

PERSON = "person"
"""Who, when a person decides."""

SERVING: frozenset[State] = frozenset({"trial", "trusted"})
"""States in which a version may be given to a model."""

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "candidate": frozenset({"trial", "archived", "quarantined"}),
    "trial": frozenset({"trusted", "suspect", "archived", "quarantined"}),
    "trusted": frozenset({"suspect", "archived", "quarantined"}),
    "suspect": frozenset({"trial", "archived", "quarantined"}),
    "archived": frozenset({"quarantined"}),
    "quarantined": frozenset({"archived"}),
}

BY_PERSON: Mapping[State, frozenset[State]] = {
    "candidate": frozenset({"trusted"}),
    "trial": frozenset(),
    "trusted": frozenset(),
    "suspect": frozenset({"trusted"}),
    "archived": frozenset({"candidate"}),
    "quarantined": frozenset({"candidate"}),
}
"""What only a person may do, whose word is evidence."""

NEXT: Mapping[State, State] = {
    "candidate": "trial",
    "trial": "trusted",
    "suspect": "trial",
    "archived": "candidate",
}
"""One step up."""


def check(label: str, state: State, to: State, who: str) -> None:
    """Raises PersonError when the version may not go there."""
    allowed = TRANSITIONS[state]
    if who == PERSON:
        allowed |= BY_PERSON[state]
    if to not in allowed:
        ways = ", ".join(sorted(allowed)) or "nowhere"
        raise PersonError(
            f"{label} is {state} and cannot become {to}; from there it goes to: {ways}"
        )
