"""What a member does with its model of people: note something, ask what is known, forget."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from pydantic import Field

from orchestrator.errors import ToolFailed
from orchestrator.memory import AskLevel, UserModel
from orchestrator.memory.asking import EVIDENCE_ALONE
from orchestrator.memory.quoting import listed, on_one_line
from orchestrator.tool.base import Arguments, ToolContext, ToolResult


class RememberArguments(Arguments):
    text: str = Field(min_length=3, max_length=500)


class Remember:
    """Keeps the member's own note about the person it works for."""

    name: ClassVar[str] = "remember"
    description: ClassVar[str] = (
        "Remember, across conversations, something the person you work for has told about "
        "themselves or wants done: one full sentence."
    )
    arguments: ClassVar[type[Arguments]] = RememberArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: RememberArguments, context: ToolContext) -> ToolResult:
        people = _people(context)
        kept = await people.conclude(
            context.person,
            arguments.text,
            by=context.address,
            sources=() if context.message is None else [context.message],
        )
        if kept is None:
            raise ToolFailed(
                "nothing of it may be kept: it holds a credential, or they are not observed"
            )
        return ToolResult(f"kept: {kept.text}", {"conclusion": kept.id})


class AskAboutArguments(Arguments):
    question: str = Field(min_length=3, max_length=2_000)
    person: str | None = None
    level: AskLevel | None = Field(
        None, description="none: the evidence alone; minimal to max: an answer, ever dearer"
    )


class AskAbout:
    """Answers a question about a person from what the member knows, with sources."""

    name: ClassVar[str] = "ask_about"
    description: ClassVar[str] = (
        "Ask what you know about a person (default: the one you work for): who they are, what "
        "they prefer, what they said. Cites conclusions (c12) and messages (m34)."
    )
    arguments: ClassVar[type[Arguments]] = AskAboutArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: AskAboutArguments, context: ToolContext) -> ToolResult:
        people = _people(context)
        person = arguments.person or context.person
        answer = await people.ask(
            person,
            arguments.question,
            level=arguments.level or "low",
            thinker=context.thinker() if context.thinker and arguments.level else None,
        )
        if not answer.text and not answer.cited:
            return ToolResult(f"(empty) nothing is known of {person!r} that fits", empty=True)
        lines = [answer.text] if answer.text else []
        lines += listed(
            [f"[{each.ref}] {each.at:%Y-%m-%d} {each.by}: {each.text}" for each in answer.cited]
        )
        if note := answer.note if arguments.level else EVIDENCE_ALONE:
            lines.append(f"({on_one_line(note)})")
        return ToolResult("\n".join(lines), {"cited": [each.ref for each in answer.cited]})


class ForgetArguments(Arguments):
    topic: str = Field(min_length=3, max_length=120, description="two to six telling words of it")


class Forget:
    """Forgets what the person it works for has told, once they have agreed."""

    name: ClassVar[str] = "forget"
    description: ClassVar[str] = (
        "Forget for good what the person you work for has told you on a topic, when they want "
        "that: messages, replies and what you know. They are asked first."
    )
    arguments: ClassVar[type[Arguments]] = ForgetArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: ForgetArguments, context: ToolContext) -> ToolResult:
        if context.forget is None:
            raise ToolFailed("this member cannot forget")
        counts = await asyncio.to_thread(context.forget, arguments.topic)
        gone = ", ".join(f"{number} {sort}" for sort, number in counts.items() if number)
        if not gone:
            return ToolResult("(empty) nothing was told that has all of these words", empty=True)
        return ToolResult(f"forgotten: {gone}. Do not say it again.", dict(counts))


def _people(context: ToolContext) -> UserModel:
    if context.people is None:
        raise ToolFailed("this member keeps nothing about people")
    return context.people
