"""What a profile believes about the peers it deals with: the words, and what a backend must do.

The words are Honcho's: a *peer* is a person or an agent alike, a *conclusion* one statement that an
*observer* holds of an *observed* peer. One profile is one workspace.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

Level = Literal["explicit", "deductive", "inductive", "contradiction"]
"""Said plainly; follows from what was said; a pattern in it; two things that cannot both hold."""

Kind = Literal["identity", "attribute", "relationship", "preference", "instruction", "event"]
KINDS: Sequence[Kind] = get_args(Kind)

AskLevel = Literal["minimal", "low", "medium", "high", "max"]
"""How much is looked up for a question: 1, 1, 2, 4 or 10 rounds with the model."""

RULE = "rule"
"""Who made a conclusion that plain code has read out of a sentence."""


@dataclass(frozen=True)
class Conclusion:
    """One statement about a peer."""

    id: int
    observer: str
    """Whose belief it is: the profile's address, or the peer who told it."""
    observed: str
    level: Level
    kind: Kind
    text: str
    by: str
    """`rule`, `person`, the address of the member that noted it, or a model's name."""
    times: int
    """How many messages have said it."""
    valid_from: datetime
    """When it was said first."""
    last_said: datetime
    invalidated_at: datetime | None = None
    """Since when it holds no more."""
    replaced_by: int | None = None
    sources: tuple[int, ...] = ()
    """The messages it was read from."""
    premises: tuple[int, ...] = ()
    """The conclusions it was drawn from."""

    @property
    def valid(self) -> bool:
        return self.invalidated_at is None


@dataclass(frozen=True)
class QueueStatus:
    """What waits to be understood."""

    unread: int
    """Messages the rules have not seen."""
    pending: int
    """Messages that wait for a model."""
    pending_tokens: int
    working: int
    """Messages a live process has taken."""
    failed: int
    """Messages given up after some attempts."""
    error: str = ""
    """Of the last failure."""


@dataclass(frozen=True)
class Evidence:
    """Something an answer may rest on."""

    ref: str
    """`c12`: a conclusion, `m34`: a message."""
    text: str
    at: datetime
    by: str
    """Who said it, or how it was concluded."""


@dataclass(frozen=True)
class AskAnswer:
    """What is known that answers a question about a peer."""

    text: str
    """Empty where there is no synthesis."""
    cited: tuple[Evidence, ...]
    """What the text rests on; without synthesis the evidence, best first."""
    synthesis: bool
    """False: no model has put it into words; the evidence is all there is."""
    rounds: int = 0
    note: str = ""
    """What a reader must know, e.g. `no synthesis: no model`."""


@dataclass(frozen=True)
class DreamReport:
    """What came of going over the conclusions."""

    state: Literal["done", "skipped", "failed"]
    why: str = ""
    updated: int = 0
    contradicted: int = 0
    deduced: int = 0
    induced: int = 0
    merged: int = 0


class Thinker(Protocol):
    """A language model that fills in a JSON schema."""

    name: str
    careful: bool
    """Whether it may be trusted to reason over what it reads, not only to read."""

    async def write(self, prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises RetinueError when there is no usable answer."""
        ...


class UserModel(Protocol):
    """The user model of one profile, which is one workspace.

    Messages reach it through the profile's conversations: what was said there since is its queue,
    so that nothing is lost when it, or a server behind it, is down. Ids are the profile's own
    numbers; a server's are kept in a table beside them. A thinker is for a backend that has no
    model of its own.
    """

    async def card(self, observed: str, *, observer: str | None = None) -> Sequence[str]:
        """At most 40 lines about a peer, each with its kind before it. `observer`: whose view
        (default: the profile's).
        """
        ...

    async def conclusions(
        self,
        observed: str | None = None,
        *,
        observer: str | None = None,
        query: str | None = None,
        most: int = 100,
        history: bool = False,
    ) -> Sequence[Conclusion]:
        """Of one peer, or of all; those that fit the query best first, else the newest first.
        `history`: also what holds no more.
        """
        ...

    async def conclude(
        self,
        observed: str,
        text: str,
        *,
        by: str,
        kind: Kind = "attribute",
        sources: Collection[int] = (),
    ) -> Conclusion | None:
        """Keep a statement as somebody's note; None when nothing of it may be kept."""
        ...

    async def ask(
        self, observed: str, question: str, *, level: AskLevel, thinker: Thinker | None
    ) -> AskAnswer:
        """What is known of a peer that answers the question, with its sources."""
        ...

    async def work(self, thinker: Thinker | None, *, flush: bool = False) -> QueueStatus:
        """Understand what was said since; `flush`: also what is too little for a batch."""
        ...

    async def dream(self, thinker: Thinker | None, *, force: bool = False) -> DreamReport:
        """Go over the conclusions when nobody waits; `force`: however little is new."""
        ...

    async def queue(self) -> QueueStatus: ...

    async def link(self, alias: str, peer: str) -> None:
        """Two names are the same peer from now on, and what is known of one is known of both.
        Raises PersonError when that makes no sense.
        """
        ...
