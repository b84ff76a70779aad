"""Keeping a long conversation inside the model's window without losing what matters."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

PINNED = frozenset({"ask_person"})
"""Tools whose results hold a person's decision."""

DECIDED = "decided"
"""Key in a message's `additional_kwargs`: it holds a person's word or decision."""

_CHARS_PER_TOKEN = 4
_SHARE = 0.7
"""Part of the window that may be filled before older turns are shortened."""
_KEEP = 0.3
"""Part of the window the last turns may keep."""
_DIGEST = 0.15
_LINE = 240


def estimate(messages: Sequence[BaseMessage]) -> int:
    """Tokens, by length; providers report the true number afterwards."""
    size = sum(
        len(message.text) + sum(len(str(call["args"])) for call in _calls(message)) + 16
        for message in messages
    )
    return size // _CHARS_PER_TOKEN


class Compressor:
    """Shortens the middle of one conversation, in jumps so that the prefix stays cacheable.

    The first `head` messages (up to the brief) and the last turns stay as they are. What lies
    between becomes one message: a line for each step, and in full what a person decided and
    the latest plan.
    """

    def __init__(self, window: int, head: int) -> None:
        self._window = window
        self._head = head
        self._cut = head

    def shorten(self, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
        """What to send; the same list as long as it fits."""
        if estimate(self._view(messages)) > self._window * _SHARE:
            self._cut = self._find_cut(messages)
        return self._view(messages)

    def _view(self, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
        if self._cut == self._head:
            return messages
        digest = _digest(messages[self._head : self._cut], int(self._window * _DIGEST))
        return [*messages[: self._head], HumanMessage(digest), *messages[self._cut :]]

    def _find_cut(self, messages: Sequence[BaseMessage]) -> int:
        """The latest start of a turn from which on everything fits into the share to keep."""
        starts = [
            index
            for index in range(self._head, len(messages))
            if isinstance(messages[index], AIMessage)
        ]
        for start in starts:
            if start > self._cut and estimate(messages[start:]) <= self._window * _KEEP:
                return start
        return starts[-1] if starts else self._cut


def _digest(messages: Sequence[BaseMessage], budget: int) -> str:
    names = {str(call["id"]): call for message in messages for call in _calls(message)}
    lines: list[str] = []
    decisions: list[str] = []
    plan = ""
    for message in messages:
        if isinstance(message, ToolMessage):
            call = names.get(message.tool_call_id)
            name = call["name"] if call else "tool"
            arguments = str(call["args"]) if call else ""
            if name in PINNED:
                decisions.append(f"{arguments} -> {message.text}")
            elif name == "plan":
                plan = message.text
            elif message.additional_kwargs.get(DECIDED):
                decisions.append(f"{name}({_short(arguments)}) -> {_short(message.text)}")
            else:
                lines.append(f"{name}({_short(arguments)}) -> {_short(message.text)}")
        elif isinstance(message, AIMessage) and message.text.strip():
            lines.append(f"you: {_short(message.text)}")
        elif message.additional_kwargs.get(DECIDED):
            decisions.append(message.text)
    room = budget * _CHARS_PER_TOKEN
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 3
        if room < 0:
            kept.append(f"({len(lines) - len(kept)} earlier steps left out)")
            break
        kept.append(line)
    parts = ["Your earlier work on this, shortened:", *(f"- {line}" for line in reversed(kept))]
    if decisions:
        parts += ["Said and decided by the person:", *(f"- {line}" for line in decisions)]
    if plan:
        parts += ["Your plan:", plan]
    return "\n".join(parts)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _calls(message: BaseMessage) -> Sequence[dict[str, object]]:
    return [dict(call) for call in message.tool_calls] if isinstance(message, AIMessage) else ()
