"""The conclusions of one profile as they are kept: found, ended with a time, taken out for good."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.database import Database, Schema, stored
from orchestrator.index import TOKENIZE, hidden_words
from orchestrator.memory.conversations import storable
from orchestrator.memory.peers import Peers
from orchestrator.memory.schema import SCHEMA as CONVERSATIONS
from orchestrator.memory.user_model import Conclusion, Kind, Level
from orchestrator.text.credentials import LEFT_OUT, redact

VECTORS = "conclusion_vectors"

SCHEMA = Schema(
    "user_model",
    (
        f"""
        CREATE TABLE conclusions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            observer TEXT NOT NULL,
            observed TEXT NOT NULL,
            level TEXT NOT NULL
                CHECK (level IN ('explicit', 'deductive', 'inductive', 'contradiction')),
            kind TEXT NOT NULL,
            slot TEXT NOT NULL DEFAULT '',
            value TEXT NOT NULL DEFAULT '',
            text TEXT NOT NULL,
            norm TEXT NOT NULL,
            hidden TEXT NOT NULL DEFAULT '',
            by TEXT NOT NULL,
            times INTEGER NOT NULL DEFAULT 1,
            valid_from TEXT NOT NULL,
            last_said TEXT NOT NULL,
            invalidated_at TEXT,
            replaced_by INTEGER REFERENCES conclusions (id) ON DELETE SET NULL
        );
        CREATE INDEX conclusions_by_peer ON conclusions (observed, observer, norm);
        CREATE INDEX conclusions_by_slot ON conclusions (observed, observer, slot);
        CREATE INDEX conclusions_by_observer ON conclusions (observer, id);
        CREATE INDEX conclusions_by_successor ON conclusions (replaced_by);
        CREATE TABLE conclusion_sources (
            conclusion INTEGER NOT NULL REFERENCES conclusions (id) ON DELETE CASCADE,
            message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
            PRIMARY KEY (conclusion, message)
        ) WITHOUT ROWID;
        CREATE INDEX conclusion_sources_by_message ON conclusion_sources (message);
        CREATE TABLE conclusion_premises (
            conclusion INTEGER NOT NULL REFERENCES conclusions (id) ON DELETE CASCADE,
            premise INTEGER NOT NULL REFERENCES conclusions (id) ON DELETE CASCADE,
            PRIMARY KEY (conclusion, premise)
        ) WITHOUT ROWID;
        CREATE INDEX conclusion_premises_by_premise ON conclusion_premises (premise);
        CREATE VIRTUAL TABLE conclusion_words USING fts5 (
            text, hidden,
            content = 'conclusions', content_rowid = 'id', tokenize = '{TOKENIZE}'
        );
        CREATE TABLE {VECTORS} (
            stamp INTEGER PRIMARY KEY AUTOINCREMENT,
            id INTEGER NOT NULL UNIQUE REFERENCES conclusions (id) ON DELETE CASCADE,
            vector BLOB NOT NULL
        );
        CREATE TABLE conclusion_space (model TEXT NOT NULL);
        CREATE TRIGGER conclusion_added AFTER INSERT ON conclusions BEGIN
            INSERT INTO conclusion_words (rowid, text, hidden)
                VALUES (new.id, new.text, new.hidden);
        END;
        CREATE TRIGGER conclusion_removed AFTER DELETE ON conclusions BEGIN
            INSERT INTO conclusion_words (conclusion_words, rowid, text, hidden)
                VALUES ('delete', old.id, old.text, old.hidden);
        END;
        """,
    ),
)

_MOST_CHARACTERS = 1_000
"""Of a conclusion."""


class ConclusionStore:
    """Conclusions in the profile's `memory.db`."""

    def __init__(self, database: Database) -> None:
        database.migrate(CONVERSATIONS)
        database.migrate(SCHEMA)
        self._database = database
        self.peers = Peers(database)

    def restore(
        self,
        observer: str,
        observed: str,
        text: str,
        *,
        level: Level,
        kind: Kind,
        slot: str,
        value: str,
        by: str,
        times: int,
        valid_from: datetime,
        last_said: datetime,
        invalidated_at: datetime | None,
        sources: Collection[int],
    ) -> tuple[int, bool]:
        """Keep a conclusion as it stood elsewhere, whatever else is held until `settle`; its id,
        and whether it is new here. Of one that is known, what was added to it there.
        """
        text = cleaned(text)
        if LEFT_OUT in text or value != redact(value):
            slot = value = ""
        with self._database.transaction():
            row = self._database.one(
                "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND norm = ? "
                "AND level = ? AND valid_from = ?",
                observed,
                observer,
                norm(text),
                level,
                stored(valid_from),
            )
            if row is not None:
                self._attach(row["id"], sources, ())
                self._database.execute(
                    "UPDATE conclusions SET times = max(times, ?), last_said = max(last_said, ?), "
                    "invalidated_at = coalesce(invalidated_at, ?) WHERE id = ?",
                    times,
                    stored(last_said),
                    invalidated_at and stored(invalidated_at),
                    row["id"],
                )
                return row["id"], False
            new = self._insert(observer, observed, text, level, kind, slot, value, by, valid_from)
            self._database.execute(
                "UPDATE conclusions SET times = ?, last_said = ?, invalidated_at = ? WHERE id = ?",
                times,
                stored(last_said),
                invalidated_at and stored(invalidated_at),
                new,
            )
            self._attach(new, sources, ())
            return new, True

    def get(self, ids: Collection[int]) -> Mapping[int, Conclusion]:
        """Those of the conclusions that there are, by id."""
        sources = self._linked("conclusion_sources", "message", ids)
        premises = self._linked("conclusion_premises", "premise", ids)
        rows = self._database.among("SELECT * FROM conclusions WHERE id IN ({})", ids)
        return {
            row["id"]: _conclusion(row, sources.get(row["id"], ()), premises.get(row["id"], ()))
            for row in rows
        }

    def about(
        self,
        observed: str | None = None,
        *,
        observer: str | None = None,
        besides: str = "",
        history: bool = False,
        most: int = 100,
    ) -> Sequence[Conclusion]:
        """The newest first; see `UserModel.conclusions`. `besides`: not what that peer holds."""
        condition, values = self._condition(observed, observer, history)
        rows = self._database.all(
            f"SELECT id FROM conclusions WHERE {condition} AND observer <> ? "
            "ORDER BY id DESC LIMIT ?",
            *values,
            besides,
            most,
        )
        found = self.get([row["id"] for row in rows])
        return [found[row["id"]] for row in rows if row["id"] in found]

    def has_any(self, observed: str | None = None, *, observer: str | None = None) -> bool:
        """Whether anything holds of the one, or for the other."""
        condition, values = self._condition(observed, observer, history=False)
        sql = f"SELECT 1 FROM conclusions WHERE {condition} LIMIT 1"
        return self._database.one(sql, *values) is not None

    def surest(
        self, observed: str, observer: str, kinds: Sequence[Kind], most: int
    ) -> Sequence[Conclusion]:
        """Those that hold: contradictions, then by kind in that order, what was said most first."""
        condition, values = self._condition(observed, observer, history=False)
        by_kind = " ".join(f"WHEN '{kind}' THEN {place}" for place, kind in enumerate(kinds))
        rows = self._database.all(
            f"SELECT id FROM conclusions WHERE {condition} ORDER BY level <> 'contradiction', "
            f"CASE kind {by_kind} END, times DESC, last_said DESC, id DESC LIMIT ?",
            *values,
            most,
        )
        found = self.get([row["id"] for row in rows])
        return [found[row["id"]] for row in rows if row["id"] in found]

    def counts(self) -> Mapping[str, int]:
        """How many hold of each level, and how many no more, as `past`."""
        rows = self._database.all(
            "SELECT iif(invalidated_at IS NULL, level, 'past') AS what, COUNT(*) AS n "
            "FROM conclusions GROUP BY what ORDER BY what"
        )
        return {row["what"]: row["n"] for row in rows}

    def invalidate(self, ids: Collection[int], at: datetime, by: int | None = None) -> int:
        """Let conclusions hold no more from a time on, in favour of another one; how many did."""
        done = 0
        with self._database.transaction():
            pending: Collection[int] = ids
            instead = by
            while pending:
                for each in self.get(pending).values():
                    if each.valid and each.id != by:
                        self._database.execute(
                            "UPDATE conclusions SET invalidated_at = ?, replaced_by = ? "
                            "WHERE id = ?",
                            stored(max(at, each.valid_from)),
                            instead,
                            each.id,
                        )
                        done += 1
                # What was drawn from them holds no more either, and nothing takes its place.
                pending, instead = self._drawn(pending), None
        return done

    def delete(self, ids: Collection[int]) -> int:
        """Take conclusions out for good, and those drawn from them; how many are gone."""
        with self._database.transaction():
            every = self.with_drawn(ids)
            for each in every:
                self._database.execute("DELETE FROM conclusions WHERE id = ?", each)
            return len(every)

    def with_drawn(self, ids: Collection[int]) -> set[int]:
        """Those that there are, and all that were drawn from them."""
        rows = self._database.among("SELECT id FROM conclusions WHERE id IN ({})", ids)
        new = {row["id"] for row in rows}
        every = set(new)
        while new:
            rows = self._database.among(
                "SELECT DISTINCT conclusion FROM conclusion_premises WHERE premise IN ({})", new
            )
            new = {row["conclusion"] for row in rows} - every
            every |= new
        return every

    def orphans(self, messages: Collection[int]) -> Sequence[int]:
        """The conclusions that would rest on nothing without those messages."""
        rows = self._database.among(
            "SELECT DISTINCT conclusion FROM conclusion_sources WHERE message IN ({})", messages
        )
        found = self.get({row["conclusion"] for row in rows})
        return [each.id for each in found.values() if set(each.sources) <= set(messages)]

    def outdated(self, messages: Collection[int]) -> set[int]:
        """Those of the messages that conclusions were read from, none of which holds."""
        rows = self._database.among(
            "SELECT s.message FROM conclusion_sources s JOIN conclusions c ON c.id = s.conclusion "
            "WHERE s.message IN ({}) GROUP BY s.message HAVING SUM(c.invalidated_at IS NULL) = 0",
            messages,
        )
        return {row["message"] for row in rows}

    def _insert(
        self,
        observer: str,
        observed: str,
        text: str,
        level: Level,
        kind: Kind,
        slot: str,
        value: str,
        by: str,
        at: datetime,
    ) -> int:
        return self._database.insert(
            "INSERT INTO conclusions (observer, observed, level, kind, slot, value, text, norm, "
            "hidden, by, valid_from, last_said) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            storable(observer),
            storable(observed),
            level,
            kind,
            slot,
            value,
            text,
            norm(text),
            hidden_words(text),
            by,
            stored(at),
            stored(at),
        )

    def _reinforce(self, known: int, at: datetime, sources: Collection[int]) -> bool:
        """Whether it has been said once more."""
        new = self._attach(known, sources, ())
        if new or not sources:
            self._database.execute(
                "UPDATE conclusions SET times = times + ?, last_said = max(last_said, ?) "
                "WHERE id = ?",
                max(1, new),
                stored(at),
                known,
            )
        return new > 0

    def _attach(self, conclusion: int, sources: Collection[int], premises: Collection[int]) -> int:
        """How many sources are new."""
        new = 0
        for message in sources:
            new += self._database.execute(
                "INSERT OR IGNORE INTO conclusion_sources SELECT ?, id FROM messages WHERE id = ?",
                conclusion,
                message,
            )
        for premise in premises:
            self._database.execute(
                "INSERT OR IGNORE INTO conclusion_premises VALUES (?, ?)", conclusion, premise
            )
        return new

    def _drawn(self, ids: Collection[int]) -> Sequence[int]:
        """The valid ones that were drawn from any of those."""
        rows = self._database.among(
            "SELECT DISTINCT p.conclusion FROM conclusion_premises p JOIN conclusions c "
            "ON c.id = p.conclusion WHERE c.invalidated_at IS NULL AND p.premise IN ({})",
            ids,
        )
        return [row["conclusion"] for row in rows]

    def _condition(
        self, observed: str | None, observer: str | None, history: bool
    ) -> tuple[str, Sequence[str]]:
        parts, values = ["1"], list[str]()
        for column, peer in (("observed", observed), ("observer", observer)):
            if peer is not None:
                names = self.peers.names(peer)
                parts.append(f"{column} IN ({', '.join('?' * len(names))})")
                values += names
        if not history:
            parts.append("invalidated_at IS NULL")
        return " AND ".join(parts), values

    def _linked(
        self, table: str, column: str, ids: Collection[int]
    ) -> Mapping[int, tuple[int, ...]]:
        rows = self._database.among(
            f"SELECT conclusion, {column} AS other FROM {table} WHERE conclusion IN ({{}}) "
            "ORDER BY other",
            ids,
        )
        found: dict[int, list[int]] = {}
        for row in rows:
            found.setdefault(row["conclusion"], []).append(row["other"])
        return {conclusion: tuple(others) for conclusion, others in found.items()}


def cleaned(text: str) -> str:
    """On one line, without credentials: also without the beginning of one at the cut."""
    line = storable(" ".join(text[: 20 * _MOST_CHARACTERS].split()))
    return redact(line[: 4 * _MOST_CHARACTERS])[:_MOST_CHARACTERS].strip()


def norm(text: str) -> str:
    """What two spellings of one statement share."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _conclusion(row: Any, sources: tuple[int, ...], premises: tuple[int, ...]) -> Conclusion:
    until = row["invalidated_at"]
    return Conclusion(
        id=row["id"],
        observer=row["observer"],
        observed=row["observed"],
        level=row["level"],
        kind=row["kind"],
        text=row["text"],
        by=row["by"],
        times=row["times"],
        valid_from=datetime.fromisoformat(row["valid_from"]),
        last_said=datetime.fromisoformat(row["last_said"]),
        invalidated_at=datetime.fromisoformat(until) if until is not None else None,
        replaced_by=row["replaced_by"],
        sources=sources,
        premises=premises,
    )
