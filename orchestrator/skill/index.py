"""What is searched of skills, in a profile's `memory.db`: words in FTS5, and one vector each."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from orchestrator.database import Database, Schema
from orchestrator.index import MODEL, TOKENIZE, hidden_words, match_any, pieces, to_int8
from orchestrator.skill.vectors import TABLE, StoredVectors

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors
    from orchestrator.skill.vectors import Embed, VectorSearch

SCHEMA = Schema(
    "skill_index",
    (
        f"""
        CREATE TABLE skill_index (
            id INTEGER PRIMARY KEY,
            skill TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            content BLOB NOT NULL,
            meaning BLOB NOT NULL
        );
        CREATE VIRTUAL TABLE skill_words USING fts5 (
            name, description, triggers, body, hidden, tokenize = '{TOKENIZE}'
        );
        CREATE TABLE skill_vectors (
            stamp INTEGER PRIMARY KEY AUTOINCREMENT,
            id INTEGER NOT NULL UNIQUE REFERENCES skill_index (id) ON DELETE CASCADE,
            meaning BLOB NOT NULL,
            vector BLOB NOT NULL
        );
        """,
    ),
)

_WEIGHTS = "2, 1, 1, 0.4, 0.2"
"""Of the columns of `skill_words`; half or twice of each changes the ranking little."""

_WORDS_PARTS = ("data", "idx", "content", "docsize", "config")
"""The tables FTS5 keeps for `skill_words`."""

_PIECE_TOKENS = 112
_PIECE_WEIGHTS = (1.0, 0.5)
"""Of the first pieces of the body's prose, beside the description's 1."""
_TRIGGERS_WEIGHT = 0.3
_HEAD_CHARACTERS = 4_000
"""Looked at for the pieces."""

_LARGE = 2_000
"""Skills from which a word that many of them share is not looked for, when others are."""
_COMMON = 0.3
"""Share of the skills that makes a word common: it says little and costs the most. From 0.3 on the
ranking is as with all words, at 0.2 it is worse.
"""

_AT_ONCE = 50
"""Skills written in one transaction; bounds how long others wait."""

_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_MARKUP = re.compile(r"[*`_#>|]+")


@dataclass(frozen=True)
class IndexedSkill:
    """A skill as search sees it."""

    id: str
    """Unique in the library."""
    name: str
    description: str
    body: str
    triggers: tuple[str, ...] = ()
    """Requests it is meant for, in people's words."""


@dataclass(frozen=True)
class Stats:
    """What an update did."""

    added: int
    changed: int
    removed: int
    unchanged: int


class SkillIndex:
    """The skills of one library, found by words as soon as they are in, by meaning once
    `embed_missing` has run.
    """

    def __init__(self, database: Database, vectors: VectorSearch | None = None) -> None:
        """`vectors` searches what `embed_missing` stores (default: a scan over all of it)."""
        database.migrate(SCHEMA)
        self.vectors: VectorSearch = vectors or StoredVectors(database, TABLE)
        self._database = database
        self._common: dict[str, bool] = {}
        self._common_of = 0

    def __len__(self) -> int:
        row = self._database.one("SELECT COUNT(*) AS n FROM skill_index")
        return row["n"] if row is not None else 0

    def update(self, skills: Iterable[IndexedSkill]) -> Stats:
        """Make the index hold these skills and no other; only what changed is written."""
        known = {
            row["skill"]: (row["id"], row["content"])
            for row in self._database.all("SELECT id, skill, content FROM skill_index")
        }
        total = len(known)
        wanted = {skill.id: skill for skill in skills}
        changes = [
            (known.get(skill.id, (None, b""))[0], skill, content)
            for skill in wanted.values()
            if known.get(skill.id, (None, b""))[1] != (content := _content(skill))
        ]
        gone = [row for skill, (row, _) in known.items() if skill not in wanted]
        for at in range(0, len(gone), _AT_ONCE):
            with self._database.transaction():
                for row in gone[at : at + _AT_ONCE]:
                    self._remove(row)
        for at in range(0, len(changes), _AT_ONCE):
            with self._database.transaction():
                for row, skill, content in changes[at : at + _AT_ONCE]:
                    self._write(row, skill, content)
        changed = sum(row is not None for row, _, _ in changes)
        added = len(changes) - changed
        return Stats(added, changed, len(gone), total - len(gone) - changed)

    def put(self, skill: IndexedSkill) -> None:
        """Add or replace one skill."""
        with self._database.transaction():
            known = self._database.one("SELECT id FROM skill_index WHERE skill = ?", skill.id)
            self._write(None if known is None else known["id"], skill, _content(skill))

    def remove(self, id: str) -> None:
        """Forget one skill, if it is there."""
        with self._database.transaction():
            known = self._database.one("SELECT id FROM skill_index WHERE skill = ?", id)
            if known is not None:
                self._remove(known["id"])

    def clear(self) -> None:
        """Forget everything, to be indexed anew, in new tables: the old ones may be damaged."""
        with self._database.transaction():
            given = self._database.one("SELECT seq FROM sqlite_sequence WHERE name = ?", TABLE)
            self._drop_words()
            self._database.execute(f"DROP TABLE IF EXISTS {TABLE}")
            self._database.execute("DROP TABLE IF EXISTS skill_index")
            self._database.execute("DELETE FROM migrations WHERE room = ?", SCHEMA.room)
            self._database.migrate(SCHEMA)
            if given is not None:  # no stamp is given twice: other processes tell vectors by them
                self._database.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", TABLE, given["seq"]
                )
        self._common, self._common_of = {}, 0

    def _drop_words(self) -> None:
        """Also where FTS5 refuses because what it keeps in its tables is damaged."""
        try:
            self._database.execute("DROP TABLE IF EXISTS skill_words")
        except sqlite3.DatabaseError:
            self._database.execute("PRAGMA writable_schema = ON")
            try:
                self._database.execute("DELETE FROM sqlite_master WHERE name = 'skill_words'")
            finally:
                self._database.execute("PRAGMA writable_schema = RESET")
        for part in _WORDS_PARTS:
            self._database.execute(f"DROP TABLE IF EXISTS skill_words_{part}")

    def ids(self) -> Sequence[str]:
        return [row["skill"] for row in self._database.all("SELECT skill FROM skill_index")]

    def embed_missing(
        self, embed: Embed, most: int | None = None, *, only: str | None = None
    ) -> int:
        """Compute the vectors that are missing or out of date, at most `most` (about 0.1 s of CPU
        each), or that of one skill `only`; returns how many. For a thread in the background; each
        batch is kept when it is done.

        Raises EmbedderMissing.
        """
        done = 0
        while most is None or done < most:
            rows = self._database.all(
                "SELECT id, i.name, i.description, triggers, body, i.meaning FROM skill_index i "
                "JOIN skill_words w ON w.rowid = i.id LEFT JOIN skill_vectors v USING (id) "
                "WHERE v.meaning IS NOT i.meaning AND (? IS NULL OR i.skill = ?) LIMIT ?",
                only,
                only,
                8 if most is None else min(8, most - done),
            )
            if not rows:
                break
            vectors = _meanings(embed, [_parts(*row[1:5]) for row in rows])
            with self._database.transaction():
                for row, vector in zip(rows, vectors, strict=True):
                    self._database.execute(
                        "INSERT OR REPLACE INTO skill_vectors (id, meaning, vector) "
                        "SELECT id, meaning, ? FROM skill_index WHERE id = ? AND meaning = ?",
                        to_int8(vector),
                        row["id"],
                        row["meaning"],
                    )
            done += len(rows)
        self.vectors.refresh()
        return done

    def missing(self) -> int:
        """How many vectors `embed_missing` would compute."""
        row = self._database.one(
            "SELECT COUNT(*) AS n FROM skill_index i LEFT JOIN skill_vectors v USING (id) "
            "WHERE v.meaning IS NOT i.meaning"
        )
        return row["n"] if row is not None else 0

    def has_vectors(self) -> bool:
        """Whether anything can be found by meaning yet."""
        return self._database.one("SELECT 1 FROM skill_vectors LIMIT 1") is not None

    def by_words(self, words: Sequence[str], most: int) -> Mapping[int, float]:
        """The rows with any of the words that match best, with their BM25, higher being better."""
        if not words:
            return {}
        telling = [word for word in words if not self._is_common(word)] or words
        found = self._database.all(
            f"SELECT rowid AS id, bm25(skill_words, {_WEIGHTS}) AS score FROM skill_words "
            "WHERE skill_words MATCH ? ORDER BY score LIMIT ?",
            match_any(telling),
            most,
        )
        return {row["id"]: -row["score"] for row in found}

    def _is_common(self, word: str) -> bool:
        """Remembered as long as the library keeps its size."""
        size = len(self)
        if size < _LARGE:
            return False
        if size != self._common_of:
            self._common, self._common_of = {}, size
        if word not in self._common:
            most = int(_COMMON * size)
            row = self._database.one(
                "SELECT COUNT(*) AS n FROM "
                "(SELECT 1 FROM skill_words WHERE skill_words MATCH ? LIMIT ?)",
                match_any([word]),
                most,
            )
            self._common[word] = row is not None and row["n"] == most
        return self._common[word]

    def skill(self, row: int) -> tuple[str, str, str] | None:
        """Id, name and description of a row; None when it was removed meanwhile."""
        found = self._database.one(
            "SELECT skill, name, description FROM skill_index WHERE id = ?", row
        )
        return (found["skill"], found["name"], found["description"]) if found is not None else None

    def _write(self, row: int | None, skill: IndexedSkill, content: bytes) -> None:
        triggers = "\n".join(skill.triggers)
        meaning = _digest(MODEL, skill.name, skill.description, triggers, _head(skill.body))
        values = (skill.name, skill.description, content, meaning)
        if row is None:
            row = self._database.insert(
                "INSERT INTO skill_index (name, description, content, meaning, skill) "
                "VALUES (?, ?, ?, ?, ?)",
                *values,
                skill.id,
            )
        else:
            self._database.execute(
                "UPDATE skill_index SET name = ?, description = ?, content = ?, meaning = ? "
                "WHERE id = ?",
                *values,
                row,
            )
            self._database.execute("DELETE FROM skill_words WHERE rowid = ?", row)
        self._database.execute(
            "INSERT INTO skill_words (rowid, name, description, triggers, body, hidden) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            row,
            skill.name,
            skill.description,
            triggers,
            skill.body,
            hidden_words("\n".join((skill.name, skill.description, triggers, skill.body))),
        )

    def _remove(self, row: int) -> None:
        self._database.execute("DELETE FROM skill_words WHERE rowid = ?", row)
        self._database.execute("DELETE FROM skill_index WHERE id = ?", row)


def _content(skill: IndexedSkill) -> bytes:
    return _digest(skill.name, skill.description, skill.body, *skill.triggers)


def _digest(*texts: str) -> bytes:
    """Of the texts and of where one ends."""
    digest = blake2b(digest_size=16)
    for text in texts:
        data = text.encode(errors="replace")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def _head(body: str) -> str:
    """The beginning of the body's prose: no code, no markup."""
    prose = _CODE.sub(" ", body[: 2 * _HEAD_CHARACTERS])
    return " ".join(_MARKUP.sub(" ", prose).split())[:_HEAD_CHARACTERS]


def _parts(name: str, description: str, triggers: str, body: str) -> Sequence[tuple[str, float]]:
    """The texts a skill's meaning is the middle of, with their weights: name and description, the
    first pieces of the body, and the triggers.
    """
    phrases = triggers.splitlines()
    return [
        (f"{re.sub(r'[-_]+', ' ', name)}. {description}", 1.0),
        *zip(pieces(_head(body), _PIECE_TOKENS, len(_PIECE_WEIGHTS)), _PIECE_WEIGHTS, strict=False),
        *((phrase, _TRIGGERS_WEIGHT / len(phrases)) for phrase in phrases),
    ]


def _meanings(embed: Embed, skills: Sequence[Sequence[tuple[str, float]]]) -> Sequence[Vectors]:
    """One vector a skill; texts embedded together, so that those of a length share a batch."""
    vectors = embed([text for parts in skills for text, _ in parts])
    ends = list(itertools.accumulate(map(len, skills)))
    return [
        [weight for _, weight in parts] @ vectors[end - len(parts) : end]
        for parts, end in zip(skills, ends, strict=True)
    ]
