"""Limits hold over the whole of a run, and what was paid for is known."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import PersonError
from tests.company import Company

PLANNER: dict[str, dict[str, Any]] = {"counter": {"tools": ["plan", "ask_person"]}}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"profile": "counter", "calls": [{"tool": tool, "arguments": arguments}]}


def plan(text: str) -> dict[str, Any]:
    return call("plan", items=[{"text": text}])


def assign(goal: str, **more: str) -> dict[str, Any]:
    arguments = {"member": "counter", "goal": goal, **more}
    return {"profile": "supervisor", "calls": [{"tool": "assign", "arguments": arguments}]}


async def test_a_member_is_held_to_the_tokens_of_one_brief(company: Company) -> None:
    company.hire(
        [plan(f"{n} {'x' * 2000}") for n in range(20)],
        members={"counter": {"tools": ["plan"], "limits": {"tokens": 3000}}},
    )
    result = await company.run("Go")
    assert result.state == "limited"
    assert "tokens of its brief" in (result.error or "")
    assert 1 <= result.steps <= 5


async def test_a_question_does_not_grant_a_run_its_limits_anew(company: Company) -> None:
    company.hire(
        [call("ask_person", question="Now?"), plan("a"), plan("b"), plan("c")],
        members=PLANNER,
        limits={"steps": 2},
    )
    waiting = await company.run("Go")
    assert (waiting.state, waiting.steps) == ("waiting", 1)
    limited = await company.answer(waiting.run_id, "yes")
    assert limited is not None
    assert (limited.state, limited.steps) == ("limited", 2)


async def test_who_resumes_a_limited_run_grants_it_more(company: Company) -> None:
    company.hire(
        [plan("a"), plan("b"), {"profile": "counter", "say": "done"}],
        members=PLANNER,
        limits={"steps": 2},
    )
    limited = await company.run("Go")
    assert limited.state == "limited"
    done = await company.resume(limited.run_id)
    assert (done.state, done.answer, done.steps) == ("completed", "done", 3)
    with pytest.raises(PersonError, match="completed"):
        await company.resume(limited.run_id)


async def test_an_unusable_reply_that_is_taken_back_is_paid_for(company: Company) -> None:
    company.hire([{"profile": "counter", "say": " ", "repeat": True}], members=PLANNER)
    failed = await company.run("Go")
    assert failed.state == "failed"
    resumed = await company.resume(failed.run_id)
    assert resumed.usage.total > failed.usage.total


async def test_stumbles_are_counted_in_a_row(company: Company) -> None:
    stumble = {"profile": "counter", "say": " "}
    company.hire(
        [
            *(stumble, plan("a"), stumble, plan("b"), stumble, plan("c")),
            {"profile": "counter", "say": "done"},
        ],
        members=PLANNER,
    )
    result = await company.run("Go")
    assert (result.state, result.answer) == ("completed", "done")


async def test_the_same_goal_with_another_context_is_another_brief(company: Company) -> None:
    briefs = [assign("Revise it", context=f"remark {n}") for n in range(4)]
    company.hire(
        [
            *briefs,
            {"profile": "counter", "say": "revised", "repeat": True},
            {"profile": "supervisor", "say": "done"},
        ],
        members={"counter": {"tools": ["plan"]}, "scribe": {"tools": ["plan"]}},
    )
    result = await company.run("Revise")
    assert (result.state, len(result.members)) == ("completed", 4)
