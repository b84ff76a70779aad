"""Members and people for workflow tests: they say what they are told to, and remember it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import Question
from orchestrator.events import Event
from orchestrator.profile.workflow import Workflow, check
from orchestrator.team.workflow import WorkflowResult, resolve_inputs, run_workflow

MEMBERS = frozenset({"researcher", "writer", "checker"})

Play = Callable[[str, Brief, str], Awaitable[MemberResult]]


def workflow(text: str) -> Workflow:
    """A sound workflow out of YAML."""
    found = Workflow.model_validate(yaml.safe_load(text))
    assert check(found, MEMBERS) == []
    return found


def done(
    profile: str, call: str, text: str, output: Mapping[str, Any] | None = None
) -> MemberResult:
    return MemberResult(profile, call, "completed", text, output=output)


def failed(profile: str, call: str, why: str) -> MemberResult:
    return MemberResult(profile, call, "failed", why)


async def echo(profile: str, brief: Brief, call: str) -> MemberResult:
    return done(profile, call, f"{profile}({brief.goal})")


@dataclass
class Cast:
    """Who takes part in a run, and what they were asked."""

    play: Play = echo
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    """By question id."""
    briefs: dict[str, Brief] = field(default_factory=dict[str, Brief])
    """By call, in the order of the calls."""
    asked: dict[str, Question] = field(default_factory=dict[str, Question])
    routed: dict[str, str] = field(default_factory=dict[str, str])
    events: list[Event] = field(default_factory=list[Event])

    async def call(self, profile: str, brief: Brief, call: str) -> MemberResult:
        assert call not in self.briefs
        self.briefs[call] = brief
        return await self.play(profile, brief, call)

    async def ask(self, question: Question) -> Answer | None:
        self.asked[question.id] = question
        return self.answers.get(question.id)

    async def route(self, prompt: str, call: str) -> str:
        self.routed[call] = prompt
        return "writer"

    async def run(
        self,
        flow: Workflow | str,
        given: Mapping[str, object] | None = None,
        parallel: int = 4,
    ) -> WorkflowResult:
        sound = workflow(flow) if isinstance(flow, str) else flow
        return await run_workflow(
            sound,
            resolve_inputs(sound, given or {}),
            run="r1",
            call=self.call,
            ask=self.ask,
            route=self.route,
            watch=self.events.append,
            parallel=parallel,
        )
