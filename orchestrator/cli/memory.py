"""`retinue memory …`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.cli.member_memory import member_memory
from orchestrator.cli.output import Screen, columns, counted, one_line, print_json
from orchestrator.cli.places import cache
from orchestrator.database import Database
from orchestrator.index import Embedder
from orchestrator.memory import ConversationSearch, Found, Message, Scope, moment
from orchestrator.memory.evaluate import (
    Conversation,
    Quality,
    Recalled,
    ask,
    qualities,
    quality,
    read_conversations,
    store,
)

_EMBED_NOW = 64
"""Messages that get vectors while a person waits; 0.02 s each."""
_MOST_CHARACTERS = 300


def search(
    *,
    where: str,
    query: str,
    person: str | None,
    session: str | None,
    since: str | None,
    until: str | None,
    tools: bool,
    as_json: bool,
) -> int:
    """What was said that fits a request, and why."""
    scope = Scope(
        person,
        session,
        moment(since) if since is not None else None,
        moment(until, end=True) if until is not None else None,
    )
    with member_memory(where) as member:
        past = member.past
        past.embed_missing(_EMBED_NOW)
        hits = [hit for hit in past.search(query, scope, tools=tools) if hit.fits]
        rows = [_row(hit, *past.conversations.around(hit.message)) for hit in hits]
        waiting = past.index.missing()
    if as_json:
        print_json(rows)
        return 0
    with Screen() as screen:
        if waiting:
            alone = counted(waiting, "message is", "messages are")
            screen.line(f"{alone} searched by words alone: retinue memory reindex {where}", "quiet")
        for hit in hits:
            found = hit.message
            meaning = "-" if hit.vector is None else f"{hit.vector:.2f}"
            why = f"score {hit.score:.2f}, words {hit.words:.2f}, meaning {meaning}"
            screen.line(
                f"m{found.id}  {found.at:%Y-%m-%d %H:%M}  {found.peer}  ({why}; session "
                f"{found.session})",
                "strong",
            )
            screen.line(f"  {one_line(found.text, _MOST_CHARACTERS)}")
        if not hits:
            screen.line("nothing found")
    return 0


def reindex(*, where: str, as_json: bool) -> int:
    """Build the member's index of messages and of conclusions anew, words first."""
    with member_memory(where) as member, Screen(sys.stderr) as screen:
        past, conclusions = member.past, member.people.conclusions_store
        past.index.rebuild()
        conclusions.rebuild()
        done = _embed_all(past, screen)
        conclusions.embed_missing()
        total, waiting = len(past.index), past.index.missing()
    if as_json:
        print_json({"messages": total, "vectors": done, "without_vector": waiting})
    else:
        with Screen() as screen:
            indexed = counted(total, "message is", "messages are")
            screen.line(f"{indexed} indexed, {done} of them anew by meaning", "good")
            if waiting:
                alone = counted(waiting, "is", "are")
                screen.line(f"{alone} found by words alone: there is no embedder", "ask")
    return 0


def evaluate(*, conversations: str, as_json: bool) -> int:
    """How much of the evidence is found, one index for each conversation."""
    file = Path(conversations).expanduser()
    found: list[Recalled] = []
    given = read_conversations(file)
    with Screen(sys.stderr) as screen:
        for number, conversation in enumerate(given, 1):
            screen.line(f"conversation {number} of {len(given)}", "quiet")
            some, strange = _ask(conversation, screen)
            found += some
            for turn in dict.fromkeys(strange):
                screen.line(f"conversation {number} has no turn {turn!r}", "ask")
    categories, overall = qualities(found), quality(found)
    if as_json:
        print_json(
            {
                **asdict(overall),
                "conversations": len(given),
                "asked": sum(len(each.questions) for each in given),
                "categories": {name: asdict(each) for name, each in categories.items()},
            }
        )
        return 0
    with Screen() as screen:
        for line in columns(_table({**categories, "all": overall})):
            screen.line(line)
    return 0


def _ask(conversation: Conversation, screen: Screen) -> tuple[Sequence[Recalled], Sequence[str]]:
    """The conversation's index is kept for the next time."""
    folder = cache() / "memory-eval"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(Database(folder / f"{conversation.digest}.db")) as database:
        past = ConversationSearch(database, Embedder().embed)
        known = store(database, conversation)
        _embed_all(past, screen)
        if past.index.missing():
            screen.line("words alone are evaluated: there is no embedder", "ask")
        return ask(past, conversation, known)


def _table(rows: Mapping[str, Quality]) -> Sequence[Sequence[str]]:
    table = [("CATEGORY", "QUESTIONS", "R@5", "R@10")]
    table += [
        (name, str(each.questions), f"{each.recall_at_5:.3f}", f"{each.recall_at_10:.3f}")
        for name, each in rows.items()
    ]
    return table


def _embed_all(past: ConversationSearch, screen: Screen) -> int:
    total, done = past.index.missing(), 0
    while made := past.embed_missing(_EMBED_NOW):
        done += made
        screen.busy(f"{done} of {total} messages by meaning")
    screen.busy("")
    return done


def _row(hit: Found, before: Sequence[Message], after: Sequence[Message]) -> Mapping[str, Any]:
    return {
        **_message(hit.message),
        "score": hit.score,
        "words": hit.words,
        "meaning": hit.vector,
        "before": [_message(each) for each in before],
        "after": [_message(each) for each in after],
    }


def _message(message: Message) -> Mapping[str, Any]:
    return {
        "id": message.id,
        "at": message.at.isoformat(),
        "speaker": message.peer,
        "kind": message.kind,
        "session": message.session,
        "run": message.run,
        "text": message.text,
    }
