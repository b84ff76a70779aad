"""The conclusions of one profile: kept once, counted, replaced with a time, never overwritten."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.database import Database, Schema
from orchestrator.index import (
    DIMENSION,
    MODEL,
    TOKENIZE,
    Embed,
    EmbedderMissing,
    StoredVectors,
    content_words,
    from_int8,
    hidden_words,
    match_any,
    pieces,
    rebuild_table,
    to_int8,
)
from orchestrator.memory.card import ORDER
from orchestrator.memory.conversations import storable
from orchestrator.memory.peers import Peers
from orchestrator.memory.rules import Change, holds_one
from orchestrator.memory.schema import SCHEMA as CONVERSATIONS
from orchestrator.memory.search import fused
from orchestrator.memory.user_model import RULE, Conclusion, Kind, Level
from orchestrator.text.credentials import LEFT_OUT, redact

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

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

_SAME = 0.95
"""Cosine from which two statements of one level say the same."""
_COMPARED = 2_000
"""The newest conclusions about a peer that a search or a merge looks at."""
_MEANING = 0.5
"""Share of the meaning in a score, as for messages."""
_CANDIDATES = 50
_MOST_CHARACTERS = 1_000

_NOT = re.compile(r"\b(?:not|no|never|nor|without|cannot)\b|n[\u2019']t\b")
_TELLING = re.compile(r"\b\d[\w.,:/-]*|\b[A-ZÀ-Þ]\w+|[^\x00-\u024f\s]+")


class Conclusions:
    """Conclusions in the profile's `memory.db`. Methods may be called from any thread."""

    def __init__(self, database: Database, embed: Embed | None = None) -> None:
        database.migrate(CONVERSATIONS)
        database.migrate(SCHEMA)
        self._database = database
        self._embed = embed
        self._vectors = StoredVectors(database, VECTORS)
        self.peers = Peers(database)

    def add(
        self,
        observer: str,
        observed: str,
        text: str,
        *,
        level: Level = "explicit",
        kind: Kind = "attribute",
        by: str,
        at: datetime,
        sources: Collection[int] = (),
        premises: Collection[int] = (),
        slot: str = "",
        value: str = "",
        change: Change = "adds",
    ) -> int | None:
        """Keep a statement, or count it once more when it is there; its id. Credentials are taken
        out of it; None when nothing else is left, or when a premise is gone.

        A message that says the same thing twice counts once. What another statement of the same
        slot means `change` says; it is judged among the valid ones of all names of the peer. Within
        a session the later message replaces, whatever the clock says; across sessions the one that
        was said later.
        """
        text = _clean(text)
        if not text or (LEFT_OUT in text and len(content_words(text.replace(LEFT_OUT, ""))) < 2):
            return None
        with self._database.transaction():
            if len(self.get(premises)) < len(set(premises)):
                return None
            known = self._same(observer, observed, level, text, slot, value)
            if known is not None:
                if self._reinforce(known, at, sources) and change == "contradicts":
                    # Said again, which settles what was in doubt.
                    self.invalidate(self._different(observer, observed, slot, value), at, known)
                return known
            new = self._database.insert(
                "INSERT INTO conclusions (observer, observed, level, kind, slot, value, text, "
                "norm, hidden, by, valid_from, last_said) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                storable(observer),
                storable(observed),
                level,
                kind,
                slot,
                value,
                text,
                _norm(text),
                hidden_words(text),
                by,
                _stored(at),
                _stored(at),
            )
            self._attach(new, sources, premises)
            different = self._different(observer, observed, slot, value)
            if change == "replaces":
                later = self._said_later(different, at, sources)
                self.invalidate(different if later is None else [new], at, later or new)
            elif change == "contradicts":
                self._contradict(different, new)
            return new

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
        """Keep a conclusion as it stood elsewhere, whatever else is held; its id, and whether it
        is new here.
        """
        text = _clean(text)
        if LEFT_OUT in text or value != redact(value):
            slot = value = ""
        with self._database.transaction():
            row = self._database.one(
                "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND norm = ? "
                "AND level = ? AND valid_from = ?",
                observed,
                observer,
                _norm(text),
                level,
                _stored(valid_from),
            )
            if row is not None:
                self._attach(row["id"], sources, ())
                return row["id"], False
            new = self._database.insert(
                "INSERT INTO conclusions (observer, observed, level, kind, slot, value, text, "
                "norm, hidden, by, times, valid_from, last_said, invalidated_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                storable(observer),
                storable(observed),
                level,
                kind,
                slot,
                value,
                text,
                _norm(text),
                hidden_words(text),
                by,
                times,
                _stored(valid_from),
                _stored(last_said),
                None if invalidated_at is None else _stored(invalidated_at),
            )
            self._attach(new, sources, ())
            return new, True

    def get(self, ids: Collection[int]) -> Mapping[int, Conclusion]:
        """Those of the conclusions that there are, by id."""
        if not ids:
            return {}
        wanted = list(ids)
        found: dict[int, Conclusion] = {}
        for at in range(0, len(wanted), 500):
            some = wanted[at : at + 500]
            marks = ", ".join("?" * len(some))
            rows = self._database.all(f"SELECT * FROM conclusions WHERE id IN ({marks})", *some)
            sources = self._linked("conclusion_sources", "message", some)
            premises = self._linked("conclusion_premises", "premise", some)
            found.update(
                (
                    row["id"],
                    _conclusion(row, sources.get(row["id"], ()), premises.get(row["id"], ())),
                )
                for row in rows
            )
        return found

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

    def search(
        self,
        query: str,
        observed: str | None = None,
        *,
        observer: str | None = None,
        history: bool = False,
        most: int = 10,
        query_vector: Vectors | None = None,
    ) -> Sequence[tuple[Conclusion, float]]:
        """What fits the query, best first, with its score between 0 and 1. Who has no word of it
        and a meaning far from it is left out. `query_vector`: when it has been computed already.
        """
        text = unicodedata.normalize("NFC", storable(query))
        condition, values = self._condition(observed, observer, history)
        rows = self._database.all(
            f"SELECT id FROM conclusions WHERE {condition} ORDER BY id DESC LIMIT ?",
            *values,
            _COMPARED,
        )
        ids = [row["id"] for row in rows]
        if not ids:
            return []
        words: dict[int, float] = {}
        if telling := content_words(text):
            matches = self._database.all(
                "SELECT w.rowid AS id, bm25(conclusion_words, 1, 0.5) AS score "
                "FROM conclusion_words w CROSS JOIN conclusions c ON c.id = w.rowid "
                f"WHERE conclusion_words MATCH ? AND {condition} ORDER BY score LIMIT ?",
                match_any(telling),
                *values,
                _CANDIDATES,
            )
            words = {row["id"]: -row["score"] for row in matches}
        cosines = self._cosines(text, ids, query_vector)
        near = sorted(cosines, key=lambda row: -cosines[row])[:_CANDIDATES]
        cosines = {row: cosines[row] for row in cosines.keys() & {*near, *words}}
        scores = fused(words, cosines, _MEANING)
        best = [
            row
            for row in sorted(scores, key=lambda row: (-scores[row], -row))
            if row in words or cosines.get(row, 0.0) >= _NEAR
        ][:most]
        found = self.get(best)
        return [(found[row], scores[row]) for row in best if row in found]

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
            pending, instead = list(ids), by
            while pending:
                for each in self.get(pending).values():
                    if each.valid and each.id != by:
                        self._database.execute(
                            "UPDATE conclusions SET invalidated_at = ?, replaced_by = ? "
                            "WHERE id = ?",
                            _stored(max(at, each.valid_from)),
                            instead,
                            each.id,
                        )
                        done += 1
                # What was drawn from them holds no more either, and nothing takes its place.
                pending, instead = self._drawn(pending), None
        return done

    def delete(self, ids: Collection[int]) -> int:
        """Take conclusions out for good, and those drawn from them; how many are gone."""
        gone = 0
        with self._database.transaction():
            every = sorted(self.with_drawn(ids))
            for at in range(0, len(every), 500):
                some = every[at : at + 500]
                gone += self._database.execute(
                    f"DELETE FROM conclusions WHERE id IN ({', '.join('?' * len(some))})", *some
                )
        return gone

    def with_drawn(self, ids: Collection[int]) -> set[int]:
        """Those, and all that were drawn from them."""
        every, pending = set(ids), list(ids)
        while pending:
            found: set[int] = set()
            for at in range(0, len(pending), 500):
                some = pending[at : at + 500]
                rows = self._database.all(
                    "SELECT DISTINCT conclusion FROM conclusion_premises WHERE premise IN "
                    f"({', '.join('?' * len(some))})",
                    *some,
                )
                found.update(row["conclusion"] for row in rows)
            pending = list(found - every)
            every |= found
        return every

    def orphans(self, messages: Collection[int]) -> Sequence[int]:
        """The conclusions that would rest on nothing without those messages."""
        gone = set(messages)
        found: list[int] = []
        for at in range(0, len(messages), 500):
            some = list(messages)[at : at + 500]
            rows = self._database.all(
                "SELECT DISTINCT conclusion FROM conclusion_sources WHERE message IN "
                f"({', '.join('?' * len(some))})",
                *some,
            )
            found += [row["conclusion"] for row in rows]
        return [each.id for each in self.get(set(found)).values() if set(each.sources) <= gone]

    def link(self, alias: str, peer: str) -> str:
        """See `Peers.link`; where both had a value of one slot, the later said holds."""
        with self._database.transaction():
            own = self.peers.link(alias, peer)
            self._settle_slots(own)
        return own

    def vector(self, conclusion: int) -> Vectors | None:
        """As it is stored; None when it is still missing."""
        row = self._database.one(f"SELECT vector FROM {VECTORS} WHERE id = ?", conclusion)
        return None if row is None else from_int8(row["vector"])

    def embed_missing(self, most: int | None = None) -> int:
        """Compute missing vectors, at most `most`, and merge what says the same; how many were
        computed. 0 where there is no embedder.
        """
        return self._embed_missing(most)[0]

    def merge(self, most: int) -> int:
        """See `embed_missing`; how many conclusions are gone for it."""
        return self._embed_missing(most)[1]

    def _embed_missing(self, most: int | None) -> tuple[int, int]:
        if self._embed is None:
            return 0, 0
        self._settle_model()
        done = merged = 0
        while most is None or done < most:
            rows = self._database.all(
                f"SELECT id, text FROM conclusions WHERE id NOT IN (SELECT id FROM {VECTORS}) "
                "ORDER BY id LIMIT ?",
                16 if most is None else min(16, most - done),
            )
            if not rows:
                break
            try:
                vectors = self._embed([row["text"] for row in rows])
            except EmbedderMissing:
                break
            with self._database.transaction():
                for row, vector in zip(rows, vectors, strict=True):
                    self._database.execute(
                        f"INSERT OR REPLACE INTO {VECTORS} (id, vector) "
                        "SELECT id, ? FROM conclusions WHERE id = ?",
                        to_int8(vector),
                        row["id"],
                    )
            for row, vector in zip(rows, vectors, strict=True):
                merged += self._merge_near(row["id"], vector)
            done += len(rows)
        return done, merged

    def rebuild(self) -> None:
        """Index the words anew, and drop the vectors that cannot be read."""
        with self._database.transaction():
            rebuild_table(self._database, "conclusion_words")
            self._database.execute(f"DELETE FROM {VECTORS} WHERE length(vector) <> ?", DIMENSION)

    def _contradict(self, others: Sequence[int], new: int) -> None:
        """Write down that two statements cannot both hold; neither is taken back."""
        found = self.get([*others, new])
        said = found[new]
        for each in others:
            other = found[each]
            self.add(
                said.observer,
                said.observed,
                f"{other.text} ({other.last_said:%Y-%m-%d}), "
                f"but also: {said.text} ({said.last_said:%Y-%m-%d})",
                level="contradiction",
                kind=said.kind,
                by=RULE,
                at=said.last_said,
                premises=(each, new),
            )

    def _reinforce(self, known: int, at: datetime, sources: Collection[int]) -> bool:
        """Whether it has been said once more."""
        new = self._attach(known, sources, ())
        if new or not sources:
            self._database.execute(
                "UPDATE conclusions SET times = times + ?, last_said = max(last_said, ?) "
                "WHERE id = ?",
                max(1, new),
                _stored(at),
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

    def _same(
        self, observer: str, observed: str, level: Level, text: str, slot: str, value: str
    ) -> int | None:
        """A valid one that says just this."""
        names = self.peers.names(observed)
        by_slot = ("slot = ? AND value = ?", [slot, value])
        found: list[int] = []
        # Two statements, for an index serves no OR.
        for saying, values in [("norm = ?", [_norm(text)]), *([by_slot] if slot else [])]:
            row = self._database.one(
                f"SELECT min(id) AS id FROM conclusions WHERE observed IN "
                f"({', '.join('?' * len(names))}) AND observer = ? AND level = ? "
                f"AND invalidated_at IS NULL AND {saying}",
                *names,
                observer,
                level,
                *values,
            )
            if row is not None and row["id"] is not None:
                found.append(row["id"])
        return min(found, default=None)

    def _different(self, observer: str, observed: str, slot: str, value: str) -> Sequence[int]:
        """The valid ones of the slot that say something else."""
        if not slot:
            return []
        names = self.peers.names(observed)
        rows = self._database.all(
            f"SELECT id FROM conclusions WHERE observed IN ({', '.join('?' * len(names))}) "
            "AND observer = ? AND slot = ? AND value <> ? AND invalidated_at IS NULL ORDER BY id",
            *names,
            observer,
            slot,
            value,
        )
        return [row["id"] for row in rows]

    def _settle_slots(self, peer: str) -> None:
        """Of a slot with one value, the value said last."""
        names = self.peers.names(peer)
        marks = ", ".join("?" * len(names))
        rows = self._database.all(
            f"SELECT * FROM conclusions WHERE observed IN ({marks}) AND slot <> '' "
            "AND invalidated_at IS NULL ORDER BY last_said, id",
            *names,
        )
        newest: dict[tuple[str, str], Any] = {}
        for row in filter(lambda row: holds_one(row["slot"]), rows):
            key = (row["observer"], row["slot"])
            before = newest.get(key)
            newest[key] = row
            if before is not None and before["value"] != row["value"]:
                said = datetime.fromisoformat(row["last_said"])
                self.invalidate([before["id"]], said, row["id"])

    def _drawn(self, ids: Sequence[int]) -> list[int]:
        """The valid ones that were drawn from any of those."""
        found: list[int] = []
        for at in range(0, len(ids), 500):
            some = ids[at : at + 500]
            rows = self._database.all(
                "SELECT DISTINCT p.conclusion FROM conclusion_premises p JOIN conclusions c "
                "ON c.id = p.conclusion WHERE c.invalidated_at IS NULL "
                f"AND p.premise IN ({', '.join('?' * len(some))})",
                *some,
            )
            found += [row["conclusion"] for row in rows]
        return found

    def _said_later(
        self, others: Sequence[int], at: datetime, sources: Collection[int]
    ) -> int | None:
        """Which of them was said after that time, in other sessions than the sources."""
        here = self._sessions(sources)
        for other in self.get(others).values():
            if other.last_said > at and not here & self._sessions(other.sources):
                return other.id
        return None

    def _sessions(self, messages: Collection[int]) -> set[str]:
        some = list(messages)[:500]
        marks = ", ".join("?" * len(some))
        rows = self._database.all(
            f"SELECT DISTINCT session FROM messages WHERE id IN ({marks})", *some
        )
        return {row["session"] for row in rows}

    def _merge_near(self, conclusion: int, vector: Vectors) -> bool:
        """Join it with an older one of its level that says the same in other words."""
        new = self.get([conclusion]).get(conclusion)
        if new is None or not new.valid:
            return False
        rows = self._database.all(
            "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND level = ? "
            "AND invalidated_at IS NULL AND id < ? ORDER BY id DESC LIMIT ?",
            new.observed,
            new.observer,
            new.level,
            new.id,
            _COMPARED,
        )
        cosines = self._vectors.similar(vector, [row["id"] for row in rows], 0)
        older = {row["id"] for row in rows}
        near = [row for row, cosine in cosines.items() if row in older and cosine >= _SAME]
        near.sort(key=lambda row: -cosines[row])
        with self._database.transaction():
            # As they are now: another process may have counted, replaced or forgotten them.
            found = self.get([conclusion, *near])
            new = found.get(conclusion)
            for row in near:
                one = found.get(row)
                if new is None or one is None or not (new.valid and one.valid):
                    continue
                if _says_the_same(one.text, new.text):
                    self._join(one, new)
                    return True
        return False

    def _join(self, older: Conclusion, new: Conclusion) -> None:
        """Keep the one that says more, with the evidence of both, and the slot of either."""
        keep, drop = (older, new) if len(older.text) >= len(new.text) else (new, older)
        kind = min(keep.kind, drop.kind, key=ORDER.index)
        self._database.execute("UPDATE conclusions SET kind = ? WHERE id = ?", kind, keep.id)
        self._database.execute(
            "UPDATE conclusions SET slot = other.slot, value = other.value "
            "FROM (SELECT slot, value FROM conclusions WHERE id = ?) AS other "
            "WHERE conclusions.id = ? AND conclusions.slot = ''",
            drop.id,
            keep.id,
        )
        self._database.execute(
            "UPDATE conclusions SET replaced_by = ? WHERE replaced_by = ?", keep.id, drop.id
        )
        self._attach(keep.id, drop.sources, set(drop.premises) - {keep.id})
        self._database.execute(
            "UPDATE OR IGNORE conclusion_premises SET premise = ? "
            "WHERE premise = ? AND conclusion <> ?",
            keep.id,
            drop.id,
            keep.id,
        )
        both = set(older.sources) & set(new.sources)  # a message that says it twice counts once
        self._database.execute(
            "UPDATE conclusions SET times = ?, valid_from = ?, last_said = ? WHERE id = ?",
            max(1, older.times + new.times - len(both)),
            _stored(min(older.valid_from, new.valid_from)),
            _stored(max(older.last_said, new.last_said)),
            keep.id,
        )
        self._database.execute("DELETE FROM conclusions WHERE id = ?", drop.id)

    def _cosines(self, text: str, ids: Sequence[int], vector: Vectors | None) -> dict[int, float]:
        if vector is not None:
            return dict(self._vectors.similar(vector, ids, 0))
        if self._embed is None or not (head := pieces(text, 128, 1)):
            return {}
        try:
            return dict(self._vectors.similar(self._embed(head)[0], ids, 0))
        except EmbedderMissing:
            return {}

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

    def _linked(self, table: str, column: str, ids: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        marks = ", ".join("?" * len(ids))
        rows = self._database.all(
            f"SELECT conclusion, {column} AS other FROM {table} WHERE conclusion IN ({marks}) "
            "ORDER BY other",
            *ids,
        )
        found: dict[int, list[int]] = {}
        for row in rows:
            found.setdefault(row["conclusion"], []).append(row["other"])
        return {conclusion: tuple(others) for conclusion, others in found.items()}

    def _settle_model(self) -> None:
        row = self._database.one("SELECT model FROM conclusion_space")
        if row is not None and row["model"] == MODEL:
            return
        with self._database.transaction():
            self._database.execute(f"DELETE FROM {VECTORS}")
            self._database.execute("DELETE FROM conclusion_space")
            self._database.execute("INSERT INTO conclusion_space VALUES (?)", MODEL)


_NEAR = 0.3
"""Cosine below which a conclusion without a word of the query does not fit it."""


def _says_the_same(one: str, other: str) -> bool:
    """Whether what differs is no name, no number and no denial: near vectors cannot tell."""
    if len(_NOT.findall(one.lower())) != len(_NOT.findall(other.lower())):
        return False
    return set(_TELLING.findall(one)) == set(_TELLING.findall(other))


def _clean(text: str) -> str:
    """On one line, without credentials: also without the beginning of one at the cut."""
    line = storable(" ".join(text[: 20 * _MOST_CHARACTERS].split()))
    return redact(line[: 4 * _MOST_CHARACTERS])[:_MOST_CHARACTERS].strip()


def _norm(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _stored(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


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
