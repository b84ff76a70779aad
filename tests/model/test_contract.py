"""What every wire format, and the rehearsal, must do."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import yaml
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage

from orchestrator.model import Delta, ModelChain, open_model
from orchestrator.settings import Settings
from tests.model.peers import WEATHER, WIRES, serving
from tests.model.servers import Answer, ToolUse

Opener = Callable[[list[Answer]], AbstractAsyncContextManager[ModelChain]]

SAID = [SystemMessage("You are brief."), HumanMessage("How is the weather?")]

TWO_CALLS = Answer(
    text="Let me look.",
    calls=(
        ToolUse("weather", '{"place": "Oslo"}', id="call_a"),
        ToolUse("weather", '{"place": "Rome"}', id="call_b"),
    ),
)


@pytest.fixture(params=[*WIRES, "rehearsal"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens a model that gives these answers, in this order."""
    name: str = request.param

    @asynccontextmanager
    async def on_a_wire(answers: list[Answer]) -> AsyncGenerator[ModelChain]:
        async with serving(WIRES[name], answers) as peer:
            yield peer.model

    @asynccontextmanager
    async def rehearsed(answers: list[Answer]) -> AsyncGenerator[ModelChain]:
        script = tmp_path / "rehearsal.yaml"
        script.write_text(yaml.safe_dump([_line(answer) for answer in answers]))
        async with open_model(
            ["rehearsal"],
            credentials={},
            settings=Settings(),
            cache=tmp_path,
            profile="analyst",
            rehearsal=script,
        ) as model:
            yield model

    return rehearsed if name == "rehearsal" else on_a_wire


def _line(answer: Answer) -> dict[str, object]:
    calls = [{"tool": c.name, "arguments": json.loads(c.arguments)} for c in answer.calls]
    return {"profile": "analyst", "say": answer.text, "calls": calls}


async def test_text_streams_in_pieces_and_adds_up_to_the_reply(opener: Opener) -> None:
    text = "It rains in Oslo, and the sun shines in Rome."
    deltas: list[Delta] = []
    async with opener([Answer(text)]) as model:
        reply = await model.bind(()).call(SAID, on_delta=deltas.append)
    assert reply.text == text
    assert reply.message.content == text
    assert [delta.text for delta in deltas] != [text]
    assert "".join(delta.text for delta in deltas) == text
    assert reply.model == model.name
    assert reply.attempts == 1


async def test_parallel_tool_calls_arrive_whole_and_stream_their_arguments(opener: Opener) -> None:
    deltas: list[Delta] = []
    async with opener([TWO_CALLS]) as model:
        reply = await model.bind([WEATHER]).call(SAID, on_delta=deltas.append)
    assert [call["args"] for call in reply.tool_calls] == [{"place": "Oslo"}, {"place": "Rome"}]
    assert {call["name"] for call in reply.tool_calls} == {"weather"}
    assert len({call["id"] for call in reply.tool_calls}) == 2
    assert reply.text == "Let me look."
    streamed = "".join(delta.tool_arguments for delta in deltas)
    assert streamed == '{"place": "Oslo"}{"place": "Rome"}'
    assert {delta.tool for delta in deltas if delta.tool_arguments} == {"weather"}


async def test_a_call_without_arguments_has_none(opener: Opener) -> None:
    async with opener([Answer(calls=(ToolUse("weather", "{}"),))]) as model:
        reply = await model.bind([WEATHER]).call(SAID)
    assert [call["args"] for call in reply.tool_calls] == [{}]
    assert not reply.message.invalid_tool_calls


async def test_a_conversation_goes_on_after_the_tools_have_answered(opener: Opener) -> None:
    said: list[BaseMessage] = list(SAID)
    async with opener([TWO_CALLS, Answer("Oslo: rain. Rome: sun.")]) as model:
        bound = model.bind([WEATHER])
        reply = await bound.call(said)
        said.append(reply.message)
        for call, result in zip(reply.tool_calls, ("rain", "sun"), strict=True):
            said.append(ToolMessage(result, tool_call_id=call["id"] or "", name="weather"))
        last = await bound.call(said)
    assert last.text == "Oslo: rain. Rome: sun."


async def test_usage_and_cost_are_known_or_estimated_for_every_call(opener: Opener) -> None:
    async with opener([Answer("Yes.")]) as model:
        reply = await model.bind(()).call(SAID)
    assert reply.usage.input > 0
    assert reply.usage.output > 0
    assert reply.cost_usd is not None
    assert reply.cost_usd >= 0
