"""A member's own plan: what is to do, what is done, what is still to be decided."""

from __future__ import annotations

from typing import ClassVar, Literal

from orchestrator.tool.base import Arguments, ToolContext, ToolResult

MARKS = {"todo": "[ ]", "doing": "[~]", "done": "[x]", "decide": "[?]"}


class PlanItem(Arguments):
    text: str
    state: Literal["todo", "doing", "done", "decide"] = "todo"


class PlanArguments(Arguments):
    items: tuple[PlanItem, ...]


class Plan:
    """Keeps the plan in the conversation; context compression never drops the latest one."""

    name: ClassVar[str] = "plan"
    description: ClassVar[str] = (
        "Keep your plan for work of three or more steps; replaces the earlier plan. "
        "Mark open decisions `decide`."
    )
    arguments: ClassVar[type[Arguments]] = PlanArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: PlanArguments, context: ToolContext) -> ToolResult:
        lines = [f"{MARKS[item.state]} {item.text}" for item in arguments.items]
        return ToolResult("\n".join(lines) or "The plan is empty.", {"items": len(lines)})
