"""What a run goes on with, whatever has happened meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.events import MemberStarted
from tests.company import Company

ASKS = {
    "profile": "counter",
    "calls": [{"tool": "ask_person", "arguments": {"question": "Which year?"}}],
}
MEMBERS = {"counter": {"tools": ["ask_person"]}}


async def test_a_run_does_not_begin_anew_under_another_teams_name(company: Company) -> None:
    company.hire([ASKS], members=MEMBERS)
    waiting = await company.run("Go")
    company.hire([ASKS], members=MEMBERS, name="company")
    with pytest.raises(PersonError, match=r"belongs to team 'firm'.* is team 'company' by now"):
        await company.resume(waiting.run_id)
    assert not (company.home.state / "company").exists()
    company.hire([ASKS], members=MEMBERS)
    assert (await company.resume(waiting.run_id)).state == "waiting"


async def test_a_run_whose_workflow_is_gone_says_so(company: Company) -> None:
    steps = {"steps": [{"id": "ask", "agent": "counter", "prompt": "Ask"}]}
    company.hire([ASKS], members=MEMBERS, workflows={"survey": steps})
    waiting = await company.run(workflow="survey")
    company.hire([ASKS], members=MEMBERS, workflows={"surveys": steps})
    with pytest.raises(NotFoundError, match="no workflow 'survey'; did you mean 'surveys'"):
        await company.resume(waiting.run_id)


async def test_an_answer_outlives_a_resume_that_fails(company: Company) -> None:
    company.hire([ASKS, {"profile": "counter", "say": "{{ tool }}"}], members=MEMBERS)
    waiting = await company.run("Go")
    env_file = company.home.profile("firm", "counter").env_file
    env_file.write_text("KEY=x\n")
    env_file.chmod(0o644)
    failed = await company.answer(waiting.run_id, "2014")
    assert failed is not None
    assert (failed.state, ".env" in (failed.error or "")) == ("failed", True)
    env_file.chmod(0o600)
    done = await company.resume(waiting.run_id)
    assert (done.state, done.answer) == ("completed", "2014")


async def test_a_failure_the_supervisor_has_replied_to_stands(company: Company) -> None:
    def script(answer: str) -> list[dict[str, Any]]:
        ask = {"tool": "ask_person", "arguments": {"question": "Go on without it?"}}
        work = {"tool": "assign", "arguments": {"member": "counter", "goal": "count"}}
        return [
            {"profile": "supervisor", "match": "^Members:", "calls": [work]},
            {"profile": "counter", "say": answer, "repeat": True},
            {"profile": "supervisor", "match": "no usable reply", "calls": [ask]},
            {"profile": "supervisor", "match": "yes", "say": "Done without it."},
        ]

    members = {"counter": {"tools": ["plan"]}, "scribe": {"tools": ["plan"]}}
    company.hire(script(" "), members=members)
    waiting = await company.run("Count")
    assert waiting.state == "waiting"
    company.hire(script("41"), members=members)
    company.events.clear()
    done = await company.answer(waiting.run_id, "yes")
    assert done is not None
    assert (done.state, done.answer) == ("completed", "Done without it.")
    assert company.seen(MemberStarted) == []
    assert [member.state for member in done.members] == ["failed"]
