"""What a run goes on with after somebody has changed the team's file."""

from __future__ import annotations

import pytest

from orchestrator.errors import NotFoundError, PersonError
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
