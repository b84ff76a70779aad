"""Searching 100,000 messages: what a search, an append and the disk cost. Takes over a minute.

The texts are made of invented words whose frequencies follow Zipf's law, the vectors are random.
"""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure, show
from orchestrator.database import Database
from orchestrator.index import DIMENSION, Embedder, to_int8
from orchestrator.memory import Conversations, ConversationSearch, Scope

MESSAGES = 100_000
CHARACTERS = 400
WORDS = 50_000
TIMES = 20


class Language:
    """Invented words; how often the one of rank n comes is in proportion to 1 / (n + 3)."""

    def __init__(self) -> None:
        chance = random.Random(3)
        words: dict[str, None] = {}
        while len(words) < WORDS:
            letters = chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))
            words["".join(letters)] = None
        self.words = list(words)
        self._weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(WORDS)))
        self._chance = chance

    def text(self) -> str:
        words = self._chance.choices(self.words, cum_weights=self._weights, k=CHARACTERS // 4)
        return " ".join(words)[:CHARACTERS]


def _cpu_ms(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return 1000 * (time.process_time() - before)


def _append(said: Conversations, number: int, text: str) -> None:
    said.append(
        f"20260301-090000-{number // 50:06x}",
        run=f"20260301-090000-{number // 2:06x}",
        key=f"call#1/{('brief', 'result')[number % 2]}",
        peer=("person", "desk/analyst")[number % 2],
        kind=("said", "result")[number % 2],
        text=text,
        tokens=len(text) // 4,
    )


def _fill(database: Database, said: Conversations, language: Language) -> int:
    """Returns the bytes of text."""
    size = 0
    for start in range(0, MESSAGES, 1_000):
        with database.transaction():
            for number in range(start, start + 1_000):
                text = language.text()
                size += len(text)
                _append(said, number, text)
    return size


def _random_vectors(database: Database) -> None:
    noise = np.random.default_rng(7)

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = noise.standard_normal((len(texts), DIMENSION)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    ConversationSearch(database, embed).embed_missing(0)  # settles the model
    rows = database.all("SELECT id FROM messages_without_vector")
    for start in range(0, len(rows), 1_000):
        some = rows[start : start + 1_000]
        with database.transaction():
            for row, vector in zip(some, embed([""] * len(some)), strict=True):
                database.execute(
                    "INSERT INTO message_vectors (id, vector) VALUES (?, ?)",
                    row["id"],
                    to_int8(vector),
                )
    database.execute("DELETE FROM messages_without_vector")


def _bytes(database: Database) -> int:
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.path.stat().st_size


def _searched(search: ConversationSearch, queries: Sequence[str], scope: Scope) -> float:
    """Median; each query is new to the search, but its vector is known."""
    search.search("nothing", scope)
    return statistics.median(
        _cpu_ms(lambda query=query: search.search(query, scope)) for query in queries
    )


def measure() -> Sequence[Figure]:
    language = Language()
    rare = language.words[4_000 : 4_000 + TIMES]
    common = language.words[:TIMES]
    mixed = [
        f"{common[n]} {language.words[400 + n]} {rare[n]} {language.words[9_000 + n]}"
        for n in range(TIMES)
    ]
    everywhere, within = Scope(), Scope(person="person")
    embedder = Embedder()
    embedder.embed([*rare, *common, *mixed, "nothing"])
    with tempfile.TemporaryDirectory() as name:
        database = Database(Path(name) / "memory.db")
        said = Conversations(database)
        size = _fill(database, said, language)
        stored = _bytes(database) / size
        words = ConversationSearch(database, None)
        figures = [
            Figure("rare word", _searched(words, rare, everywhere), "ms CPU", at_most=8),
            Figure("very common word", _searched(words, common, everywhere), "ms CPU", at_most=60),
            Figure("four words", _searched(words, mixed, everywhere), "ms CPU"),
            Figure("four words, one person", _searched(words, mixed, within), "ms CPU"),
        ]
        _random_vectors(database)
        both = ConversationSearch(database, embedder.embed)
        figures += [
            Figure("words and vectors", _searched(both, mixed, everywhere), "ms CPU", at_most=90),
            Figure("the same, one person", _searched(both, mixed, within), "ms CPU"),
            Figure(
                "very common word and vectors",
                _searched(both, common, everywhere),
                "ms CPU",
                at_most=90,
            ),
            Figure("stored per byte of text, words", stored, "bytes", at_most=2.5),
            Figure("the same with vectors", _bytes(database) / size, "bytes", at_most=6),
        ]
        texts = [language.text() for _ in range(200)]
        appended = [
            _cpu_ms(lambda number=number, text=text: _append(said, number, text))
            for number, text in enumerate(texts, MESSAGES)
        ]
        figures.append(
            Figure(
                "append of one message",
                statistics.median(appended),
                "ms CPU",
                at_most=2,
                note=f"mean {statistics.fmean(appended):.2f}",
            )
        )
        database.close()
    asked = [_cpu_ms(lambda query=query: embedder.embed([f"{query} and"])) for query in mixed]
    figures.append(Figure("embedding of a query", statistics.median(asked), "ms CPU"))
    return figures


if __name__ == "__main__":
    show(measure())
