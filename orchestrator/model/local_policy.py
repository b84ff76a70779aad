"""What a small model may do next: one tool, a look at its result, an answer.

Left to itself a model of this size repeats its call until it runs out of steps, and fills an empty
result with figures of its own. So what comes next is decided here, and the model fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import ToolCall

ToolUse = Literal["auto", "none", "required"]

_TRIES = 3
"""Failed calls in one turn after which it is over."""

_ASIDE = frozenset({"ask_person", "plan"})
"""Tools that tell nothing about the world: work goes on after them."""

_STEPS_AHEAD = frozenset({"plan", "skill_view", "tool_search", "call_tool"})
"""Tools that only prepare further steps, which are not taken here."""

_FINAL = ("(denied)", "(unavailable)", "(unknown)")
"""How the text of a failure begins that other arguments would not mend."""


@dataclass(frozen=True)
class Choose:
    """Call one of these tools, or answer if that is allowed."""

    tools: tuple[str, ...]
    answer: bool


@dataclass(frozen=True)
class Answer:
    """Answer in words."""


@dataclass(frozen=True)
class Say:
    """The reply itself; there is nothing for a model to add."""

    text: str


Step = Choose | Answer | Say


def next_step(messages: Sequence[BaseMessage], tools: Sequence[str], use: ToolUse) -> Step:
    """What comes after these messages, with these tools bound."""
    turn = current_turn(messages)
    results = _results(turn)
    looks = [result for result in results if result.name not in _ASIDE]
    called = {call["name"] for call in _calls(turn)}
    offered = tuple(name for name in _useful(tools) if not (name in _ASIDE and name in called))
    if use == "required" and offered:
        return Choose(offered, answer=False)
    if use == "none" or not offered or any(_is_good(result) for result in looks):
        return conclude(messages)
    if not looks:
        return Choose(offered, answer=True)
    last = looks[-1]
    if _is_empty(last) or last.text.startswith(_FINAL) or len(looks) >= _TRIES:
        return conclude(messages)
    return Choose(offered, answer=False)


def conclude(messages: Sequence[BaseMessage]) -> Answer | Say:
    """The end of the turn: an answer, or what to say where tools gave nothing to answer from."""
    looks = [result for result in _results(current_turn(messages)) if result.name not in _ASIDE]
    if not looks or any(_is_good(result) for result in looks):
        return Answer()
    last = looks[-1]
    if _is_empty(last):
        return Say(f"{last.name or 'The tool'} found nothing for this, so there is no answer.")
    return Say(f"{last.name or 'The tool'} did not succeed, so there is no answer: {last.text}")


def is_repeat(
    tool: str, arguments: Mapping[str, object] | None, messages: Sequence[BaseMessage]
) -> bool:
    """Whether the very same call was made in this turn already."""
    return any(
        (tool, arguments) == (call["name"], call["args"]) for call in _calls(current_turn(messages))
    )


def current_turn(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """What came after the request.

    A note between tool results, such as a warning, begins no new turn.
    """
    for index in range(len(messages) - 1, -1, -1):
        after_result = index > 0 and isinstance(messages[index - 1], ToolMessage)
        if isinstance(messages[index], HumanMessage) and not after_result:
            return messages[index + 1 :]
    return messages


def _useful(tools: Sequence[str]) -> Sequence[str]:
    return [name for name in tools if name not in _STEPS_AHEAD] or tools


def _results(turn: Sequence[BaseMessage]) -> Sequence[ToolMessage]:
    return [message for message in turn if isinstance(message, ToolMessage)]


def _calls(turn: Sequence[BaseMessage]) -> Sequence[ToolCall]:
    return [
        call for message in turn if isinstance(message, AIMessage) for call in message.tool_calls
    ]


def _is_empty(result: ToolMessage) -> bool:
    artifact: object = result.artifact
    marked = isinstance(artifact, dict) and bool(cast("dict[str, object]", artifact).get("empty"))
    return marked or result.text.lstrip().startswith("(empty)")


def _is_good(result: ToolMessage) -> bool:
    return result.status != "error" and not _is_empty(result)
