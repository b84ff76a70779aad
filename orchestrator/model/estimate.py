"""Tokens, estimated without a tokenizer: for meters and limits, never for a price that is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

_BYTES_PER_TOKEN = 4
"""Of UTF-8; about right for English."""


def tokens_of_bytes(count: int) -> int:
    return -(-count // _BYTES_PER_TOKEN)


def tokens_of_messages(messages: Sequence[BaseMessage]) -> int:
    return tokens_of_bytes(sum(_bytes(message) for message in messages))


def _bytes(message: BaseMessage) -> int:
    content = message.content
    text = content if isinstance(content, str) else json.dumps(content, default=str)
    calls = getattr(message, "tool_calls", ())
    return len(text.encode()) + sum(len(str(call["args"])) for call in calls)
