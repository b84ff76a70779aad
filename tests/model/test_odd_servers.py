"""Servers that take the wire format lightly, as some popular ones do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from orchestrator.model import Usage
from tests.model.peers import ANTHROPIC, CHAT, RESPONSES, WEATHER, Peer, Wire, serving
from tests.model.servers import Answer, OpenAIDouble, Request, ToolUse

SAID = [HumanMessage("How is the weather?")]
CALLS = (
    ToolUse("weather", '{"place": "Oslo"}', id="call_a"),
    ToolUse("weather", '{"place": "Rome"}', id="call_b"),
)
BOTH = [
    ("weather", {"place": "Oslo"}),
    ("weather", {"place": "Rome"}),
]


class _Sloppy(OpenAIDouble):
    def _events(self, request: Request, answer: Answer) -> Sequence[bytes] | None:
        return [self._spoilt(event) for event in super()._events(request, answer) or ()]

    def _spoilt(self, event: bytes) -> bytes:
        text = event.decode().removeprefix("data: ").strip()
        if text == "[DONE]":
            return event
        chunk = json.loads(text)
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", ()):
                self.spoil_call(call)
        self.spoil(chunk)
        return f"data: {json.dumps(chunk)}\n\n".encode()

    def spoil(self, chunk: dict[str, Any]) -> None: ...

    def spoil_call(self, call: dict[str, Any]) -> None: ...


class SameIndex(_Sloppy):
    """Gives every call the same index."""

    def spoil_call(self, call: dict[str, Any]) -> None:
        call["index"] = 0


class NoIndex(_Sloppy):
    def spoil_call(self, call: dict[str, Any]) -> None:
        del call["index"]


class RepeatedName(_Sloppy):
    """Says the name and the id again with each piece."""

    def spoil_call(self, call: dict[str, Any]) -> None:
        call["id"] = f"call_{'ab'[call['index']]}"
        call["function"]["name"] = "weather"


class RunningCount(_Sloppy):
    """Counts tokens anew in each chunk."""

    def spoil(self, chunk: dict[str, Any]) -> None:
        self.count = getattr(self, "count", 0) + 1
        total = {"prompt_tokens": 20, "completion_tokens": self.count}
        chunk["usage"] = total | {"total_tokens": 20 + self.count}


async def _ask(double: type[OpenAIDouble], answer: Answer) -> tuple[Any, Peer]:
    async with serving(Wire("custom/x", double, "CUSTOM"), answer) as peer:
        return await peer.model.bind([WEATHER]).call(SAID, on_delta=peer.deltas.append), peer


@pytest.mark.parametrize("double", [OpenAIDouble, SameIndex, NoIndex, RepeatedName])
async def test_parallel_calls_are_told_apart(double: type[OpenAIDouble]) -> None:
    reply, _ = await _ask(double, Answer(calls=CALLS))
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == BOTH
    assert [call["id"] for call in reply.tool_calls] == ["call_a", "call_b"]


async def test_tokens_counted_anew_in_each_chunk_are_not_added_up() -> None:
    reply, _ = await _ask(RunningCount, Answer("It rains in Oslo."))
    assert reply.usage == Usage(input=20, output=6)


class NullCall(_Sloppy):
    """Leaves the id out altogether."""

    def spoil_call(self, call: dict[str, Any]) -> None:
        call.pop("id", None)


async def test_a_call_without_an_id_gets_one() -> None:
    reply, _ = await _ask(NullCall, Answer(calls=CALLS))
    first, second = (call["id"] for call in reply.tool_calls)
    assert first
    assert second
    assert first != second


@pytest.mark.parametrize("wire", [CHAT, RESPONSES, ANTHROPIC], ids=lambda wire: wire.spec)
async def test_characters_cut_in_two_are_joined_and_lone_halves_replaced(wire: Wire) -> None:
    call = ToolUse("weather", r'{"place": "Oslo \ud800"}', id="call_a")
    async with serving(wire, Answer("abcdef\ud83d\ude00 \ud800.", calls=[call])) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    assert reply.message.text == "abcdef\U0001f600 \ufffd."
    assert reply.message.tool_calls[0]["args"] == {"place": "Oslo \ufffd"}
    reply.message.model_dump_json().encode()


async def test_arguments_nested_beyond_measure_are_no_arguments() -> None:
    deep = ToolUse("weather", '{"place": ' + "[" * 100_000 + "]" * 100_000 + "}", id="call_a")
    async with serving(CHAT, Answer(calls=[deep])) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    assert reply.message.tool_calls == []
    assert len(reply.message.invalid_tool_calls) == 1
