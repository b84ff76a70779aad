"""What a person writes, read and checked: teams, agents (roles) and settings."""

from __future__ import annotations

from orchestrator.profile.loader import load_agent, load_settings, load_team, validate
from orchestrator.profile.schema import (
    NAME,
    RESERVED,
    Agent,
    Approvals,
    Member,
    MemberLimits,
    RunLimits,
    SupervisorEntry,
    Team,
    ToolChoice,
)
from orchestrator.profile.vocabulary import Names, Vocabulary
from orchestrator.profile.workflow import Repeat, Step, Workflow

__all__ = [
    "NAME",
    "RESERVED",
    "Agent",
    "Approvals",
    "Member",
    "MemberLimits",
    "Names",
    "Repeat",
    "RunLimits",
    "Step",
    "SupervisorEntry",
    "Team",
    "ToolChoice",
    "Vocabulary",
    "Workflow",
    "load_agent",
    "load_settings",
    "load_team",
    "validate",
]
