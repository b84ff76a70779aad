"""`docs/teams.md` shows what really loads, and leaves out nothing that may be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestrator.profile import RESERVED
from orchestrator.profile.claude_code import KEYS
from orchestrator.profile.schema import (
    Approvals,
    Defaults,
    FrontMatter,
    MemberEntry,
    MemberLimits,
    RunLimits,
    SupervisorEntry,
    TeamFile,
    ToolChoice,
)
from orchestrator.sandbox.base import SandboxConfig
from tests.profile.conftest import Bench

TEXT = (Path(__file__).parents[2] / "docs" / "teams.md").read_text(encoding="utf-8")
TEAMS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", TEAMS)
def test_every_team_shown_loads(bench: Bench, text: str) -> None:
    assert bench.team(text).problems == ()


def test_the_agent_shown_loads(bench: Bench) -> None:
    shown = re.findall(r"^```markdown\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for text in shown:
        bench.write("agents/translator.md", text)
        assert bench.problems("agents/translator.md") == []
    assert shown


@pytest.mark.parametrize(
    "model",
    [
        TeamFile,
        SupervisorEntry,
        Defaults,
        RunLimits,
        MemberEntry,
        MemberLimits,
        Approvals,
        ToolChoice,
        FrontMatter,
        SandboxConfig,
    ],
)
def test_every_key_is_shown(model: type[BaseModel]) -> None:
    assert set(model.model_fields) <= set(re.findall(r"\w+", TEXT))


def test_every_reserved_name_and_foreign_key_is_named() -> None:
    assert {word for word in (*RESERVED, *KEYS) if f"`{word}" not in TEXT} == set()
