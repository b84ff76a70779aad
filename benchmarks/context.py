"""What a prompt gets from memory: its CPU time with 100,000 messages and 500 conclusions. Takes
some minutes, mostly for Chroma's index.

The texts are made of invented words; each has a vector of its own, and the queries' are known.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, show
from benchmarks.memory import Language
from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.index import DIMENSION, ChromaClients, open_vectors
from orchestrator.index.vectors import normalised
from orchestrator.memory import (
    MESSAGE_VECTORS,
    Conversations,
    ConversationSearch,
    EmbeddedUserModel,
    PromptMemory,
)

MESSAGES = 100_000
CONCLUSIONS = 500
TIMES = 20
OWN = "desk/analyst"
TALK = "talk"
"""A session of 400 messages; the others have 20."""
_START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def _fill(database: Database, said: Conversations, language: Language) -> None:
    with database.transaction():
        for number in range(MESSAGES):
            said.append(
                TALK if number >= MESSAGES - 400 else f"session-{number // 20}",
                run=f"run-{number // 2}",
                key=f"call#1/{number % 2}",
                peer=("person", OWN)[number % 2],
                kind="said",
                text=language.text(),
                tokens=100,
                at=_START + timedelta(minutes=number),
            )


def _conclude(people: EmbeddedUserModel, language: Language) -> None:
    for number in range(CONCLUSIONS):
        text = f"person {language.text()[: 40 + number % 60]}"
        people.conclusions_store.add(OWN, "person", text, by="rule", at=_START)
    people.conclusions_store.embed_missing()


def _cpu_ms(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return 1000 * (time.process_time() - before)


def _median(work: Callable[[int], object]) -> float:
    return statistics.median(_cpu_ms(lambda n=n: work(n)) for n in range(TIMES))


def measure() -> Sequence[Figure]:
    language = Language()
    noise = np.random.default_rng(5)
    queries = [language.text()[:80] for _ in range(TIMES)]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return normalised(noise.standard_normal((len(texts), DIMENSION)).astype(np.float32))

    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        home = Home(Path(name))
        home.create()
        clients = stack.enter_context(ChromaClients(home))
        profile = home.profile(*OWN.split("/"))
        profile.create()
        database = stack.enter_context(closing(Database(profile.memory_db)))
        _fill(database, Conversations(database), language)
        vectors = open_vectors(database, profile, MESSAGE_VECTORS, clients)
        past = ConversationSearch(database, embed, vectors)
        past.embed_missing()
        people = EmbeddedUserModel(database, OWN, past, embed)
        _conclude(people, language)
        memory = PromptMemory(database, past, people)
        for _ in range(4):
            asyncio.run(memory.summaries.summarise(None))

        def ask(n: int, session: str) -> None:
            memory.for_turn(
                person="person",
                session=session,
                query=queries[n],
                run="now",
                most=3_000,
                refresh_turns=10,
            )

        def begin_anew(n: int) -> None:
            database.execute("DELETE FROM session_notes")
            ask(n, TALK)

        ask(0, TALK)  # loads the tokenizer and the vectors
        return [
            Figure(
                "context, first turn of a session",
                _median(lambda n: ask(n, f"new-{n}")),
                "ms CPU",
                at_most=25,
            ),
            Figure(
                "context, long session, put together anew",
                _median(begin_anew),
                "ms CPU",
                at_most=25,
            ),
            Figure(
                "context, long session, later turn",
                _median(lambda n: ask(n, TALK)),
                "ms CPU",
                at_most=25,
            ),
            Figure(
                "notes for work on behalf of a person",
                _median(lambda n: memory.about("person", queries[n], 300)),
                "ms CPU",
                at_most=25,
            ),
        ]


if __name__ == "__main__":
    show(measure())
