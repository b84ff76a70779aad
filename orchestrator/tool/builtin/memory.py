"""What a member does with its memory: look up what was said before."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from orchestrator.errors import PersonError, ToolFailed, ToolRetry
from orchestrator.index import content_words
from orchestrator.memory import ConversationSearch, Message, Scope, moment
from orchestrator.memory.quoting import HEAD, passage
from orchestrator.tool.base import Arguments, ToolContext, ToolResult

_MOST = 5
_CHARACTERS = 800
"""Of a message that was found."""
_AROUND_CHARACTERS = 200
"""Of the message before it and the one after."""


class RecallArguments(Arguments):
    query: str = Field(min_length=1)
    person: str | None = None
    session: str | None = None
    since: str | None = Field(None, description="2026-03-01")
    until: str | None = None
    tool_results: bool = False


class Recall:
    """Finds what was said in earlier runs, to this member or by it."""

    name: ClassVar[str] = "recall"
    description: ClassVar[str] = (
        "Search your past conversations: what was said, by whom, when. `person`, `session`, "
        "`since`, `until` narrow it; `tool_results` looks into what tools gave back, too."
    )
    arguments: ClassVar[type[Arguments]] = RecallArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: RecallArguments, context: ToolContext) -> ToolResult:
        if context.conversations is None:
            raise ToolFailed("this member has no conversations to look at")
        scope = Scope(
            arguments.person,
            arguments.session,
            _time(arguments.since),
            _time(arguments.until, end=True),
            without_run=context.run,
        )
        return await asyncio.to_thread(_recall, context.conversations, arguments, scope)


def _recall(past: ConversationSearch, arguments: RecallArguments, scope: Scope) -> ToolResult:
    query = arguments.query
    hits = [
        hit
        for hit in past.search(query, scope, most=_MOST, tools=arguments.tool_results)
        if hit.fits
    ]
    if not hits:
        return ToolResult(f"(empty) no past conversation fits {query!r}", empty=True)
    words = content_words(query)
    shown: set[int] = {hit.message.id for hit in hits}
    parts = [HEAD]
    for hit in hits:
        before, after = past.conversations.around(hit.message)
        around = [each for each in (*before, *after) if _is_new(each, shown, scope)]
        shown.update(each.id for each in around)
        parts.append(passage(hit.message, around, words, _CHARACTERS, _AROUND_CHARACTERS))
    return ToolResult("\n\n".join(parts), {"messages": [hit.message.id for hit in hits]})


def _is_new(message: Message, shown: set[int], scope: Scope) -> bool:
    return message.id not in shown and message.run != scope.without_run


def _time(text: str | None, *, end: bool = False) -> datetime | None:
    try:
        return moment(text, end=end) if text else None
    except PersonError as error:
        raise ToolRetry(str(error)) from error
