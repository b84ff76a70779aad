"""Rules about a file hold for every spelling of its path."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.base import Sandbox
from orchestrator.tool.base import ToolContext
from orchestrator.tool.policy import Rules, Verdict
from orchestrator.tool.toolset import Call, Toolset
from tests.company import Company

TOOLS = ("read", "write", "edit", "list", "glob", "grep")


class Workspace:
    """What of a sandbox a path's spelling depends on."""

    root = "/home/me/workspace"


CONTEXT = ToolContext("desk/clerk", "r1", "r1", cast("Sandbox", Workspace()))
TOOLSET = Toolset.of(TOOLS)


def judge(rules: Rules, tool: str, path: str) -> Verdict:
    argument = "pattern" if tool == "glob" else "path"
    call = Call(tool, {argument: path})
    return rules.decide(tool, call.arguments, TOOLSET.paths(call, CONTEXT))


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Of `secret/a.env`."""
    nothing = st.sampled_from(["", "./", "/", "q/../", ".//", "x/./y/../../", "secret/../"])
    start = draw(st.sampled_from(["", "./", "../r1/", "/workspace/r1/", "/home/me/workspace/r1/"]))
    middle = draw(nothing) if start else draw(nothing).lstrip("/")
    ends = draw(st.sampled_from(["", "/", "/.", "//", "/x/.."]))
    return f"{start}{middle}secret/{draw(nothing)}a.env{ends}"


@given(path=spellings(), tool=st.sampled_from(TOOLS), rule=st.sampled_from(["*.env", "secret/*"]))
def test_a_rule_holds_for_every_spelling_of_a_path(path: str, tool: str, rule: str) -> None:
    assert judge(Rules(deny=[f"{tool}({rule})"]), tool, path) == "deny"
    assert judge(Rules(ask=[f"{tool}(./{rule})"]), tool, path) == "ask"


@pytest.mark.parametrize("path", ["b.txt", "a.env/b", "secrets/x", "q/secret/x"])
def test_other_paths_are_left_alone(path: str) -> None:
    assert judge(Rules(deny=["write(*.env)", "write(secret/*)"]), "write", path) == "allow"


def test_a_rule_written_for_the_raw_text_still_holds() -> None:
    assert judge(Rules(deny=["write(/workspace/*)"]), "write", "/workspace/r1/x") == "deny"
    assert Rules(deny=["shell(rm *)"]).decide("shell", {"command": "rm a"}) == "deny"


@pytest.mark.parametrize("path", ["a.env/.", "./q/../a.env", "a.env/"])
async def test_a_member_cannot_spell_its_way_around_a_denial(company: Company, path: str) -> None:
    company.hire(
        [
            {
                "profile": "counter",
                "calls": [{"tool": "write", "arguments": {"path": path, "content": "x"}}],
            },
            {"profile": "counter", "say": "{{ tool }}"},
        ],
        members={"counter": {"tools": ["write"], "approvals": {"deny": ["write(a.env)"]}}},
    )
    result = await company.run("Go")
    workspace = company.home.profile("firm", "counter").workspace
    assert list(workspace.rglob("a.env")) == []
    assert "not allowed" in result.answer
