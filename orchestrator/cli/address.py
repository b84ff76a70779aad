"""Whom a typed message is for: `@name …`, `name: …` or `name, …` at its beginning."""

from __future__ import annotations

import re
from typing import NamedTuple

from orchestrator.errors import NotFoundError
from orchestrator.profile.schema import Team

SUPERVISOR = "supervisor"

_AT = re.compile(r"@([\w-]+)[:,]?(?:\s+|$)")
_NAME = re.compile(r"([\w-]+)[:,]\s+")


class Addressed(NamedTuple):
    target: str | None
    """Profile name; None: the supervisor."""
    text: str


def addressed(team: Team, text: str, default: str | None = None) -> Addressed:
    """The message without the name at its beginning, and the member of that name.

    Raises NotFoundError for `@name` or a `default` that nobody has; `word:` is an address only when
    it is someone's name, since people write such words.
    """
    if match := _AT.match(text):
        return Addressed(member(team, match[1]), text[match.end() :])
    if (match := _NAME.match(text)) and match[1].lower() in _names(team):
        return Addressed(member(team, match[1]), text[match.end() :])
    return Addressed(member(team, default) if default is not None else None, text)


def member(team: Team, name: str) -> str | None:
    """The profile of that name or alias; None for the supervisor, who also goes by the team's
    name.
    """
    lower = name.lower()
    if found := team.member(lower):
        return found.profile
    if lower in (SUPERVISOR, team.name):
        return None
    raise NotFoundError(f"member of team {team.name!r} named", name, _names(team))


def _names(team: Team) -> list[str]:
    names = [SUPERVISOR, team.name]
    for each in team.members:
        names += [each.profile, *each.aliases]
    return names
