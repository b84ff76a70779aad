"""How a call becomes an outcome."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

from orchestrator.sandbox.base import Sandbox
from orchestrator.tool.base import Arguments, ToolContext, ToolResult
from orchestrator.tool.toolset import Call, Toolset


class Broken:
    """A tool with a mistake in it, as a plugin may bring one."""

    name: ClassVar[str] = "broken"
    description: ClassVar[str] = "Breaks."
    arguments: ClassVar[type[Arguments]] = Arguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolResult:
        raise KeyError("columns")


async def test_a_tool_that_is_not_there_is_answered_in_whole_sentences(tmp_path: Path) -> None:
    context = ToolContext("desk/clerk", "r1", "r1", cast("Sandbox", None), cache=tmp_path)
    tools = Toolset({"broken": Broken()})
    far = await tools.run(Call("frobnicate", {}), context)
    assert far.text == "there is no tool 'frobnicate'. Tools: broken"
    near = await tools.run(Call("brokn", {}), context)
    assert near.text == "there is no tool 'brokn'; did you mean broken? Tools: broken"


async def test_a_mistake_in_a_tool_is_a_failed_call_and_not_a_failed_member(tmp_path: Path) -> None:
    context = ToolContext(
        address="desk/clerk", run="r1", workdir="r1", sandbox=cast("Sandbox", None), cache=tmp_path
    )
    result = await Toolset({"broken": Broken()}).run(Call("broken", {}), context)
    assert result.outcome == "failed"
    assert "internal error in broken: KeyError('columns')" in result.text
