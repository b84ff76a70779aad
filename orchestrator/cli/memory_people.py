"""`retinue memory card`, `conclusions`, `link`, `observe` and `status`: what a member knows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.cli.member_memory import member_memory
from orchestrator.cli.output import Screen, one_line, print_json
from orchestrator.errors import PersonError
from orchestrator.memory import Conclusion
from orchestrator.memory.peers import Peers

_EMBED_NOW = 32
"""Conclusions that get vectors while a person waits; 0.02 s each."""


def card(*, where: str, person: str, as_json: bool) -> int:
    """What a member knows of a person, what the rules can read of new messages included."""
    with member_memory(where) as member:
        member.read_new()
        people = member.people
        lines = people.card_now(person)
        names = people.conclusions_store.peers.names(person)
    if as_json:
        print_json({"person": names[0], "names": names, "card": lines})
        return 0
    with Screen() as screen:
        if len(names) > 1:
            screen.line(f"{names[0]}, also {', '.join(names[1:])}", "strong")
        for line in lines:
            screen.line(line)
        if not lines:
            screen.line(f"nothing is known of {person!r}")
    return 0


def conclusions(
    *,
    where: str,
    query: str | None,
    person: str | None,
    observer: str | None,
    history: bool,
    as_json: bool,
) -> int:
    """What a member believes, and why."""
    with member_memory(where) as member:
        member.read_new()
        people = member.people
        people.conclusions_store.embed_missing(_EMBED_NOW)
        found = asyncio.run(
            people.conclusions(person, observer=observer, query=query, history=history)
        )
    if as_json:
        print_json([conclusion_json(each) for each in found])
        return 0
    with Screen() as screen:
        for each in found:
            screen.line(_headline(each), "strong" if each.valid else "quiet")
            screen.line(f"  {one_line(each.text, 300)}")
        if not found:
            screen.line("nothing found")
    return 0


def link(*, where: str, names: Sequence[str], remove: bool, as_json: bool) -> int:
    """Join names of one person, part them, or list what is joined."""
    with member_memory(where) as member:
        peers = member.people.conclusions_store.peers
        if remove:
            _part(peers, names, where)
        elif len(names) == 1:
            raise PersonError(f"{names[0]!r} alone is linked to nothing; give two names or more")
        elif names:
            member.people.link_now(names[1:], names[0])
        links = peers.links()
    if as_json:
        print_json([{"name": alias, "person": peer} for alias, peer in links.items()])
        return 0
    with Screen() as screen:
        for alias, peer in links.items():
            screen.line(f"{alias} is {peer}")
        if not links:
            screen.line("no names are linked")
    return 0


def observe(*, where: str, names: Sequence[str], off: bool, as_json: bool) -> int:
    """Keep no conclusions about somebody from now on, or begin again, or list of whom."""
    with member_memory(where) as member:
        peers = member.people.conclusions_store.peers
        if off and not names:
            raise PersonError("name whom it shall not observe: --off NAME …")
        for name in names:
            peers.observe(name, on=not off)
        unobserved = peers.unobserved()
    if as_json:
        print_json({"unobserved": unobserved})
        return 0
    with Screen() as screen:
        for peer in unobserved:
            screen.line(
                f"{peer} is not observed; what was known before stays until it is forgotten"
            )
        if not unobserved:
            screen.line("everybody is observed")
    return 0


def _part(peers: Peers, names: Sequence[str], where: str) -> None:
    """Let each of the names stand for itself again, all or none; beside a name may stand the one
    that it was linked to.
    """
    if not names:
        raise PersonError("name what is no longer linked: --remove NAME …")
    linked = peers.links()
    given = {linked[name] for name in names if name in linked}
    if strange := [name for name in names if name not in linked and name not in given]:
        if strange[0] in linked.values():
            raise PersonError(
                f"{strange[0]!r} is the name that others are linked to; name those; "
                f"see: retinue memory link {where}"
            )
        raise PersonError(
            f"{', '.join(map(repr, strange))} is linked to nothing; "
            f"see: retinue memory link {where}"
        )
    for name in names:
        peers.unlink(name)


def status(*, where: str, as_json: bool) -> int:
    """What waits to be understood, and how much there is."""
    with member_memory(where) as member:
        people = member.people
        queue = people.derivation.status()
        counts = people.conclusions_store.counts()
    if as_json:
        print_json({"queue": asdict(queue), "conclusions": counts})
        return 0
    with Screen() as screen:
        total = ", ".join(f"{number} {level}" for level, number in counts.items()) or "none"
        screen.line(f"conclusions: {total}")
        screen.line(f"messages not read yet: {queue.unread}")
        screen.line(f"waiting for a model: {queue.pending}, about {queue.pending_tokens} tokens")
        if queue.working:
            screen.line(f"being read by a model: {queue.working}")
        if queue.failed:
            screen.line(
                f"given up: {queue.failed} ({queue.error}); try again with "
                f"retinue memory derive {where} --retry",
                "bad",
            )
    return 0


def conclusion_json(conclusion: Conclusion) -> Mapping[str, Any]:
    until = conclusion.invalidated_at
    return {
        **asdict(conclusion),
        "valid_from": conclusion.valid_from.isoformat(),
        "last_said": conclusion.last_said.isoformat(),
        "invalidated_at": None if until is None else until.isoformat(),
    }


def _headline(each: Conclusion) -> str:
    """`c12  2026-03-01  explicit identity, by rule, said 2 times (messages 3, 9)`."""
    since = f"{each.valid_from:%Y-%m-%d}"
    if each.invalidated_at is not None:
        since += f" to {each.invalidated_at:%Y-%m-%d}"
    parts = [f"{each.level} {each.kind}", f"by {each.by}"]
    if each.times > 1:
        parts.append(f"said {each.times} times")
    if each.replaced_by is not None:
        parts.append(f"replaced by c{each.replaced_by}")
    for title, numbers in (("messages", each.sources), ("from conclusions", each.premises)):
        if numbers:
            parts.append(f"{title} {', '.join(map(str, numbers[:5]))}")
    return f"c{each.id}  {since}  {each.observer} on {each.observed}: {', '.join(parts)}"
