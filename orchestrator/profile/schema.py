"""What a person writes: a team in YAML, an agent (role) in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from orchestrator.memory import MemoryConfig
from orchestrator.profile.workflow import Workflow
from orchestrator.sandbox.base import SandboxConfig

RESERVED = frozenset(
    {"supervisor", "team", "all", "everyone", "here", "me", "you", "person", "none", "default"}
    | {"lock"}
)
"""Names no member and no team may take: `supervisor` is the one every team has, `lock` a file
beside the teams' folders.
"""

MINUTES_OF_A_YEAR = 525_600

NAME = re.compile(r"[a-z0-9_-]{1,63}")

Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} is reserved; choose another name")
    return name


Free = Annotated[Name, AfterValidator(_not_reserved)]
"""A name that is not reserved."""


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} is no name of a variable; write it as it stands in `.env`")
    return name


class ToolChoice(Frozen):
    """`tools:` of an agent or a member: a plain list, or names with commas between them, allows
    just those; `deny` takes away from what is allowed.
    """

    allow: tuple[str, ...] | None = None
    """None: what the agent allows; where that is silent too, the core tools."""
    deny: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _list_means_allow(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        return {"allow": cast("list[Any]", value)} if isinstance(value, list) else value


class Approvals(Frozen):
    """Which tool calls wait for a person (`ask`) or are refused (`deny`).

    A rule is a tool's name, or `tool(pattern)`, the pattern matched (`*`, `?`) against each text
    argument of the call: `shell(rm *)`, `write(*.env)`. `deny` wins over `ask`. Empty: everything
    inside the sandbox is allowed.
    """

    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class MemberLimits(Frozen):
    """What one member may use for one brief."""

    steps: int = Field(default=24, ge=1)
    """Model calls."""
    tokens: int = Field(default=200_000, ge=1)
    minutes: float = Field(default=20, gt=0, le=MINUTES_OF_A_YEAR)


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
    minutes: float = Field(default=60, gt=0, le=MINUTES_OF_A_YEAR)


class Defaults(Frozen):
    """`defaults:` of a team: what a member has when it says nothing itself."""

    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    sandbox: SandboxConfig = SandboxConfig()
    limits: MemberLimits = MemberLimits()
    approvals: Approvals = Approvals()
    allowed_hosts: tuple[str, ...] = ()
    memory: MemoryConfig = MemoryConfig()


class SupervisorEntry(Frozen):
    """`supervisor:` of a team."""

    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    instructions: str = ""
    shortlist: int = Field(default=8, ge=1, le=32)
    """Members its prompt may hold."""
    margin: float | None = Field(default=0.12, ge=0, le=1)
    """Lead in similarity with which a member gets a one-sentence request without a model call;
    null: always ask the model.
    """
    memory: MemoryConfig | None = None


class MemberEntry(Frozen):
    """One entry of `members:`, as written."""

    profile: Free
    agent: str
    description: str | None = None
    """Replaces the agent's, for the supervisor's eyes."""
    model: str | None = None
    fallbacks: tuple[str, ...] | None = None
    tools: ToolChoice = ToolChoice()
    sandbox: SandboxConfig | None = None
    skills: tuple[str, ...] = ()
    aliases: tuple[Free, ...] = ()
    instructions: str = ""
    secrets: tuple[Annotated[str, AfterValidator(_variable)], ...] = ()
    """Names of variables in the profile's own `.env` that its tools may use."""
    limits: MemberLimits | None = None
    approvals: Approvals | None = None
    allowed_hosts: tuple[str, ...] | None = None
    """Hosts `web_fetch` may reach: `example.org`, `*.example.org`, or `*` for any public one."""
    memory: MemoryConfig | None = None


class TeamFile(Frozen):
    """A team's YAML file, as written."""

    name: Free
    description: str = ""
    supervisor: SupervisorEntry = SupervisorEntry()
    defaults: Defaults = Defaults()
    limits: RunLimits = RunLimits()
    members: tuple[MemberEntry, ...]
    workflows: Mapping[str, Workflow] = Field(default_factory=dict[str, Workflow])


class FrontMatter(Frozen):
    """What stands above the persona in `agents/<role>.md`."""

    name: Name
    description: str = Field(min_length=1)
    tools: ToolChoice = ToolChoice()
    model: str | None = None
    examples: tuple[str, ...] = ()
    """Requests this role is meant for; the supervisor's shortlist is built on them."""
    skills: tuple[str, ...] = ()
    steps: int | None = Field(default=None, ge=1)
    """Model calls for one brief, where the member sets no limit itself."""


class Agent(FrontMatter):
    """A role: front matter and persona of one `agents/<role>.md`."""

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
    """Names of the tools that stand in its prompt, core or not."""
    denied: tuple[str, ...] = ()
    """Names of tools it must not even find."""
    sandbox: SandboxConfig
    limits: MemberLimits
    approvals: Approvals
    allowed_hosts: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    instructions: str = ""
    secrets: tuple[str, ...] = ()
    memory: MemoryConfig = MemoryConfig()

    @property
    def address(self) -> str:
        return f"{self.team}/{self.profile}"


class Team(Frozen):
    """A team that was loaded: its sound members, and what is wrong with the others."""

    name: str
    description: str
    supervisor: SupervisorEntry
    supervisor_models: tuple[str, ...]
    supervisor_memory: MemoryConfig = MemoryConfig()
    limits: RunLimits
    members: tuple[Member, ...]
    workflows: Mapping[str, Workflow]
    source: Path
    instructions: str = ""
    """The project folder's `AGENTS.md`, for every member."""
    problems: tuple[str, ...] = ()
    """Members and workflows left out, each with its reason, ready to be shown."""

    def memory(self, profile: str) -> MemoryConfig:
        """How a member remembers, or the supervisor."""
        member = self.member(profile)
        return self.supervisor_memory if member is None else member.memory

    def member(self, name: str) -> Member | None:
        """The member of that profile name or alias."""
        return next(
            (member for member in self.members if name == member.profile or name in member.aliases),
            None,
        )
