"""The user model in the profile's own `memory.db`: the backend that needs nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.index import Embed
from orchestrator.memory import asking, dreams
from orchestrator.memory.card import MOST_LINES, ORDER, card
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.derivation import Derivation
from orchestrator.memory.forgetting import Forgetting
from orchestrator.memory.search import ConversationSearch
from orchestrator.memory.user_model import (
    AskAnswer,
    AskLevel,
    Conclusion,
    DreamReport,
    Kind,
    QueueStatus,
    Thinker,
)

_CARD_OF = 3 * MOST_LINES
"""Conclusions that a card is made of: some say the same, or what is in doubt."""
_EMBED_AT_ONCE = 32


class EmbeddedUserModel:
    """`UserModel` of one profile, whose address is the observer."""

    def __init__(
        self,
        database: Database,
        address: str,
        past: ConversationSearch,
        embed: Embed | None = None,
    ) -> None:
        self.address = address
        self.conclusions_store = Conclusions(database, embed)
        self.derivation = Derivation(database, address, self.conclusions_store)
        self._database = database
        self._past = past

    async def card(self, observed: str, *, observer: str | None = None) -> Sequence[str]:
        return await asyncio.to_thread(self.card_now, observed, observer=observer)

    def card_now(self, observed: str, *, observer: str | None = None) -> Sequence[str]:
        """`card`, for a caller in a thread."""
        store = self.conclusions_store
        found = store.surest(observed, observer or self.address, ORDER, _CARD_OF)
        return card(found, store.peers.names(observed))

    async def conclusions(
        self,
        observed: str | None = None,
        *,
        observer: str | None = None,
        query: str | None = None,
        most: int = 100,
        history: bool = False,
    ) -> Sequence[Conclusion]:
        store = self.conclusions_store
        if query is None:
            return await asyncio.to_thread(
                store.about, observed, observer=observer, history=history, most=most
            )
        found = await asyncio.to_thread(
            store.search, query, observed, observer=observer, history=history, most=most
        )
        return [conclusion for conclusion, _ in found]

    async def conclude(
        self,
        observed: str,
        text: str,
        *,
        by: str,
        kind: Kind = "attribute",
        sources: Collection[int] = (),
    ) -> Conclusion | None:
        store = self.conclusions_store
        now = datetime.now(UTC)

        def keep() -> Conclusion | None:
            made = store.add(
                self.address, observed, text, kind=kind, by=by, at=now, sources=sources
            )
            return None if made is None else store.get([made]).get(made)

        return await asyncio.to_thread(keep)

    async def ask(
        self, observed: str, question: str, *, level: AskLevel, thinker: Thinker | None
    ) -> AskAnswer:
        return await asking.ask(
            observed,
            question,
            level=level,
            thinker=thinker,
            observer=self.address,
            conclusions=self.conclusions_store,
            past=self._past,
        )

    async def work(self, thinker: Thinker | None, *, flush: bool = False) -> QueueStatus:
        await asyncio.to_thread(self.derivation.read)
        if thinker is not None:
            await self.derivation.think(thinker, flush=flush)
        await asyncio.to_thread(self.conclusions_store.embed_missing, _EMBED_AT_ONCE)
        return await self.queue()

    async def dream(self, thinker: Thinker | None, *, force: bool = False) -> DreamReport:
        return await dreams.dream(
            self._database,
            self.address,
            self.conclusions_store,
            thinker,
            force=force,
            is_forgotten=Forgetting(self._database, self.conclusions_store).is_forgotten_conclusion,
        )

    async def queue(self) -> QueueStatus:
        return await asyncio.to_thread(self.derivation.status)

    async def link(self, alias: str, peer: str) -> None:
        await asyncio.to_thread(self.link_now, [alias], peer)

    def link_now(self, aliases: Sequence[str], peer: str) -> None:
        """`link`, for a caller in a thread; all of the aliases, or none."""
        if self.address in (peer, *aliases):
            raise PersonError(f"{self.address!r} is the member itself, no person; give their names")
        with self._database.transaction():
            for alias in aliases:
                self.conclusions_store.link(alias, peer)
