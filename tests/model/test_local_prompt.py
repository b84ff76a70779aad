"""What a small model is shown, and what shape its reply may have."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from orchestrator.model.local_prompt import (
    LocalTool,
    asking_to_answer,
    asking_to_choose,
    choice_schema,
    fitted,
    instructions,
    output_schema,
    parse_choice,
    turns,
)


def tool(name: str, description: str = "Does it.", /, **properties: Any) -> LocalTool:
    required = [key for key, schema in properties.items() if not schema.pop("optional", False)]
    parameters = {"type": "object", "properties": properties, "required": required}
    function = {"name": name, "description": description, "parameters": parameters}
    return LocalTool.of({"type": "function", "function": function})


TEXT = {"type": "string"}
QUERY = tool("query_table", "Run one SELECT.", sql=TEXT)
SEND = tool(
    "send",
    "Send a\n  message.",
    to={"type": "array", "items": TEXT},
    how={"enum": ["mail", "chat"], "type": "string"},
    note={"type": "string", "optional": True},
    tries={"type": "integer", "optional": True},
)


def test_a_tool_is_one_line_and_not_a_schema() -> None:
    assert SEND.line() == 'send(to: [string], how: "mail"|"chat", note?: string): Send a message.'


def test_optional_numbers_and_flags_are_left_to_their_defaults() -> None:
    assert "tries" not in SEND.parameters["properties"]


def test_examples_are_shown_only_for_tools_that_are_bound_and_take_them() -> None:
    assert "SELECT" in instructions([QUERY])
    assert "Examples" not in instructions([QUERY], examples=False)
    assert "SELECT" not in instructions([SEND])
    assert "SELECT" not in instructions([tool("query_table", "Another tool.", question=TEXT)])


def test_a_choice_is_a_call_with_the_tools_name_first_or_an_answer() -> None:
    schema = choice_schema([QUERY, SEND], answer=True)
    query, send, answer = schema["anyOf"]
    assert list(query["properties"]) == ["tool", "arguments"]
    assert query["properties"]["tool"] == {"const": "query_table"}
    assert query["properties"]["arguments"]["required"] == ["sql"]
    assert send["properties"]["arguments"]["additionalProperties"] is False
    assert answer["properties"] == {"tool": {"const": "answer"}}


def test_a_call_that_must_be_made_leaves_no_answer() -> None:
    assert choice_schema([QUERY], answer=False)["properties"]["tool"] == {"const": "query_table"}


def test_a_schema_keeps_what_shapes_the_output_and_closes_its_objects() -> None:
    schema = {
        "title": "Verdict",
        "$defs": {"Mark": {"type": "integer", "minimum": 1, "description": "1 is best"}},
        "type": "object",
        "properties": {
            "mark": {"$ref": "#/$defs/Mark"},
            "sources": {"type": "array", "items": {"type": "string", "format": "uri"}},
            "extra": {"type": "object"},
        },
        "required": ["mark"],
    }
    assert output_schema(schema) == {
        "type": "object",
        "properties": {
            "mark": {"type": "integer", "minimum": 1},
            "sources": {"type": "array", "items": {"type": "string"}},
            "extra": {"type": "object"},
        },
        "required": ["mark"],
        "additionalProperties": False,
    }


def test_a_choice_is_read() -> None:
    choice = parse_choice('{"tool": "read", "arguments": {"path": "ü.txt"}}')
    assert (choice.tool, choice.arguments) == ("read", {"path": "ü.txt"})
    assert parse_choice('{"tool": "answer"}').tool == "answer"


def test_a_choice_that_was_cut_off_keeps_its_tool_and_has_no_arguments() -> None:
    choice = parse_choice('{"tool": "write", "arguments": {"path": "a.md", "content": "on and')
    assert choice.tool == "write"
    assert choice.arguments is None


def test_what_members_share_comes_first_so_that_it_stays_cached() -> None:
    one, other = (
        turns([SystemMessage(who), HumanMessage("Hi")], [QUERY])[0]["content"]
        for who in ("You are desk.", "You are clerk.")
    )
    assert one.removesuffix("You are desk.") == other.removesuffix("You are clerk.")


def test_a_conversation_becomes_turns_that_alternate_and_only_grow() -> None:
    call = {"name": "read", "args": {"path": "a.txt"}, "id": "call_1"}
    begun = [
        SystemMessage("You are desk."),
        HumanMessage("Context."),
        HumanMessage("What is in a?"),
    ]
    done = [
        AIMessage("", tool_calls=[call]),
        ToolMessage("It says hello.", tool_call_id="call_1", name="read"),
    ]
    before, after = turns(begun, [QUERY]), turns([*begun, *done], [QUERY])
    assert after[: len(before)] == before
    assert [turn["role"] for turn in after] == ["system", "user", "assistant", "user"]
    assert json.loads(after[2]["content"]) == {"tool": "read", "arguments": {"path": "a.txt"}}
    assert after[3]["content"] == "read gave:\nIt says hello."


def test_a_failed_call_is_to_be_mended_and_a_result_to_be_told() -> None:
    failed = [
        HumanMessage("How many?"),
        AIMessage("", tool_calls=[{"name": "query_table", "args": {"sql": "x"}, "id": "call_1"}]),
        ToolMessage("no", tool_call_id="call_1", name="query_table", status="error"),
    ]
    made = turns(failed, [QUERY])
    assert "query_table failed:\nno" in made[-1]["content"]
    assert "Mend the call" in asking_to_choose(made, failed)[-1]["content"]
    assert "in this result" in asking_to_answer(made, failed, tools=True)[-1]["content"]
    assert asking_to_answer(made, failed, tools=False) == made


def test_after_a_long_result_the_request_is_said_again() -> None:
    request = HumanMessage("How tall is the tower?\n\nFiles: towers.txt")
    call = AIMessage("", tool_calls=[{"name": "read", "args": {"path": "x"}, "id": "call_1"}])
    for length, again in ((100, False), (5_000, True)):
        result = ToolMessage("x" * length, tool_call_id="call_1", name="read")
        messages = [request, call, result]
        asked = asking_to_answer(
            turns(messages, [tool("read", "Read a file.", path=TEXT)]), messages, tools=True
        )[-1]["content"]
        assert asked.endswith("The request:\nHow tall is the tower?") is again


def test_what_does_not_fit_the_window_is_cut_from_old_to_new() -> None:
    made = [{"role": "system", "content": "s" * 300}]
    made += [{"role": role, "content": role[0] * 300} for role in ("user", "assistant") * 5]
    made.append({"role": "user", "content": "the request"})
    kept = fitted(made, tokens=400)
    assert sum(len(turn["content"]) for turn in kept) <= 1200
    assert (kept[0], kept[-1]) == (made[0], made[-1])
    assert kept[1]["role"] == "user"


def test_one_turn_that_is_too_long_loses_its_middle() -> None:
    made = [{"role": "user", "content": "begin " + "x" * 9000 + " end"}]
    (kept,) = fitted(made, tokens=1000)
    assert len(kept["content"]) < 3100
    assert kept["content"].startswith("begin")
    assert kept["content"].endswith("end")
    assert "characters left out" in kept["content"]
