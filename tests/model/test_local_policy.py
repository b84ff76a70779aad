"""One tool, a look, an answer: what the small model may do after which messages."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from orchestrator.model.local_policy import (
    Answer,
    Choose,
    Say,
    conclude,
    is_repeat,
    next_step,
)

TOOLS = ("query_table", "read", "ask_person", "plan", "tool_search", "call_tool")
ASKED = HumanMessage("How many orders are there?")


def call(tool: str = "query_table", **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": "call_1"}])


def result(text: str, tool: str = "query_table", *, empty: bool = False) -> ToolMessage:
    return ToolMessage(text, tool_call_id="call_1", name=tool, artifact={"empty": empty})


def failure(text: str = "(retry) no such column: totl") -> ToolMessage:
    return ToolMessage(text, tool_call_id="call_1", name="query_table", status="error")


def test_a_request_may_be_answered_or_given_to_a_tool_that_does_something() -> None:
    step = next_step([ASKED], TOOLS, "auto")
    assert step == Choose(("query_table", "read", "ask_person"), answer=True)


def test_tools_that_only_prepare_are_offered_where_there_are_no_others() -> None:
    assert next_step([ASKED], ["tool_search"], "auto") == Choose(("tool_search",), answer=True)


def test_a_good_result_is_answered_from() -> None:
    assert next_step([ASKED, call(), result("count\n310")], TOOLS, "auto") == Answer()


def test_a_new_request_may_use_tools_again() -> None:
    talk = [ASKED, call(), result("count\n310"), AIMessage("There are 310."), ASKED]
    assert isinstance(next_step(talk, TOOLS, "auto"), Choose)


def test_a_failed_call_is_tried_again_but_not_answered_from() -> None:
    step = next_step([ASKED, call(), failure()], TOOLS, "auto")
    assert isinstance(step, Choose)
    assert not step.answer


def test_after_three_failed_calls_it_says_so_and_does_not_guess() -> None:
    talk: list[BaseMessage] = [ASKED]
    for sql in ("a", "b", "c"):
        talk += [call(sql=sql), failure(f"(retry) no such column: {sql}")]
    assert next_step(talk, TOOLS, "auto") == Say(
        "query_table did not succeed, so there is no answer: (retry) no such column: c"
    )


@pytest.mark.parametrize("outcome", ["(denied) a person said no", "(unavailable) it is down"])
def test_a_failure_that_arguments_cannot_mend_ends_it(outcome: str) -> None:
    step = next_step([ASKED, call(), failure(outcome)], TOOLS, "auto")
    assert isinstance(step, Say)
    assert outcome in step.text


@pytest.mark.parametrize(
    "nothing", [result("The query found nothing.", empty=True), result("(empty) no rows")]
)
def test_an_empty_result_is_told_and_never_answered_from(nothing: ToolMessage) -> None:
    told = Say("query_table found nothing for this, so there is no answer.")
    assert next_step([ASKED, call(), nothing], TOOLS, "auto") == told
    assert next_step([ASKED, call(), nothing], TOOLS, "none") == told


def test_a_good_result_counts_beside_an_empty_one() -> None:
    both = [ASKED, call(), result("(empty) no rows"), result("310 orders", "read")]
    assert next_step(both, TOOLS, "auto") == Answer()


def test_work_goes_on_after_the_person_was_asked_but_they_are_asked_once() -> None:
    answered = [ASKED, call("ask_person", question="Which year?"), result("2021", "ask_person")]
    assert next_step(answered, TOOLS, "auto") == Choose(("query_table", "read"), answer=True)


def test_a_note_between_results_begins_no_new_turn() -> None:
    noted = [ASKED, call(), failure(), HumanMessage("(You repeat the same call. Answer now.)")]
    assert isinstance(next_step(noted, TOOLS, "none"), Say)


def test_none_forbids_and_required_demands_a_call() -> None:
    assert next_step([ASKED], TOOLS, "none") == Answer()
    required = next_step([ASKED], TOOLS, "required")
    assert isinstance(required, Choose)
    assert not required.answer


def test_without_tools_there_is_only_an_answer() -> None:
    assert next_step([ASKED], (), "auto") == Answer()


def test_the_same_call_is_a_repeat_within_one_turn_only() -> None:
    talk = [ASKED, call(sql="SELECT 1"), failure()]
    assert is_repeat("query_table", {"sql": "SELECT 1"}, talk)
    assert not is_repeat("query_table", {"sql": "SELECT 2"}, talk)
    assert not is_repeat("query_table", {"sql": "SELECT 1"}, [*talk, AIMessage("No."), ASKED])


def test_a_turn_without_results_ends_in_an_answer() -> None:
    assert conclude([ASKED]) == Answer()
