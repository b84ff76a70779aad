"""Asking the person for whom the work is done."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from orchestrator.errors import PersonNeeded, Question
from orchestrator.tool.base import Arguments, ToolContext, ToolResult


class AskPersonArguments(Arguments):
    question: str = Field(min_length=1, max_length=2000)
    options: tuple[str, ...] = ()


class AskPerson:
    """Stops the member until a person has answered; the answer becomes the result."""

    name: ClassVar[str] = "ask_person"
    description: ClassVar[str] = (
        "Ask the person something only they can decide; waits for the answer."
    )
    arguments: ClassVar[type[Arguments]] = AskPersonArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: AskPersonArguments, context: ToolContext) -> ToolResult:
        raise PersonNeeded(
            [Question("", context.address, arguments.question, "question", arguments.options)]
        )
