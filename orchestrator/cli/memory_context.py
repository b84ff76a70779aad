"""`retinue memory context`: what a member would be given from its memory, and why."""

from __future__ import annotations

from orchestrator.cli.member_memory import member_memory
from orchestrator.cli.output import Screen, one_line, print_json
from orchestrator.errors import PersonError
from orchestrator.memory import Context

_EMBED_NOW = 64
"""Messages that get vectors while a person waits; 0.02 s each."""
_MOST_CHARACTERS = 200


def context(
    *, where: str, query: str, person: str, session: str | None, tokens: int | None, as_json: bool
) -> int:
    """The parts of a prompt that come from memory, with their tokens, for a model with a window
    that has room for them; the member's next turn is not changed by it.
    """
    if tokens is not None and tokens < 1:
        raise PersonError(f"--tokens {tokens} leaves no room; give a number above 0")
    with member_memory(where) as member:
        member.read_new()
        member.past.embed_missing(_EMBED_NOW)
        memory, config = member.prompts, member.config
        given = memory.for_turn(
            person=person,
            session=session or "",
            query=query,
            most=config.context_tokens if tokens is None else tokens,
            refresh_turns=config.refresh_turns,
            keep=False,
        )
        title = memory.summaries.title(session) if session else ""
    if as_json:
        print_json({"person": person, "session": session, "title": title, **given.to_dict()})
        return 0
    with Screen() as screen:
        if title:
            screen.line(title, "strong")
        _show(given, screen)
    return 0


def _show(given: Context, screen: Screen) -> None:
    screen.line(f"{given.tokens} of {given.most} tokens", "strong")
    for part in given.parts:
        if not part.items:
            continue
        screen.line(f"{part.name}: {part.tokens} of {part.share} tokens", "good")
        for item in part.items:
            screen.line(f"  {one_line(item.text, _MOST_CHARACTERS)}")
            screen.line(f"    {item.ref}, {item.tokens} tokens: {item.why}", "quiet")
    if not given.tokens:
        screen.line("nothing is known that fits")
