"""What the wire formats have in common."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, cast

import httpx2
from langchain_core.messages import AIMessage, BaseMessage


@cache
def trust() -> ssl.SSLContext:
    """The certificates every client trusts; loading them takes 30 ms, so once."""
    return httpx2.create_ssl_context()


def root_cause(error: BaseException) -> BaseException:
    """What an SDK has wrapped, often more than once."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def only_blocks(messages: Sequence[BaseMessage], kinds: Collection[str]) -> list[BaseMessage]:
    """The messages, the model's own without the content blocks that only another provider knows.

    A conversation may have begun with a fallback of another make.
    """
    return [_only(message, kinds) for message in messages]


def _only(message: BaseMessage, kinds: Collection[str]) -> BaseMessage:
    if not isinstance(message, AIMessage) or isinstance(message.content, str):
        return message
    blocks = cast("list[str | dict[str, Any]]", message.content)
    kept = [block for block in blocks if isinstance(block, str) or block.get("type") in kinds]
    if all(isinstance(block, str) or block.get("type") == "text" for block in kept):
        return message.model_copy(update={"content": message.text})
    return message.model_copy(update={"content": kept})
