"""Where a member works: what it is given for all its briefs, and what one run adds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from orchestrator.engine.journal import Journal
from orchestrator.events import Watcher
from orchestrator.memory import (
    Conversations,
    ConversationSearch,
    PromptMemory,
    Thinker,
    UserModel,
)
from orchestrator.model.base import Account, BoundModel, Meter, Usage
from orchestrator.profile.schema import Member
from orchestrator.sandbox.base import Sandbox
from orchestrator.skill import Shelf
from orchestrator.tool.policy import Policy
from orchestrator.tool.toolset import Toolset


@dataclass(frozen=True)
class Answer:
    """What a person said to a question."""

    text: str
    decision: str | None = None
    """`approve`, `deny`, or None for free text."""


class Control(Protocol):
    """What people tell a run while it works."""

    def check(self) -> None:
        """Raises RunCancelled when a person has cancelled the run."""
        ...

    def answer(self, question: str) -> Answer | None:
        """The answer to the question of that id, if there is one by now."""
        ...


Think = Callable[[Account, Callable[[Usage, Decimal | None], None]], Thinker]
"""Makes a thinker that is told on whose account it thinks, and tells what that has cost."""


Forget = Callable[[str, str, str], Mapping[str, int]]
"""Forgets for good what a person (first) has told the profile about a topic (third), as asked in a
run (second); how much of what sort.
"""


@dataclass(frozen=True)
class Seat:
    """Everything one profile works with; nothing of it is shared with another profile."""

    member: Member
    system: str
    model: BoundModel
    window: int
    """Context window of the model, in tokens."""
    toolset: Toolset
    policy: Policy
    journal: Journal
    conversations: Conversations
    sandbox: Sandbox
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    search_url: str | None = None
    cache: Path | None = None
    shelf: Shelf | None = None
    past: ConversationSearch | None = None
    """Search in `conversations`."""
    memory: PromptMemory | None = None
    """What of `conversations` and `people` goes into a prompt."""
    people: UserModel | None = None
    think: Think | None = None
    forget: Forget | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever reads a file to write it changed."""
    nudge_turns: int = 0
    """Turns of a session after which the member is asked to write down what it learned; 0: never.
    """


@dataclass(frozen=True)
class Assignment:
    """The run a brief belongs to."""

    run: str
    session: str
    workdir: str
    """Folder of the run inside the member's workspace."""
    meter: Meter
    control: Control
    watch: Watcher
