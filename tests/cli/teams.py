"""A team to speak to."""

from __future__ import annotations

from pathlib import Path

from orchestrator.profile.schema import (
    Agent,
    Approvals,
    Member,
    MemberLimits,
    RunLimits,
    SupervisorEntry,
    Team,
)
from orchestrator.profile.workflow import Step, Workflow
from orchestrator.sandbox.base import SandboxConfig


def desk(*workflows: str) -> Team:
    return Team(
        name="desk",
        description="Answers questions.",
        supervisor=SupervisorEntry(),
        supervisor_models=(),
        limits=RunLimits(),
        members=(_member("analyst", "data"), _member("writer")),
        workflows={
            name: Workflow(
                inputs={"topic": None, "count": 3, "style": "short"},
                steps=(Step(id="one", agent="analyst", prompt="x"),),
            )
            for name in workflows
        },
        source=Path("desk.yaml"),
    )


def _member(profile: str, *aliases: str) -> Member:
    return Member(
        team="desk",
        profile=profile,
        agent=Agent(name=profile, description="Works."),
        description="Works.",
        models=(),
        tools=(),
        sandbox=SandboxConfig(),
        limits=MemberLimits(),
        approvals=Approvals(),
        aliases=aliases,
    )
