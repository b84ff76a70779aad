"""The local model: what it does without weights, and the shape of what it does with them.

Tests with weights judge no wording and no cleverness, since another file of weights may be used.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from orchestrator.errors import MissingExtraError, ModelUnavailable, PersonError
from orchestrator.model.base import Delta, ToolSchema
from orchestrator.model.chain import open_model
from orchestrator.model.local import LocalChat
from orchestrator.model.weights import weights_path
from orchestrator.settings import Settings

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "retinue"

QUERY = ToolSchema(
    "query_table",
    "Run one SQLite SELECT over the tables.",
    {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]},
)
READ = ToolSchema(
    "read",
    "Read a text file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }
    for tool in (QUERY, READ)
]

ASKED: list[BaseMessage] = [
    SystemMessage("You are clerk, and you answer questions about the shop."),
    HumanMessage("Tables for query_table:\nvisits (310 rows)\n  day date\n\nHow many visits?"),
]
CALLED = AIMessage(
    "",
    tool_calls=[
        {"name": "query_table", "args": {"sql": "SELECT count(*) FROM visits"}, "id": "call_1"}
    ],
)


def resulted(text: str, *, empty: bool = False) -> list[BaseMessage]:
    result = ToolMessage(text, tool_call_id="call_1", name="query_table", artifact={"empty": empty})
    return [*ASKED, CALLED, result]


@pytest.fixture(scope="module")
def weights() -> Path:
    """The weights in the person's cache; where tests run unattended they must be there."""
    path = weights_path(CACHE)
    if path is None:
        missing = f"no weights of the local model in {CACHE}; run: retinue model pull"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="module")
def chat(weights: Path) -> LocalChat:
    return LocalChat(weights=weights)


async def test_an_empty_result_is_told_without_asking_the_model() -> None:
    chat = LocalChat(weights=Path("/nowhere/model.gguf")).bind_tools(TOOLS)
    reply = await chat.ainvoke(resulted("The query found nothing.", empty=True))
    assert reply.text == "query_table found nothing for this, so there is no answer."
    assert reply.response_metadata["finish_reason"] == "stop"


async def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(PersonError, match=r"there is no model file '/nowhere/model\.gguf'"):
        await LocalChat(weights=Path("/nowhere/model.gguf")).ainvoke(ASKED)


async def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    file = tmp_path / "notes.gguf"
    file.write_text("not a model")
    with pytest.raises(PersonError, match=r"cannot load '.*notes\.gguf': it is no GGUF file"):
        await LocalChat(weights=file).ainvoke(ASKED)


async def test_without_the_extra_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'retinue\[local\]'"):
        await LocalChat(weights=file).ainvoke(ASKED)


async def test_an_unknown_tool_choice_is_refused() -> None:
    chat = LocalChat(weights=Path("/nowhere/model.gguf")).bind_tools(
        TOOLS, tool_choice={"type": "perhaps"}
    )
    with pytest.raises(ValueError, match="unknown tool choice"):
        await chat.ainvoke(ASKED)


@pytest.mark.local_model
async def test_a_call_fits_its_tool_and_has_an_id_of_its_own(chat: LocalChat) -> None:
    reply = await chat.bind_tools(TOOLS, tool_choice="any").ainvoke([*ASKED, CALLED, *ASKED[1:]])
    (call,) = reply.tool_calls
    assert set(call["args"]) == ({"sql"} if call["name"] == "query_table" else {"path"})
    assert call["id"] == "call_2"
    assert reply.response_metadata["finish_reason"] == "tool_calls"
    assert reply.usage_metadata


@pytest.mark.local_model
async def test_a_named_tool_is_called(chat: LocalChat) -> None:
    choice = {"type": "function", "function": {"name": "read"}}
    reply = await chat.bind_tools(TOOLS, tool_choice=choice).ainvoke(ASKED)
    assert [call["name"] for call in reply.tool_calls] == ["read"]


@pytest.mark.local_model
@pytest.mark.parametrize(
    ("choice", "messages"), [(None, resulted("count(*)\n310")), ("none", ASKED)]
)
async def test_it_answers_in_words_after_a_result_or_when_told_to(
    chat: LocalChat, choice: str | None, messages: Sequence[BaseMessage]
) -> None:
    reply = await chat.bind_tools(TOOLS, tool_choice=choice).ainvoke(messages)
    assert not reply.tool_calls
    assert reply.text.strip()
    assert not reply.text.lstrip().startswith(("{", "```"))


@pytest.mark.local_model
async def test_an_answer_streams_in_pieces_and_ends_with_its_cost(chat: LocalChat) -> None:
    chunks = [chunk async for chunk in chat.astream("Count from one to five in words.")]
    assert sum(bool(chunk.text) for chunk in chunks) > 3
    (usage,) = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] >= sum(bool(chunk.text) for chunk in chunks)


@pytest.mark.local_model
async def test_an_answer_fulfils_its_schema(chat: LocalChat) -> None:
    schema = {
        "type": "object",
        "properties": {
            "member": {"enum": ["analyst", "writer"]},
            "goals": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        },
        "required": ["member", "goals"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    reply = await chat.ainvoke("Who adds up the visits? Answer in JSON.", response_format=wanted)
    answer = json.loads(reply.text)
    assert answer["member"] in ("analyst", "writer")
    assert 1 <= len(answer["goals"]) <= 2


@pytest.mark.local_model
async def test_what_is_the_same_at_the_beginning_is_read_once(chat: LocalChat) -> None:
    bound = chat.bind_tools(TOOLS, tool_choice="any")
    await bound.ainvoke(ASKED)
    reply = await bound.ainvoke([*ASKED[:1], HumanMessage("What does guide.md say?")])
    usage = reply.usage_metadata
    assert usage is not None
    cached = usage.get("input_token_details", {}).get("cache_read", 0)
    assert cached > usage["input_tokens"] * 0.8


@pytest.mark.local_model
async def test_a_reply_nobody_waits_for_any_more_makes_room_for_the_next(chat: LocalChat) -> None:
    long: list[BaseMessage] = [HumanMessage("Tell a very long story.")]
    async with aclosing(cast("AsyncGenerator[Any]", chat._astream(long))) as story:  # pyright: ignore[reportPrivateUsage] what the chain calls
        await anext(story)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await chat.ainvoke("word " * 3000)
    assert (await chat.ainvoke("Say yes.")).text


@pytest.mark.local_model
async def test_two_requests_at_once_take_turns(chat: LocalChat) -> None:
    replies = await asyncio.gather(chat.ainvoke("Say yes."), chat.ainvoke("Say no."))
    assert all(reply.text for reply in replies)


@pytest.mark.local_model
async def test_a_reply_that_takes_too_long_is_given_up(weights: Path) -> None:
    hasty = LocalChat(weights=weights, timeout_seconds=0)
    with pytest.raises(ModelUnavailable, match="not done after 0 seconds"):
        await hasty.ainvoke("Say yes.")


@pytest.mark.local_model
async def test_nothing_listens_for_others(chat: LocalChat) -> None:
    await chat.ainvoke("Say yes.")
    assert _listening() == []


@pytest.mark.local_model
async def test_through_the_chain_it_calls_streams_and_costs_nothing(weights: Path) -> None:
    heard: list[Delta] = []
    async with open_model(
        ["local"], credentials={}, settings=Settings(), cache=CACHE, profile="clerk"
    ) as model:
        bound = model.bind([QUERY, READ])
        called = await bound.call(ASKED, tool_choice="required")
        answered = await bound.call(resulted("count(*)\n310"), on_delta=heard.append)
    assert len(called.tool_calls) == 1
    assert called.cost_usd == 0
    assert answered.text == "".join(delta.text for delta in heard).strip() != ""


def _listening() -> Sequence[int]:
    """TCP ports on which this process listens."""
    own: set[str] = set()
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            own.add(str(handle.readlink()))
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
    ]
    return [
        int(local.rpartition(":")[2], 16)
        for _, local, _, state, _, _, _, _, _, inode, *_ in lines
        if state == "0A" and f"socket:[{inode}]" in own
    ]
