"""Conversations to search in, and an embedding by topic that needs no model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.database import Database
from orchestrator.index import DIMENSION
from orchestrator.index.vectors import normalised
from orchestrator.memory import Conversations, ConversationSearch
from orchestrator.memory.conversations import Kind

TOPICS = (
    ("cello", "music", "violin", "concert"),
    ("lease", "rent", "landlord"),
    ("fridge", "cold", "freezer"),
    ("dog", "pet", "puppy"),
)


def by_topic(texts: Sequence[str]) -> NDArray[np.float32]:
    """Texts on one topic lie together, whatever their words; others lie anywhere."""
    vectors = np.zeros((len(texts), DIMENSION), np.float32)
    for row, text in enumerate(texts):
        anywhere = np.random.default_rng(zlib.crc32(text.encode(errors="replace")))
        vectors[row, len(TOPICS) :] = anywhere.normal(scale=0.01, size=DIMENSION - len(TOPICS))
        for place, words in enumerate(TOPICS):
            vectors[row, place] += sum(word in text.lower() for word in words)
    return normalised(vectors)


class Past:
    """The memory of one profile."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(folder / "memory.db")
        self.said = Conversations(self.database)
        self._number = 0

    def say(
        self,
        text: str,
        *,
        peer: str = "person",
        session: str = "talk",
        run: str = "run",
        kind: Kind = "said",
        at: datetime | None = None,
    ) -> None:
        self._number += 1
        self.said.append(
            session,
            run=run,
            key=f"{id(self)}/{self._number}",
            peer=peer,
            kind=kind,
            text=text,
            tokens=len(text) // 4,
            at=at,
        )

    def search(self) -> ConversationSearch:
        """By words and topics, all vectors computed."""
        search = ConversationSearch(self.database, by_topic)
        search.embed_missing()
        return search

    def by_words(self) -> ConversationSearch:
        return ConversationSearch(self.database)
