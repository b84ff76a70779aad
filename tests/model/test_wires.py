"""What differs between the wire formats: requests, reasoning, usage, odd replies."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from orchestrator.model import Usage
from orchestrator.model.openai_wire import merge_details
from tests.model.peers import ANTHROPIC, CHAT, COMPATIBLE, RESPONSES, WEATHER, WIRES, Wire, serving
from tests.model.servers import Answer, OpenAIDouble, ToolUse

SAID = [SystemMessage("You are brief."), HumanMessage("How is the weather?")]
OSLO = ToolUse("weather", '{"place": "Oslo"}', id="call_a")

every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


@every_wire
async def test_usage_is_what_the_server_counted(wire: Wire) -> None:
    answer = Answer("Yes.", input_tokens=1000, output_tokens=50, cached_tokens=600)
    async with serving(wire, answer) as peer:
        reply = await peer.model.bind(()).call(SAID)
    assert reply.usage == Usage(input=1000, output=50, cached=600)


@every_wire
async def test_usage_is_estimated_when_the_server_counts_nothing(wire: Wire) -> None:
    answer = Answer("Yes, it does rain in Oslo today.", usage=False)
    async with serving(wire, answer) as peer:
        reply = await peer.model.bind(()).call(SAID)
    assert 0 < reply.usage.input < 30
    assert 0 < reply.usage.output < 30


async def test_the_price_is_taken_from_the_table() -> None:
    answer = Answer("Yes.", input_tokens=1_000_000, output_tokens=100_000, cached_tokens=0)
    async with serving(CHAT, answer) as peer:
        reply = await peer.model.bind(()).call(SAID)
    assert reply.cost_usd == Decimal("0.56")  # 0.40 in, 1.60 out a million


@pytest.mark.parametrize("wire", [COMPATIBLE, RESPONSES, ANTHROPIC], ids=["chat", "resp", "anth"])
async def test_reasoning_streams_apart_from_the_text(wire: Wire) -> None:
    answer = Answer("It rains.", reasoning="Oslo is wet in autumn.")
    async with serving(wire, answer) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID, on_delta=peer.deltas.append)
    assert "".join(delta.reasoning for delta in peer.deltas) == "Oslo is wet in autumn."
    assert peer.streamed == "It rains."
    assert reply.text == "It rains."


@every_wire
async def test_arguments_that_are_not_json_are_kept_apart(wire: Wire) -> None:
    calls = (ToolUse("weather", '{"place": "Os', id="call_a"), ToolUse("weather", '["Rome"]'))
    async with serving(wire, Answer(calls=calls)) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    assert reply.tool_calls == []
    invalid = reply.message.invalid_tool_calls
    assert [call["args"] for call in invalid] == ['{"place": "Os', '["Rome"]']
    assert invalid[0]["id"] == "call_a"


@every_wire
async def test_a_call_cut_off_by_the_token_limit_is_never_run_with_half_its_arguments(
    wire: Wire,
) -> None:
    half = ToolUse("write", '{"path": "a.txt", "text": "first half')
    async with serving(wire, Answer(calls=(half,), stops="length")) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    assert reply.tool_calls == []
    assert len(reply.message.invalid_tool_calls) == 1


@every_wire
async def test_an_empty_answer_is_returned_as_it_is(wire: Wire) -> None:
    async with serving(wire, Answer()) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    assert reply.text == ""
    assert reply.tool_calls == []
    assert reply.attempts == 1


@every_wire
async def test_a_conversation_with_an_invalid_call_is_accepted_again(wire: Wire) -> None:
    broken = ToolUse("weather", '{"place": ', id="call_x")
    async with serving(wire, [Answer(calls=(broken,)), Answer("Sorry.")]) as peer:
        bound = peer.model.bind([WEATHER])
        reply = await bound.call(SAID)
        told = ToolMessage("not JSON", tool_call_id="call_x", status="error")
        last = await bound.call([*SAID, reply.message, told])
    assert last.text == "Sorry."
    assert "call_x" in str(peer.double.posts[1].body)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (CHAT, {"auto": None, "required": "required", "none": "none"}),
        (RESPONSES, {"auto": None, "required": "required", "none": "none"}),
        (ANTHROPIC, {"auto": None, "required": {"type": "auto"}, "none": {"type": "none"}}),
    ],
    ids=["chat", "responses", "anthropic"],
)
async def test_tool_choice_is_said_in_the_providers_words(wire: Wire, words: Any) -> None:
    async with serving(wire, Answer("Yes.")) as peer:
        bound = peer.model.bind([WEATHER])
        await bound.call(SAID)
        await bound.call(SAID, tool_choice="required")
        await bound.call(SAID, tool_choice="none")
    sent = [post.body.get("tool_choice") for post in peer.double.posts]
    assert sent == [words["auto"], words["required"], words["none"]]
    assert all(post.body["tools"] for post in peer.double.posts)


async def test_an_older_claude_is_forced_to_call_a_tool() -> None:
    wire = Wire("anthropic/claude-haiku-4-5", ANTHROPIC.double, "ANTHROPIC")
    async with serving(wire, Answer("Yes.")) as peer:
        await peer.model.bind([WEATHER]).call(SAID, tool_choice="required")
    assert peer.double.posts[0].body["tool_choice"] == {"type": "any"}


async def test_newer_openai_models_are_asked_on_the_responses_api() -> None:
    async with serving(RESPONSES, Answer("Yes.")) as peer:
        await peer.model.bind(()).call(SAID)
    assert peer.double.posts[0].path == "/v1/responses"
    async with serving(CHAT, Answer("Yes.")) as peer:
        await peer.model.bind(()).call(SAID)
    assert peer.double.posts[0].path == "/v1/chat/completions"


async def test_claude_is_told_to_cache_the_prompt() -> None:
    async with serving(ANTHROPIC, Answer("Yes.")) as peer:
        await peer.model.bind([WEATHER]).call(SAID)
    assert peer.double.posts[0].body["cache_control"] == {"type": "ephemeral"}


async def test_a_schema_is_not_forced_on_models_that_are_merely_asked() -> None:
    async with serving(CHAT, Answer("{}")) as peer:
        await peer.model.bind(()).call(SAID, output={"type": "object"})
    assert "response_format" not in peer.double.posts[0].body


async def _dialogue(wire: Wire, answer: Answer, *after: BaseMessage) -> tuple[Any, Any]:
    """The second request of a conversation that began with the answer, and the first reply."""
    async with serving(wire, [answer, Answer("Done.")]) as peer:
        bound = peer.model.bind([WEATHER])
        reply = await bound.call(SAID)
        await bound.call([*SAID, reply.message, *after])
    return peer.double.posts[1].body, reply


RAIN = ToolMessage("rain", tool_call_id="call_a", name="weather")


async def test_reasoning_before_a_tool_call_goes_back_to_a_compatible_server() -> None:
    answer = Answer(reasoning="Oslo it is.", calls=(OSLO,))
    body, _ = await _dialogue(COMPATIBLE, answer, RAIN)
    assert body["messages"][2]["reasoning_content"] == "Oslo it is."
    assert body["messages"][2]["tool_calls"][0]["id"] == "call_a"


async def test_reasoning_before_the_person_spoke_again_does_not_go_back() -> None:
    answer = Answer("It rains.", reasoning="Oslo it is.")
    body, _ = await _dialogue(COMPATIBLE, answer, HumanMessage("And Rome?"))
    assert body["messages"][2] == {"role": "assistant", "content": "It rains."}


async def test_signed_thinking_goes_back_to_claude_before_its_tool_call() -> None:
    body, _ = await _dialogue(ANTHROPIC, Answer("So.", "Oslo it is.", calls=(OSLO,)), RAIN)
    thinking, text, use = body["messages"][1]["content"]
    assert thinking == {"type": "thinking", "thinking": "Oslo it is.", "signature": "signed"}
    assert text == {"type": "text", "text": "So."}
    assert use == {
        "type": "tool_use",
        "id": "call_a",
        "name": "weather",
        "input": {"place": "Oslo"},
    }


async def test_reasoning_items_go_back_to_the_responses_api() -> None:
    body, _ = await _dialogue(RESPONSES, Answer(reasoning="Oslo it is.", calls=(OSLO,)), RAIN)
    kinds = [item["type"] for item in body["input"]]
    assert kinds == ["message", "message", "reasoning", "function_call", "function_call_output"]
    assert body["input"][2]["id"] == "rs_1"


@pytest.mark.parametrize("first", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("then", WIRES.values(), ids=WIRES)
async def test_a_conversation_can_change_its_provider(first: Wire, then: Wire) -> None:
    answer = Answer("So.", reasoning="Oslo it is.", calls=(OSLO,))
    async with serving(first, answer) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID)
    async with serving(then, Answer("It rains.")) as peer:
        said = [*SAID, _journaled(reply.message), RAIN]
        assert (await peer.model.bind([WEATHER]).call(said)).text == "It rains."
    sent = str(peer.double.posts[0].body)
    assert "call_a" in sent
    assert "rain" in sent
    if first.double is not then.double:
        assert "Oslo it is." not in sent


def _journaled(message: AIMessage) -> AIMessage:
    """The message after a detour over a journal that keeps only content and calls."""
    return AIMessage(message.content, tool_calls=message.tool_calls)


class TestOpenRouter:
    WIRE = Wire("openrouter/openai/gpt-6.1-terra", OpenAIDouble, "OPENROUTER")

    async def test_the_cost_is_the_one_the_server_reports(self) -> None:
        async with serving(self.WIRE, Answer("Yes.", cost=0.00123)) as peer:
            reply = await peer.model.bind(()).call(SAID)
        assert reply.cost_usd == Decimal("0.00123")
        assert reply.model == "openrouter/openai/gpt-6.1-terra"
        assert peer.double.posts[0].body["model"] == "openai/gpt-6.1-terra"

    def test_details_of_reasoning_are_joined_piece_by_piece(self) -> None:
        text = {"type": "reasoning.text", "index": 0, "format": "f"}
        secret = {"type": "reasoning.encrypted", "index": 0, "data": "xyz"}
        pieces: Sequence[dict[str, Any]] = [
            {**text, "text": "Oslo ", "id": None},
            {**text, "text": "it is.", "id": "r1"},
            secret,
            {**secret, "index": 1},
        ]
        whole = {**text, "text": "Oslo it is.", "id": "r1"}
        assert merge_details(pieces) == [whole, secret, {**secret, "index": 1}]
