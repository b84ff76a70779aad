"""What a member has in the end: its own word, else its agent's, else the team's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from orchestrator.memory import MemoryConfig
from orchestrator.profile.schema import (
    Agent,
    Defaults,
    Member,
    MemberEntry,
    SupervisorEntry,
    ToolChoice,
)

B = TypeVar("B", bound=BaseModel)


def member(
    entry: MemberEntry, agent: Agent, *, team: str, defaults: Defaults, core: Sequence[str]
) -> Member:
    """The member with everything resolved; `core` are the tools where nobody names any.

    Limits, sandbox, approvals and memory are taken over key by key.
    """
    limits = defaults.limits
    if agent.steps is not None:
        limits = limits.model_copy(update={"steps": agent.steps})
    fallbacks = defaults.fallbacks if entry.fallbacks is None else entry.fallbacks
    return Member(
        team=team,
        profile=entry.profile,
        agent=agent,
        description=entry.description or agent.description,
        models=_chain(entry.model or agent.model or defaults.model, fallbacks),
        tools=_tools(entry.tools, agent.tools, core),
        denied=_once((*agent.tools.deny, *entry.tools.deny)),
        sandbox=_over(defaults.sandbox, entry.sandbox),
        limits=_over(limits, entry.limits),
        approvals=_over(defaults.approvals, entry.approvals),
        memory=_over(defaults.memory, entry.memory),
        allowed_hosts=(
            defaults.allowed_hosts if entry.allowed_hosts is None else entry.allowed_hosts
        ),
        skills=_once((*agent.skills, *entry.skills)),
        aliases=entry.aliases,
        instructions=entry.instructions,
        secrets=entry.secrets,
    )


def supervisor_models(supervisor: SupervisorEntry, defaults: Defaults) -> tuple[str, ...]:
    return _chain(supervisor.model or defaults.model, supervisor.fallbacks or defaults.fallbacks)


def supervisor_memory(supervisor: SupervisorEntry, defaults: Defaults) -> MemoryConfig:
    return _over(defaults.memory, supervisor.memory)


def _chain(model: str | None, fallbacks: Sequence[str]) -> tuple[str, ...]:
    return _once((model, *fallbacks)) if model is not None else ()


def _tools(own: ToolChoice, agent: ToolChoice, core: Sequence[str]) -> tuple[str, ...]:
    allowed = core if agent.allow is None else agent.allow
    if own.allow is not None:
        allowed = own.allow
    denied = {*agent.deny, *own.deny}
    return _once(name for name in allowed if name not in denied)


def _over(defaults: B, own: B | None) -> B:
    """The defaults, with each key that is written in `own` replaced."""
    if own is None:
        return defaults
    return defaults.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
