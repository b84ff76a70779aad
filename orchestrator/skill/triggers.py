"""Requests a skill is meant for, in people's words: written into it, or learned from its use."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.database import Database, Schema
from orchestrator.skill.document import SkillDocument

KEY = "triggers"
"""In a skill's `metadata`; one phrase a line."""

NOT_FOR = "not-for"
"""In a skill's `metadata`: requests that sound alike and need something else, one a line."""

MOST = 12
"""Phrases learned for one skill; the oldest stay."""

SCHEMA = Schema(
    "skill_triggers",
    (
        """
        CREATE TABLE skill_trigger (
            id INTEGER PRIMARY KEY,
            skill TEXT NOT NULL,
            phrase TEXT NOT NULL,
            UNIQUE (skill, phrase)
        );
        """,
    ),
)


class Triggers:
    """What a profile has learned of when its skills are wanted; part of the index, not of a
    version: better retrieval needs no new text.
    """

    def __init__(self, database: Database) -> None:
        database.migrate(SCHEMA)
        self._database = database

    def add(self, skill: str, phrase: str) -> None:
        with self._database.transaction():
            if len(self.of(skill)) < MOST:
                self._database.execute(
                    "INSERT OR IGNORE INTO skill_trigger (skill, phrase) VALUES (?, ?)",
                    skill,
                    " ".join(phrase.split()),
                )

    def remove(self, skill: str, phrase: str) -> None:
        """The phrase came from a task that did not go well after all."""
        self._database.execute(
            "DELETE FROM skill_trigger WHERE skill = ? AND phrase = ?",
            skill,
            " ".join(phrase.split()),
        )

    def of(self, skill: str) -> Sequence[str]:
        rows = self._database.all(
            "SELECT phrase FROM skill_trigger WHERE skill = ? ORDER BY id", skill
        )
        return [row["phrase"] for row in rows]

    def stamp(self) -> int:
        """Changes with every phrase added or removed."""
        row = self._database.one("SELECT MAX(id) AS last, COUNT(*) AS n FROM skill_trigger")
        return ((row["last"] or 0) << 20) - row["n"] if row is not None else 0


def written_triggers(document: SkillDocument) -> Sequence[str]:
    """The phrases that stand in the skill itself."""
    return _lines(document, KEY)


def near_misses(document: SkillDocument) -> Sequence[str]:
    """The requests it says it is not for."""
    return _lines(document, NOT_FOR)


def _lines(document: SkillDocument, key: str) -> Sequence[str]:
    lines = document.metadata.get(key, "").splitlines()
    return [line.strip() for line in lines if line.strip()]
