"""What is searched of conversations: words in FTS5, and one vector for each thing said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrator.database import Database, stored
from orchestrator.index import (
    DIMENSION,
    MODEL,
    Embed,
    StoredVectors,
    VectorSearch,
    match_any,
    to_int8,
)
from orchestrator.memory.conversations import storable
from orchestrator.memory.schema import SCHEMA, TALK, TOOLS, VECTORS, rebuild_words

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

_WEIGHTS = {TALK: "1, 1, 0.5", TOOLS: "1, 0.5"}
"""Of the columns: what was said, who said it, and the text's hidden words."""

_LARGE = 5_000
"""Messages from which it matters how many rows a word has."""
_COMMON = 0.05
"""Share of the messages that makes a word common: it only adds to what others have found."""
_SCORED = 0.1
"""Share of the messages that the words of one request may find together; the more frequent ones
beyond only add to what the others have found.
"""
_NEWEST = 1_000
"""Rows looked at when all words are common."""
_GROWN = 1.1
"""How much larger a home must be for its words to be counted again."""

_FEW = 5_000
"""Messages within a scope that are compared one by one."""


_Counted = tuple[str, str, int | None]
"""A table, a word in it, and `scored`: then it is counted less far."""


@dataclass(frozen=True)
class Scope:
    """Which messages a search is about; None: any."""

    person: str | None = None
    """Who said it, as in `Message.peer`."""
    session: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this time."""
    without_run: str | None = None
    """Not what belongs to this run, which whoever asks is in the middle of."""
    names: tuple[str, ...] = ()
    """More names of the person."""

    @property
    def bounded(self) -> bool:
        """Whether it leaves out more than a run."""
        return any(each is not None for each in (self.person, self.session, self.since, self.until))

    def condition(self) -> tuple[str, Sequence[str]]:
        """SQL about a row `m` of messages, and its values."""
        parts: list[str] = []
        values: list[str] = []
        if self.person is not None:
            parts.append(f"m.peer IN (?{', ?' * len(self.names)})")
            values += map(storable, (self.person, *self.names))
        for sql, value in (
            ("m.session = ?", self.session),
            ("m.at >= ?", self.since and stored(self.since)),
            ("m.at < ?", self.until and stored(self.until)),
            ("m.run <> ?", self.without_run),
        ):
            if value is not None:
                parts.append(sql)
                values.append(storable(value))
        return " AND ".join(parts), values


class MessageIndex:
    """The messages of one profile, found by words as soon as they are said, by meaning once
    `embed_missing` has run.
    """

    def __init__(self, database: Database, vectors: VectorSearch | None = None) -> None:
        """`vectors` searches what `embed_missing` stores (default: a scan over all of it)."""
        database.migrate(SCHEMA)
        self._vectors: VectorSearch = vectors or StoredVectors(database, VECTORS)
        self._database = database
        self._counts: dict[_Counted, int] = {}
        self._counted_at = 0

    def __len__(self) -> int:
        """How many messages there are that have, or will have, a vector."""
        row = self._database.one("SELECT COUNT(*) AS n FROM talk WHERE text <> ''")
        return row["n"] if row is not None else 0

    def by_words(
        self,
        words: Sequence[str],
        most: int,
        scope: Scope,
        *,
        tools: bool = False,
        scored: int | None = None,
    ) -> Mapping[int, float]:
        """The messages with any of the words that match best, with their BM25, higher being better;
        tools' results only with `tools`. See `ConversationSearch.search`.
        """
        if not words:
            return {}
        found: dict[int, float] = {}
        for table in (TALK, TOOLS)[: 1 + tools]:
            telling, others = self._divided(table, words, scored)
            found.update(self._matching(table, telling, others, most, scope))
        return dict(sorted(found.items(), key=lambda pair: -pair[1])[:most])

    def by_meaning(
        self, query: Vectors, rows: Sequence[int], most: int, scope: Scope
    ) -> Mapping[int, float]:
        """Cosines of the `most` nearest messages within the scope, and of the given rows."""
        if self._model() != MODEL:
            return {}
        if not scope.bounded and scope.without_run is None:
            return self._vectors.similar(query, rows, most)
        within = self._ids(scope) if scope.bounded else None
        if within is not None and len(within) <= _FEW:
            found = self._vectors.similar(query, [*rows, *within], 0)
            allowed: Collection[int] = within
        else:
            # Of the nearest of all, about one in `share` is within the scope.
            share = 1 + self._size() // _FEW if within is not None else 1
            wanted = min(_FEW, most * share) + self._size_of(scope.without_run)
            found = self._vectors.similar(query, rows, wanted)
            allowed = self._within(list(found), scope)
            if within is not None and len(allowed) < most:
                found = {**found, **self._vectors.similar(query, within, 0)}
                allowed = {*allowed, *within}
        nearest = sorted(found.keys() & set(allowed), key=lambda row: -found[row])[:most]
        return {row: found[row] for row in found.keys() & {*rows, *nearest}}

    def embed_missing(self, embed: Embed, most: int | None = None) -> int:
        """Compute vectors that are missing, the newest first, at most `most` (about 0.02 s of CPU
        each); returns how many. For a thread in the background; each batch is kept when it is done.

        Raises EmbedderMissing.
        """
        self._settle_model()
        done = 0
        while most is None or done < most:
            rows = self._database.all(
                "SELECT m.id, m.peer, m.text FROM messages_without_vector "
                "JOIN messages m USING (id) ORDER BY id DESC LIMIT ?",
                8 if most is None else min(8, most - done),
            )
            if not rows:
                break
            vectors = embed([_with_speaker(row["peer"], row["text"]) for row in rows])
            with self._database.transaction():
                for row, vector in zip(rows, vectors, strict=True):
                    self._database.execute(
                        f"INSERT OR REPLACE INTO {VECTORS} (id, vector) "
                        "SELECT id, ? FROM talk WHERE id = ?",
                        to_int8(vector),
                        row["id"],
                    )
                    self._database.execute(
                        "DELETE FROM messages_without_vector WHERE id = ?", row["id"]
                    )
            done += len(rows)
        self._vectors.refresh()
        return done

    def has_meanings(self) -> bool:
        """Whether there is a vector to compare a query's with."""
        return self._database.one(f"SELECT 1 FROM {VECTORS} LIMIT 1") is not None

    def missing(self) -> int:
        """How many vectors `embed_missing` would compute."""
        row = self._database.one("SELECT COUNT(*) AS n FROM messages_without_vector")
        return row["n"] if row is not None else 0

    def rebuild(self) -> None:
        """Index the words anew, and drop the vectors that cannot be read; `embed_missing` computes
        them again.
        """
        with self._database.transaction():
            rebuild_words(self._database)
            self._database.execute(
                f"DELETE FROM {VECTORS} "
                "WHERE length(vector) <> ? OR id NOT IN (SELECT id FROM talk)",
                DIMENSION,
            )
            self._miss_all()
        self._counts = {}

    def _matching(
        self, table: str, telling: Sequence[str], others: Sequence[str], most: int, scope: Scope
    ) -> Sequence[tuple[int, float]]:
        if not telling:
            return self._newest(table, others, most, scope)
        query = match_any(telling)
        if others:
            more = match_any(others)  # twice, for the telling ones are there twice
            query = f"({query}) AND ({query} OR {more} OR {more})"
        half = 0.5 if others else 1.0
        rows = self._select(table, query, scope, "ORDER BY score LIMIT ?", most)
        return [(row["id"], -half * row["score"]) for row in rows]

    def _newest(
        self, table: str, words: Sequence[str], most: int, scope: Scope
    ) -> Sequence[tuple[int, float]]:
        """Of the newest that have all of the words, or else any, the best."""
        found: dict[int, float] = {}
        every = " AND ".join(f'"{word}"' for word in words)
        for query in (every, match_any(words)):
            rows = self._select(table, query, scope, "ORDER BY w.rowid DESC LIMIT ?", _NEWEST)
            found.update({row["id"]: -row["score"] for row in rows})
            if len(found) >= most or len(words) == 1:
                break
        return sorted(found.items(), key=lambda pair: -pair[1])[:most]

    def _select(self, table: str, query: str, scope: Scope, order: str, most: int) -> Sequence[Any]:
        condition, values = scope.condition()
        score = f"SELECT w.rowid AS id, bm25({table}, {_WEIGHTS[table]}) AS score FROM {table} w"
        match = f"WHERE {table} MATCH ?"
        if not condition:
            return self._database.all(f"{score} {match} {order}", query, most)
        # CROSS: the words are looked up first, whatever SQLite believes to be shorter.
        joined = f"{score} CROSS JOIN messages m ON m.id = w.rowid {match} AND {condition} {order}"
        return self._database.all(joined, query, *values, most)

    def _divided(
        self, table: str, words: Sequence[str], scored: int | None
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The words that find rows, and those that only add to what the others have found, which
        takes a look at all of their rows.
        """
        size = self._size()
        if size < _LARGE:
            return words, ()
        if not self._counted_at <= size <= _GROWN * self._counted_at:
            self._counts, self._counted_at = {}, size
        common = int(_COMMON * size)
        if scored is not None:
            common = min(common, 2 * scored)
        counts = {word: self._count((table, word, scored), common) for word in words}
        telling: list[str] = []
        left = _SCORED * size if scored is None else scored
        for word in sorted(words, key=counts.__getitem__):
            if counts[word] >= common or (telling and counts[word] > left):
                break
            left -= counts[word]
            telling.append(word)
        if telling and scored is not None:
            return telling, ()
        return telling, [word for word in words if word not in telling]

    def _count(self, counted: _Counted, most: int) -> int:
        """How many messages have the word, counted up to `most`."""
        if counted not in self._counts:
            table, word, _ = counted
            row = self._database.one(
                f"SELECT COUNT(*) AS n FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT ?)",
                match_any([word]),
                most,
            )
            self._counts[counted] = row["n"] if row is not None else 0
        return self._counts[counted]

    def _size(self) -> int:
        """The newest message's number, which is about how many there are."""
        row = self._database.one("SELECT MAX(id) AS n FROM messages")
        return (row["n"] or 0) if row is not None else 0

    def _size_of(self, run: str | None) -> int:
        row = self._database.one("SELECT COUNT(*) AS n FROM messages WHERE run = ?", run)
        return row["n"] if row is not None else 0

    def _ids(self, scope: Scope) -> Sequence[int]:
        """The newest messages within the scope, at most one more than `_FEW`."""
        condition, values = scope.condition()
        newest = "m.at" if scope.person is None and scope.session is None else "m.id"
        rows = self._database.all(
            f"SELECT m.id FROM messages m WHERE {condition} ORDER BY {newest} DESC LIMIT ?",
            *values,
            _FEW + 1,
        )
        return [row["id"] for row in rows]

    def _within(self, ids: Sequence[int], scope: Scope) -> Collection[int]:
        condition, values = scope.condition()
        rows = self._database.among(
            f"SELECT m.id FROM messages m WHERE {condition} AND m.id IN ({{}})", ids, *values
        )
        return {row["id"] for row in rows}

    def _model(self) -> str | None:
        """What the vectors were computed with."""
        row = self._database.one("SELECT model FROM message_space")
        return row["model"] if row is not None else None

    def _settle_model(self) -> None:
        """Vectors of two models cannot be compared: those of another one are dropped."""
        if self._model() == MODEL:
            return
        with self._database.transaction():
            self._database.execute(f"DELETE FROM {VECTORS}")
            self._database.execute("DELETE FROM message_space")
            self._database.execute("INSERT INTO message_space VALUES (?)", MODEL)
            self._miss_all()

    def _miss_all(self) -> None:
        self._database.execute("DELETE FROM messages_without_vector")
        self._database.execute(
            "INSERT INTO messages_without_vector SELECT id FROM talk "
            f"WHERE text <> '' AND id NOT IN (SELECT id FROM {VECTORS})"
        )


def _with_speaker(peer: str, text: str) -> str:
    """What is embedded: a question often names who spoke."""
    return f"{peer.rpartition('/')[2]}: {text}"
