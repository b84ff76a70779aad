"""Every workflow in the documentation loads, and runs to its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.profile.template_language import filters
from orchestrator.profile.workflow import Step, Workflow, check
from tests.team.workflow_cast import MEMBERS, Cast, done

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")
EXAMPLES = {
    name: Workflow.model_validate(written)
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for name, written in yaml.safe_load(block)["workflows"].items()
}


def fill(schema: Mapping[str, Any]) -> Any:
    match schema["type"]:
        case "object":
            return {name: fill(field) for name, field in schema["properties"].items()}
        case "array":
            return []
        case "integer":
            return 7
        case _:
            return "text"


async def answer(profile: str, brief: Brief, call: str) -> MemberResult:
    output = None if brief.output is None else fill(brief.output)
    return done(profile, call, f"{profile}: done", output)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_runs_to_its_end(name: str) -> None:
    flow = EXAMPLES[name]
    assert check(flow, MEMBERS) == []
    given = {name: "Ada" for name, default in flow.inputs.items() if default is None}
    cast = Cast(answer)
    result = await cast.run(flow, given)
    if result.state == "waiting":
        cast = Cast(answer, {question.id: Answer("", "approve") for question in result.questions})
        result = await cast.run(flow, given)
    assert (result.state, result.error) == ("completed", None)
    assert result.answer == "writer: done"


async def test_a_letter_that_is_not_approved_is_written_again() -> None:
    cast = Cast(answers={"write~1/approve": Answer("too long", "deny")})
    result = await cast.run(EXAMPLES["letter"], {"to": "Ada"})
    assert cast.briefs["write~2"].goal.endswith("The last one was not approved: too long")
    assert [question.id for question in result.questions] == ["write~2/approve"]


def test_the_page_names_every_key_and_filter() -> None:
    assert all(f"| `{key}` |" in PAGE for key in Step.model_fields)
    assert f"Filters: `{' '.join(filters())}`" in PAGE
