"""The tasks of one profile that went well, so that the second of a kind is recognised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.database import Database, Schema
from orchestrator.index import EmbedderMissing, content_words, stack_int8, to_int8
from orchestrator.skill.vectors import Embed

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

SCHEMA = Schema(
    "skill_tasks",
    (
        """
        CREATE TABLE skill_task (
            run TEXT NOT NULL,
            task TEXT NOT NULL,
            brief TEXT NOT NULL,
            vector BLOB,
            learned TEXT NOT NULL DEFAULT '',
            at TEXT NOT NULL,
            PRIMARY KEY (run, task)
        );
        """,
    ),
)

SAME = 0.6
"""Cosine of two requests, without their particulars, from which on they are of one kind."""
_SAME_WORDS = 0.4
"""Without an embedder: share of the words of both that they have in common."""

_MOST = 500
"""The newest tasks looked at."""


_PARTICULARS = re.compile(
    r"`[^`]*`|\"[^\"]*\"|“[^”]*”|\S*[\d/\\@_]\S*|\S+\.\w{1,5}\b|(?<![.!?:]\s)(?<!^)\b[A-Z]\w+"
)
"""Quoted text, numbers, paths, addresses, file names, and names of people and places."""


class Tasks:
    """Briefs of finished tasks in the profile's `memory.db`."""

    def __init__(self, database: Database, embed: Embed | None) -> None:
        database.migrate(SCHEMA)
        self._database = database
        self._embed = embed

    def add(self, run: str, task: str, brief: str) -> None:
        """Remember a task that went well; once."""
        vectors = self._vectors([brief])
        self._database.execute(
            "INSERT OR IGNORE INTO skill_task (run, task, brief, vector, at) "
            "VALUES (?, ?, ?, ?, ?)",
            run,
            task,
            brief,
            to_int8(vectors[0]) if vectors is not None else None,
            datetime.now(UTC).isoformat(),
        )

    def remove(self, run: str, task: str) -> None:
        """The task did not go well after all."""
        self._database.execute("DELETE FROM skill_task WHERE run = ? AND task = ?", run, task)

    def learned(self, run: str, task: str) -> str:
        """The skill that came of the task; empty: none yet."""
        row = self._database.one(
            "SELECT learned FROM skill_task WHERE run = ? AND task = ?", run, task
        )
        return row["learned"] if row is not None else ""

    def mark(self, run: str, task: str, skill: str) -> None:
        """Nothing more is to be learned from the task."""
        self._database.execute(
            "UPDATE skill_task SET learned = ? WHERE run = ? AND task = ?", skill, run, task
        )

    def seen_like(self, brief: str, *, without: tuple[str, str]) -> bool:
        """Whether a task of the same kind has gone well, other than this one (run and task)."""
        rows = self._database.all(
            "SELECT brief, vector FROM skill_task WHERE (run, task) != (?, ?) "
            "ORDER BY rowid DESC LIMIT ?",
            *without,
            _MOST,
        )
        if not rows:
            return False
        vectors = self._vectors([brief])
        if vectors is not None and (stored := [row["vector"] for row in rows if row["vector"]]):
            return float((stack_int8(stored) @ vectors[0]).max()) >= SAME
        return any(_alike(brief, row["brief"]) >= _SAME_WORDS for row in rows)

    def alike(self, brief: str, phrases: Sequence[str]) -> bool:
        """Whether one of the phrases asks for the same kind of work."""
        if not phrases:
            return False
        vectors = self._vectors([brief, *phrases])
        if vectors is not None:
            return float((vectors[1:] @ vectors[0]).max()) >= SAME
        return any(_alike(brief, phrase) >= _SAME_WORDS for phrase in phrases)

    def _vectors(self, texts: Sequence[str]) -> Vectors | None:
        if self._embed is None:
            return None
        try:
            return self._embed([general(text) for text in texts])
        except EmbedderMissing:
            return None


def general(text: str) -> str:
    """The request without what belongs to this one case; the whole where nothing would be left."""
    line = " ".join(text.split())
    left = " ".join(_PARTICULARS.sub(" ", line).split())
    return left if len(content_words(left)) > 1 else line


def _alike(one: str, other: str) -> float:
    """Share of the words of both that stand in each."""
    first, second = set(content_words(general(one))), set(content_words(general(other)))
    return len(first & second) / len(first | second) if first | second else 0.0
