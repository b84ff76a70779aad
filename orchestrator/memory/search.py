"""Finding what was said in past conversations, by words and by meaning at once."""

from __future__ import annotations

import logging
import statistics
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.index import Embed, EmbedderMissing, VectorSearch, content_words, pieces
from orchestrator.memory.conversations import Conversations, Message, storable
from orchestrator.memory.index import MessageIndex, Scope
from orchestrator.memory.peers import Peers

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

log = logging.getLogger(__name__)

VECTOR_WEIGHT = 0.5
"""Share of the meaning in a score, the rest being the words'; `docs/memory.md` says how it was
chosen.
"""

_CANDIDATES = 50
"""Taken from each side."""

_QUERY_TOKENS = 128
_QUERY_CHARACTERS = 4_000
"""Looked at for them."""

_CHANCE = 0.2
"""Cosine below which a message without a common word is no answer."""

EVERYTHING = Scope()


@dataclass(frozen=True)
class Found:
    """A message that may be meant, and why."""

    message: Message
    score: float
    """Between 0 and 1, within one search."""
    words: float
    """Its BM25; 0: it shares no telling word with the request."""
    vector: float | None
    """Cosine of its meaning and the request's; None: it has no vector yet."""

    @property
    def fits(self) -> bool:
        """Whether it has a word in common with the request, or is near it in meaning."""
        return self.words > 0 or (self.vector or 0) >= _CHANCE


class ConversationSearch:
    """Search in the conversations of one profile. Without an embedder words alone decide, which is
    logged once. Methods may be called from any thread.
    """

    def __init__(
        self,
        database: Database,
        embed: Embed | None = None,
        vectors: VectorSearch | None = None,
        *,
        vector_weight: float = VECTOR_WEIGHT,
    ) -> None:
        self.conversations = Conversations(database)
        self.index = MessageIndex(database, vectors)
        self.peers = Peers(database)
        self._embed = embed
        self._weight = vector_weight
        if embed is None:
            log.warning("conversations are searched by words alone: there is no embedder")

    def search(
        self,
        query: str,
        scope: Scope = EVERYTHING,
        *,
        most: int = 10,
        tools: bool = False,
        vector: Vectors | None = None,
        scored: int | None = None,
    ) -> Sequence[Found]:
        """What was said that fits best, best first; a person is searched under all of their names.
        `tools`: or given back by a tool; `vector`: of the query, when it has been computed already;
        `scored`: look at about so many messages with its words, the rarest first.
        """
        if scope.person is not None:
            scope = replace(scope, names=tuple(self.peers.names(scope.person)))
        candidates = max(_CANDIDATES, most)
        text = unicodedata.normalize("NFC", storable(query))  # else accents divide words
        words = self.index.by_words(
            content_words(text), candidates, scope, tools=tools, scored=scored
        )
        if vector is None and self.index.has_meanings():
            vector = self.meaning(text)
        cosines: Mapping[int, float] = {}
        if vector is not None:
            cosines = self.index.by_meaning(vector, list(words), candidates, scope)
        scores = fused(words, cosines, self._weight)
        best = sorted(scores, key=lambda row: (-scores[row], -row))[:most]
        messages = self.conversations.get(best)
        return [
            Found(messages[row], scores[row], words.get(row, 0.0), cosines.get(row))
            for row in best
            if row in messages
        ]

    def embed_missing(self, most: int | None = None) -> int:
        """See `MessageIndex.embed_missing`; 0 where there is no embedder."""
        if self._embed is None:
            return 0
        try:
            return self.index.embed_missing(self._embed, most)
        except EmbedderMissing as error:
            self._go_without(error)
            return 0

    def meaning(self, query: str) -> Vectors | None:
        """The query's vector; None where there is no embedder, or nothing in the query."""
        text = unicodedata.normalize("NFC", storable(query[:_QUERY_CHARACTERS]))
        if self._embed is None or not (head := pieces(text, _QUERY_TOKENS, 1)):
            return None
        try:
            return self._embed(head)[0]
        except EmbedderMissing as error:
            self._go_without(error)
            return None

    def _go_without(self, error: EmbedderMissing) -> None:
        log.warning("conversations are searched by words alone: %s", error)
        self._embed = None


def fused(
    words: Mapping[int, float], cosines: Mapping[int, float], weight: float
) -> Mapping[int, float]:
    """Scores of the union, each side scaled to between 0 and 1 within it (Bruch et al.,
    arXiv 2210.11934). Who shares no word has 0 there, who has no vector yet what is usual.
    """
    rows = words.keys() | cosines.keys()
    by_words = _scaled({row: words.get(row, 0.0) for row in rows})
    if not cosines:
        return by_words
    usual = statistics.median(cosines.values())
    by_meaning = _scaled({row: cosines.get(row, usual) for row in rows})
    return {row: (1 - weight) * by_words[row] + weight * by_meaning[row] for row in rows}


def _scaled(values: Mapping[int, float]) -> Mapping[int, float]:
    least, most = min(values.values(), default=0.0), max(values.values(), default=0.0)
    if most == least:
        return dict.fromkeys(values, 1.0 if most else 0.0)
    return {row: (value - least) / (most - least) for row, value in values.items()}


def moment(text: str, *, end: bool = False) -> datetime:
    """The time that a person wrote, `2026-03-01` or `2026-03-01T14:30`, in UTC unless it says
    otherwise; of a day its beginning, or with `end` its end. Raises PersonError.
    """
    try:
        time = datetime.fromisoformat(text)
        if end and _is_day(text):
            time += timedelta(days=1)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PersonError(f"{text!r} is no time; write 2026-03-01, or 2026-03-01T14:30") from error


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
