"""What a person writes: a team in YAML, an agent (role) in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.profile.workflow import Workflow
from orchestrator.sandbox.base import SandboxConfig

RESERVED = frozenset(
    {"supervisor", "team", "all", "everyone", "here", "me", "you", "person", "none", "default"}
)
"""Names no member may take; `supervisor` is the one every team has."""

NAME = re.compile(r"[a-z0-9_-]{1,63}")

Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolChoice(Frozen):
    """`tools:` of an agent or a member: a plain list allows just those; `deny` takes away from what
    is allowed.
    """

    allow: tuple[str, ...] | None = None
    """None: what the agent allows; where that is silent too, the core tools."""
    deny: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _list_means_allow(cls, value: Any) -> Any:
        return {"allow": cast("list[Any]", value)} if isinstance(value, list) else value


class Approvals(Frozen):
    """Which tool calls wait for a person (`ask`) or are refused (`deny`).

    A rule is a tool's name, or `tool(pattern)`, the pattern matched (`*`, `?`) against the call's
    main argument: `shell(rm *)`, `write(*.env)`. `deny` wins over `ask`. Empty: everything inside
    the sandbox is allowed.
    """

    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class MemberLimits(Frozen):
    """What one member may use for one brief."""

    steps: int = Field(default=24, ge=1)
    """Model calls."""
    tokens: int = Field(default=200_000, ge=1)
    minutes: float = Field(default=20, gt=0)


class RunLimits(Frozen):
    """What a whole run may use; each one ends the run `limited`, with its work kept."""

    hops: int = Field(default=12, ge=1)
    """Member calls."""
    repeats: int = Field(default=2, ge=1)
    """Times the same member may get the same brief."""
    steps: int = Field(default=120, ge=1)
    """Model calls of all members together."""
    tokens: int = Field(default=1_000_000, ge=1)
    cost_usd: Decimal = Field(default=Decimal(5), gt=0)
    minutes: float = Field(default=60, gt=0)


class Defaults(Frozen):
    """`defaults:` of a team: what a member has when it says nothing itself."""

    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    sandbox: SandboxConfig = SandboxConfig()
    limits: MemberLimits = MemberLimits()
    approvals: Approvals = Approvals()


class SupervisorEntry(Frozen):
    """`supervisor:` of a team."""

    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    instructions: str = ""
    shortlist: int = Field(default=8, ge=1, le=32)
    """Members its prompt may hold."""
    margin: float | None = Field(default=0.15, ge=0, le=1)
    """Lead in similarity with which a member gets a one-sentence request without a model call;
    null: always ask the model.
    """


class MemberEntry(Frozen):
    """One entry of `members:`, as written."""

    profile: Name
    agent: str
    description: str | None = None
    """Replaces the agent's, for the supervisor's eyes."""
    model: str | None = None
    fallbacks: tuple[str, ...] | None = None
    tools: ToolChoice = ToolChoice()
    sandbox: SandboxConfig | None = None
    skills: tuple[str, ...] = ()
    aliases: tuple[Name, ...] = ()
    instructions: str = ""
    secrets: tuple[str, ...] = ()
    """Names of variables in the profile's own `.env` that its tools may use."""
    limits: MemberLimits | None = None
    approvals: Approvals | None = None

    @field_validator("profile")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError(f"{value!r} is reserved; choose another name")
        return value


class TeamFile(Frozen):
    """A team's YAML file, as written."""

    name: Name
    description: str = ""
    supervisor: SupervisorEntry = SupervisorEntry()
    defaults: Defaults = Defaults()
    limits: RunLimits = RunLimits()
    members: tuple[MemberEntry, ...]
    workflows: Mapping[str, Workflow] = Field(default_factory=dict[str, Workflow])


class Agent(Frozen):
    """A role: front matter and persona of one `agents/<role>.md`."""

    name: str
    description: str
    tools: ToolChoice = ToolChoice()
    model: str | None = None
    examples: tuple[str, ...] = ()
    """Requests this role is meant for; the supervisor's shortlist is built on them."""
    persona: str = ""
    source: Path | None = None


class Member(Frozen):
    """A member with everything resolved: what the runtime works with."""

    team: str
    profile: str
    agent: Agent
    description: str
    models: tuple[str, ...]
    """First choice, then fallbacks; empty: the settings' or the one found."""
    tools: tuple[str, ...]
    """Names of the tools it may use, core or not."""
    sandbox: SandboxConfig
    limits: MemberLimits
    approvals: Approvals
    skills: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    instructions: str = ""
    secrets: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.team}/{self.profile}"


class Team(Frozen):
    """A team that was loaded: its sound members, and what is wrong with the others."""

    name: str
    description: str
    supervisor: SupervisorEntry
    supervisor_models: tuple[str, ...]
    limits: RunLimits
    members: tuple[Member, ...]
    workflows: Mapping[str, Workflow]
    source: Path
    instructions: str = ""
    """The project folder's `AGENTS.md`, for every member."""
    problems: tuple[str, ...] = ()
    """Members and workflows left out, each with its reason, ready to be shown."""

    def member(self, name: str) -> Member | None:
        """The member of that profile name or alias."""
        return next(
            (member for member in self.members if name == member.profile or name in member.aliases),
            None,
        )
