"""The conclusions of one profile: kept once, counted, replaced with a time, never overwritten."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.database import Database, Schema, stored
from orchestrator.index import TOKENIZE, content_words, hidden_words
from orchestrator.memory.conversations import storable
from orchestrator.memory.peers import Peers
from orchestrator.memory.rules import Change, holds_one, told
from orchestrator.memory.schema import SCHEMA as CONVERSATIONS
from orchestrator.memory.user_model import RULE, Conclusion, Kind, Level
from orchestrator.memory.values import ends
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
        sure: bool = True,
    ) -> int | None:
        """Keep a statement, or count it once more when it is there; its id. Credentials are taken
        out of it; None when nothing else is left, when a premise is gone, when the peer is not to
        be observed, or when an end that is not `sure` ends nothing.

        A message that says the same thing twice counts once. What another statement of the same
        slot means `change` says; it is judged among the valid ones of all names of the peer. Within
        a session the later message replaces, whatever the clock says; across sessions the one that
        was said later. What a model reads where a rule has read the same shares its slot and end.
        """
        text = _clean(text)
        if not text or (LEFT_OUT in text and len(content_words(text.replace(LEFT_OUT, ""))) < 2):
            return None
        with self._database.transaction():
            if len(self.get(premises)) < len(set(premises)) or not self.peers.observes(observed):
                return None
            explicit = level == "explicit" and not slot
            if explicit and (twin := self._twin(observer, observed, text, kind, sources)):
                return self._add_beside(twin, text, kind, by, at, sources)
            read = told(text, observed) if explicit else None
            if read is not None:
                kind, slot, value, change = read.kind, read.slot, read.value, read.change
            if change == "ends":
                value = f"{_NO_MORE}{value}"
            held = self._held(observer, observed, slot)
            different = [
                each for each, said in held.items() if not (said == value or _is_end(said))
            ]
            replaces = change == "replaces"
            giving_way = [
                each for each, said in held.items() if _gives_way(slot, said, value, replaces)
            ]
            later = self._said_later(giving_way, at, sources)
            if not sure and (later is not None or not giving_way):
                return None
            known = self._same(observer, observed, level, text, slot, value)
            if known is not None:
                again = self._reinforce(known, at, sources)
                if again and change == "contradicts":  # which settles what was in doubt
                    self.invalidate(different, at, known)
                elif later is None:
                    self.invalidate(giving_way, at, known)
                return known
            new = self._insert(observer, observed, text, level, kind, slot, value, by, at)
            self._attach(new, sources, premises)
            if read is not None and later is None:  # a model may have read an old message
                later = self._said_later(different, at, sources)
            if later is not None:
                self.invalidate([new], at, later)
                return new
            self.invalidate(giving_way, at, new)
            if change == "contradicts":
                self._contradict(different, new)
            return new

    def _add_beside(
        self, twin: Any, text: str, kind: Kind, by: str, at: datetime, sources: Collection[int]
    ) -> int:
        """Keep what was read from a message beside what a rule has read in it, a row; its id."""
        observer, observed = twin["observer"], twin["observed"]
        known = self._same(observer, observed, "explicit", text, "", "")
        if known is not None:
            self._reinforce(known, at, sources)
            return known
        ended = twin["invalidated_at"]
        if ended and twin["norm"] == _norm(text):
            return twin["id"]
        new = self._insert(
            observer, observed, text, "explicit", kind, twin["slot"], twin["value"], by, at
        )
        self._attach(new, sources, ())
        if ended:
            self.invalidate([new], datetime.fromisoformat(ended), twin["replaced_by"])
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
        """Keep a conclusion as it stood elsewhere, whatever else is held until `settle`; its id,
        and whether it is new here. Of one that is known, what was added to it there.
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

    def of_same_value(self, ids: Collection[int]) -> set[int]:
        """Those that say the same of a peer's slot in other words, or that it holds no more."""
        found: set[int] = set()
        for row in self._database.among("SELECT * FROM conclusions WHERE id IN ({})", ids):
            value = row["value"].removeprefix(_NO_MORE)
            rows = self._database.all(
                "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND slot = ? "
                "AND slot <> '' AND value IN (?, ?)",
                row["observed"],
                row["observer"],
                row["slot"],
                value,
                f"{_NO_MORE}{value}",
            )
            found.update(other["id"] for other in rows)
        return found

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

    def link(self, alias: str, peer: str) -> str:
        """See `Peers.link`; where both had a value of one slot, the later said holds."""
        with self._database.transaction():
            own = self.peers.link(alias, peer)
            self.settle(own)
        return own

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
            _norm(text),
            hidden_words(text),
            by,
            stored(at),
            stored(at),
        )

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

    def _twin(
        self, observer: str, observed: str, text: str, kind: Kind, sources: Collection[int]
    ) -> Any:
        """The conclusion with a slot that was read from one of those messages and says what the
        text says, too; its row, or None.
        """
        names = self.peers.names(observed)
        rows = self._database.among(
            "SELECT c.* FROM conclusions c JOIN conclusion_sources s ON s.conclusion = c.id "
            f"WHERE c.observed IN ({', '.join('?' * len(names))}) AND c.observer = ? "
            "AND c.slot <> '' AND c.value NOT IN ('', 'yes', 'no') AND s.message IN ({})",
            sources,
            *names,
            observer,
        )
        words = text.casefold()
        for row in rows:
            same_kind = kind == row["kind"] or {kind, row["kind"]} <= _OF_ONESELF
            whole = re.search(rf"\b{re.escape(row['value'])}\b", words) is not None
            if same_kind and whole and holds_one(row["slot"]):
                return row
        return None

    def _held(self, observer: str, observed: str, slot: str) -> Mapping[int, str]:
        """The valid ones of the slot with their values; without a slot none."""
        if not slot:
            return {}
        names = self.peers.names(observed)
        rows = self._database.all(
            f"SELECT id, value FROM conclusions WHERE observed IN ({', '.join('?' * len(names))}) "
            "AND observer = ? AND slot = ? AND invalidated_at IS NULL ORDER BY id",
            *names,
            observer,
            slot,
        )
        return {row["id"]: row["value"] for row in rows}

    def settle(self, peer: str) -> None:
        """Let of each slot of a peer with one value the value said last hold."""
        names = self.peers.names(peer)
        marks = ", ".join("?" * len(names))
        rows = self._database.all(
            f"SELECT * FROM conclusions WHERE observed IN ({marks}) AND slot <> '' "
            "AND invalidated_at IS NULL ORDER BY last_said, id",
            *names,
        )
        held: dict[tuple[str, str], list[Any]] = {}
        for row in filter(lambda row: holds_one(row["slot"]), rows):
            others = held.setdefault((row["observer"], row["slot"]), [])
            giving_way = [
                each["id"]
                for each in others
                if _gives_way(row["slot"], each["value"], row["value"], replaces=True)
            ]
            self.invalidate(giving_way, datetime.fromisoformat(row["last_said"]), row["id"])
            others.append(row)

    def _drawn(self, ids: Collection[int]) -> Sequence[int]:
        """The valid ones that were drawn from any of those."""
        rows = self._database.among(
            "SELECT DISTINCT p.conclusion FROM conclusion_premises p JOIN conclusions c "
            "ON c.id = p.conclusion WHERE c.invalidated_at IS NULL AND p.premise IN ({})",
            ids,
        )
        return [row["conclusion"] for row in rows]

    def _said_later(
        self, others: Sequence[int], at: datetime, sources: Collection[int]
    ) -> int | None:
        """Which of them was said after that time or, in a session of the sources, after these."""
        here = self._sessions(sources)
        for other in self.get(others).values():
            if here & self._sessions(other.sources):
                if max(other.sources) > max(sources):
                    return other.id
            elif other.last_said > at:
                return other.id
        return None

    def _sessions(self, messages: Collection[int]) -> set[str]:
        rows = self._database.among(
            "SELECT DISTINCT session FROM messages WHERE id IN ({})", messages
        )
        return {row["session"] for row in rows}

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


_NO_MORE = "not "
"""Begins the value of what says that another value holds no more."""
_OF_ONESELF = frozenset({"identity", "attribute"})
"""Kinds that a model does not keep apart."""


def _is_end(value: str) -> bool:
    return value.startswith(_NO_MORE)


def _gives_way(slot: str, older: str, newer: str, replaces: bool) -> bool:
    """Whether the older value of the slot does not hold beside the newer one."""
    if _is_end(newer):
        return not _is_end(older) and ends(slot, newer.removeprefix(_NO_MORE), older)
    if _is_end(older):
        return ends(slot, older.removeprefix(_NO_MORE), newer)
    return replaces and older != newer


def _clean(text: str) -> str:
    """On one line, without credentials: also without the beginning of one at the cut."""
    line = storable(" ".join(text[: 20 * _MOST_CHARACTERS].split()))
    return redact(line[: 4 * _MOST_CHARACTERS])[:_MOST_CHARACTERS].strip()


def _norm(text: str) -> str:
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
