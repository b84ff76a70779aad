"""Who gets the work, who does it at the same time, and what ends a run that goes nowhere."""

from __future__ import annotations

from typing import Any

from orchestrator.events import MemberFinished, ModelCalled, Routed
from tests.company import Company

TALKERS: dict[str, dict[str, Any]] = {
    name: {"tools": ["plan", "ask_person"]} for name in ("counter", "scribe", "keeper")
}


def assign(member: str, goal: str, **more: str) -> dict[str, Any]:
    return {"tool": "assign", "arguments": {"member": member, "goal": goal, **more}}


async def test_an_addressed_member_answers_without_the_supervisor(company: Company) -> None:
    company.hire([{"profile": "scribe", "say": "Dear landlord."}], members=TALKERS)
    result = await company.run("Write to the landlord", target="scribe")
    assert (result.state, result.answer, result.steps) == ("completed", "Dear landlord.", 1)
    assert company.seen(Routed)[0].rule == "addressed"


async def test_an_alias_addresses_its_member(company: Company) -> None:
    members = TALKERS | {"scribe": {**TALKERS["scribe"], "aliases": ["writer"]}}
    company.hire([{"profile": "scribe", "say": "Yes?"}], members=members)
    result = await company.run("Hello", target="writer")
    assert result.members[0].profile == "scribe"


async def test_a_plain_request_is_routed_by_meaning_without_a_model_call(company: Company) -> None:
    company.hire(
        [{"profile": "scribe", "say": "Dear landlord."}],
        members=TALKERS,
        supervisor={"margin": 0.1},
    )
    result = await company.run("Please write a short letter to my landlord")
    assert result.answer == "Dear landlord."
    assert company.seen(Routed)[0].rule == "margin"
    assert [event.profile for event in company.seen(ModelCalled)] == ["scribe"]


async def test_two_pieces_of_work_go_to_the_model(company: Company) -> None:
    company.hire(
        [{"profile": "supervisor", "say": "Who?"}], members=TALKERS, supervisor={"margin": 0.1}
    )
    result = await company.run("Write a letter to the landlord, then count the rows")
    assert result.answer == "Who?"


async def test_members_work_in_parallel_and_the_supervisor_joins_them(company: Company) -> None:
    company.hire(
        [
            {
                "profile": "supervisor",
                "match": "^Members:",
                "calls": [assign("counter", "count"), assign("scribe", "write")],
            },
            {"profile": "counter", "match": "count", "say": "41"},
            {"profile": "scribe", "match": "write", "say": "Dear Sir"},
            {"profile": "supervisor", "match": "41[^$]*Dear Sir", "say": "41, and Dear Sir"},
        ],
        members=TALKERS,
    )
    result = await company.run("Count and write")
    assert result.answer == "41, and Dear Sir"
    assert {report.profile: report.state for report in result.members} == {
        "counter": "completed",
        "scribe": "completed",
    }


async def test_one_failing_member_does_not_lose_the_others_result(company: Company) -> None:
    company.hire(
        [
            {
                "profile": "supervisor",
                "match": "^Members:",
                "calls": [assign("counter", "count"), assign("scribe", "write")],
            },
            {"profile": "scribe", "say": "Dear Sir"},
            {"profile": "supervisor", "match": r"\(failed\)", "say": "Only the letter: Dear Sir"},
        ],
        members=TALKERS,
    )
    result = await company.run("Count and write")
    assert result.state == "completed"
    assert result.answer == "Only the letter: Dear Sir"
    assert {event.profile: event.state for event in company.seen(MemberFinished)} == {
        "counter": "failed",
        "scribe": "completed",
    }


async def test_an_unknown_member_is_corrected_with_the_nearest_name(company: Company) -> None:
    company.hire(
        [
            {"profile": "supervisor", "match": "^Members:", "calls": [assign("counterr", "x")]},
            {
                "profile": "supervisor",
                "match": "no member 'counterr'; there are counter",
                "calls": [assign("counter", "x")],
            },
            {"profile": "counter", "say": "12"},
            {"profile": "supervisor", "match": "12", "say": "12"},
        ],
        members=TALKERS,
    )
    assert (await company.run("How many?")).answer == "12"


async def test_the_same_brief_again_and_again_ends_limited_with_the_work_kept(
    company: Company,
) -> None:
    company.hire(
        [
            {"profile": "supervisor", "repeat": True, "calls": [assign("counter", "count them")]},
            {"profile": "counter", "repeat": True, "say": "41"},
        ],
        members=TALKERS,
    )
    result = await company.run("Count")
    assert result.state == "limited"
    assert "repeating" in (result.error or "")
    assert "counter: 41" in result.answer
    assert len(result.members) == 2


async def test_hand_offs_are_counted_and_the_last_word_is_an_answer(company: Company) -> None:
    calls = [
        {"profile": "supervisor", "match": None, "calls": [assign("counter", f"part {n}")]}
        for n in range(3)
    ]
    for call in calls:
        del call["match"]
    company.hire(
        [
            *calls,
            {"profile": "counter", "repeat": True, "say": "done"},
            {"profile": "supervisor", "say": "three parts are done"},
        ],
        members=TALKERS,
        limits={"hops": 3},
    )
    result = await company.run("Do four parts")
    assert (result.state, result.answer) == ("limited", "three parts are done")
    assert "3 hand-offs" in (result.error or "")


async def test_a_run_out_of_steps_keeps_what_members_have_done(company: Company) -> None:
    company.hire(
        [
            {"profile": "supervisor", "calls": [assign("counter", "count")]},
            {"profile": "counter", "say": "41"},
        ],
        members=TALKERS,
        limits={"steps": 2},
    )
    result = await company.run("Count")
    assert (result.state, result.answer) == ("limited", "counter: 41")
    assert "2 steps" in (result.error or "")


async def test_tokens_are_limited(company: Company) -> None:
    company.hire([{"profile": "scribe", "say": "x"}], members=TALKERS, limits={"tokens": 10})
    result = await company.run("Write", target="scribe")
    assert result.state == "limited"
    assert "10 tokens" in (result.error or "")


async def test_an_empty_supervisor_is_told_once_then_the_run_fails(company: Company) -> None:
    company.hire([{"profile": "supervisor", "say": " ", "repeat": True}], members=TALKERS)
    result = await company.run("Anything")
    assert result.state == "failed"
    assert "reply was empty" in (result.error or "")


async def test_a_session_goes_on_where_it_was(company: Company) -> None:
    company.hire(
        [
            {"profile": "supervisor", "match": "first thing", "say": "It is blue."},
            {"profile": "supervisor", "match": "and its size", "say": "It is big."},
        ],
        members=TALKERS,
    )
    first = await company.run("The first thing?", session="talk")
    second = await company.run("and its size?", session="talk")
    assert (first.answer, second.answer) == ("It is blue.", "It is big.")


async def test_the_supervisor_asks_and_goes_on_with_the_answer(company: Company) -> None:
    ask = {"tool": "ask_person", "arguments": {"question": "Red or blue?", "options": ["red"]}}
    company.hire(
        [
            {"profile": "supervisor", "match": "^Members:", "calls": [ask]},
            {"profile": "supervisor", "match": "blue", "say": "Blue it is."},
        ],
        members=TALKERS,
    )
    waiting = await company.run("Paint the door")
    assert waiting.state == "waiting"
    assert [question.text for question in waiting.questions] == ["Red or blue?"]
    done = await company.answer(waiting.run_id, "blue")
    assert done is not None
    assert (done.state, done.answer) == ("completed", "Blue it is.")
