"""Forgetting for good: first what was chosen is deleted, with a tombstone in its place, then the
file is written anew, so that nothing of it can be read from the disk. Between the two a process may
be killed: the tombstone says what is still to be done.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from orchestrator.database import Database, Schema, stored
from orchestrator.memory import dreams
from orchestrator.memory.choosing import BEGINNERS, VERDICTS, Chosen, Span
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.schema import SCHEMA as CONVERSATIONS
from orchestrator.memory.schema import rebuild_words

By = Literal["themself", "operator", "retention"]
"""Who wanted it: the person concerned, whoever has the home's keyboard, or the member's file."""

SCHEMA = Schema(
    "forgetting",
    (
        """
        CREATE TABLE tombstones (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            span TEXT NOT NULL,
            by TEXT NOT NULL,
            counts TEXT NOT NULL,
            runs TEXT NOT NULL,
            whole INTEGER NOT NULL,
            scrubbed TEXT
        );
        CREATE TABLE forgotten (digest BLOB PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE forgetting_key (key BLOB NOT NULL);
        INSERT INTO forgetting_key VALUES (randomblob(32));
        CREATE TABLE retention (looked TEXT NOT NULL);
        """,
        "ALTER TABLE tombstones ADD COLUMN ordered TEXT NOT NULL DEFAULT '';",
    ),
)

_DAY = timedelta(days=1)
_JUMP = timedelta(days=30)


@dataclass(frozen=True)
class Tombstone:
    """What stands where something was forgotten; nothing of its content."""

    id: int
    at: datetime
    span: Span
    by: By
    counts: Mapping[str, int]
    runs: Sequence[str]
    """Whose files and other traces go with it."""
    whole: bool
    """See `Chosen.whole`."""
    scrubbed: datetime | None
    """When the last trace was taken off the disk; None: that is still to be done."""


class Forgetting:
    """Forgetting in one profile's `memory.db`."""

    def __init__(self, database: Database, conclusions: Conclusions) -> None:
        database.migrate(CONVERSATIONS)
        database.migrate(SCHEMA)
        database.migrate(BEGINNERS)
        self._database = database
        self._conclusions = conclusions

    def forget(self, chosen: Chosen, *, by: By, at: datetime, order: str = "") -> Tombstone:
        """Delete what was chosen, all of it or nothing; an import will not bring it back. What
        other rooms have made of a message goes by their triggers on it. The disk holds traces
        of it all until `scrub`. `order`: see `done`.
        """
        with self._database.transaction():
            self._mark(chosen)
            if not chosen.whole:
                self._note_beginners(chosen.messages)
            # The newest first: ids are given again, and those who follow them look at the newest.
            for message in sorted(chosen.messages, reverse=True):
                self._database.execute("DELETE FROM messages WHERE id = ?", message)
            self._conclusions.delete(chosen.conclusions)
            self._database.execute(
                "DELETE FROM sessions WHERE id NOT IN (SELECT session FROM messages)"
            )
            self._drop_beginners(chosen)
            if chosen.names:
                self._conclusions.peers.forget(chosen.names)
                dreams.forget(self._database, chosen.names)
            new = self._database.insert(
                "INSERT INTO tombstones (at, span, by, counts, runs, whole, ordered) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                stored(at),
                chosen.span,
                by,
                json.dumps(chosen.counts),
                json.dumps(sorted(chosen.runs)),
                chosen.whole,
                order,
            )
            [made] = [each for each in self.pending() if each.id == new]
            return made

    def done(self, order: str) -> Tombstone | None:
        """What was forgotten by that order. Not to be done again: numbers of messages are given
        again.
        """
        return next(iter(self._tombstones("ordered = ?", order)), None)

    def pending(self) -> Sequence[Tombstone]:
        """Those whose traces are still on the disk."""
        return self._tombstones("scrubbed IS NULL")

    def tombstones(self) -> Sequence[Tombstone]:
        """All of them, the oldest first."""
        return self._tombstones("1")

    def scrub(self) -> bool:
        """Take every trace of what was deleted out of the file; False when another process that
        reads it has kept some, and it must be done again.
        """
        rebuild_words(self._database)
        self._conclusions.rebuild()
        return self._database.compact()

    def scrubbed(self, tombstones: Collection[int], at: datetime) -> None:
        """Note that nothing of them is left anywhere."""
        for tombstone in tombstones:
            self._database.execute(
                "UPDATE tombstones SET scrubbed = ?, runs = '[]' WHERE id = ?",
                stored(at),
                tombstone,
            )

    def is_due(self, now: datetime) -> bool:
        """Whether a day has passed since `looked`. When the clock has gone back, or far ahead, the
        day begins anew: time to set it right.
        """
        row = self._database.one("SELECT looked FROM retention")
        last = datetime.fromisoformat(row["looked"]) if row is not None else None
        if last is not None and not last <= now < last + _JUMP:
            self.looked(now)
            return False
        return last is None or now >= last + _DAY

    def looked(self, now: datetime) -> None:
        """Note that all that was too old then is forgotten."""
        with self._database.transaction():
            self._database.execute("DELETE FROM retention")
            self._database.execute("INSERT INTO retention VALUES (?)", stored(now))

    def is_forgotten(self, run: str, key: str) -> bool:
        """Whether that message was forgotten."""
        return self._is_marked(self._digest("message", run, key))

    def is_forgotten_conclusion(self, observed: str, text: str) -> bool:
        """Whether that statement about a peer was forgotten."""
        return self._is_marked(self._digest("conclusion", observed, text))

    def is_forgotten_link(self, alias: str, peer: str) -> bool:
        """Whether one of the two names is of a person who was forgotten whole."""
        return any(self._is_marked(self._digest("name", name)) for name in (alias, peer))

    def _mark(self, chosen: Chosen) -> None:
        digests = [self._digest("name", name) for name in chosen.names]
        rows = self._database.among(
            "SELECT run, key FROM messages WHERE id IN ({})", chosen.messages
        )
        digests += [self._digest("message", row["run"], row["key"]) for row in rows]
        every = self._conclusions.with_drawn(chosen.conclusions)
        for each in self._conclusions.get(every).values():
            digests.append(self._digest("conclusion", each.observed, each.text))
        for digest in digests:
            self._database.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", digest)

    def _note_beginners(self, messages: Collection[int]) -> None:
        """Keep whose the runs and conversations of those messages are: more than them may stay."""
        rows = self._database.among(
            "SELECT peer AS person, run, session FROM messages "
            "WHERE kind = 'said' AND key NOT GLOB ? AND id IN ({})",
            messages,
            VERDICTS,
        )
        rows = [
            *rows,
            *self._database.among(
                "SELECT json_extract(extra, '$.person') AS person, run, session FROM messages "
                "WHERE kind = 'brief' AND json_extract(extra, '$.person') <> '' AND id IN ({})",
                messages,
            ),
        ]
        for row in rows:
            for table, of in (("began_runs", row["run"]), ("spoke_in", row["session"])):
                self._database.execute(
                    f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", row["person"], of
                )

    def _drop_beginners(self, chosen: Chosen) -> None:
        """Of persons and runs of which nothing stays."""
        for name in chosen.names:
            for table in ("began_runs", "spoke_in"):
                self._database.execute(f"DELETE FROM {table} WHERE person = ?", name)
        if chosen.whole:
            for run in chosen.runs:
                self._database.execute("DELETE FROM began_runs WHERE run = ?", run)
        self._database.execute(
            "DELETE FROM spoke_in WHERE session NOT IN (SELECT session FROM messages)"
        )

    def _digest(self, *parts: str) -> bytes:
        """Of no use without the key, which never leaves this file."""
        row = self._database.one("SELECT key FROM forgetting_key")
        assert row is not None
        return blake2b("\0".join(parts).encode(), key=row["key"], digest_size=16).digest()

    def _is_marked(self, digest: bytes) -> bool:
        return self._database.one("SELECT 1 FROM forgotten WHERE digest = ?", digest) is not None

    def _tombstones(self, condition: str, *values: str) -> Sequence[Tombstone]:
        rows = self._database.all(
            f"SELECT * FROM tombstones WHERE {condition} ORDER BY id", *values
        )
        return [_tombstone(row) for row in rows]


def _tombstone(row: Any) -> Tombstone:
    done = row["scrubbed"]
    return Tombstone(
        id=row["id"],
        at=datetime.fromisoformat(row["at"]),
        span=row["span"],
        by=row["by"],
        counts=json.loads(row["counts"]),
        runs=tuple(json.loads(row["runs"])),
        whole=bool(row["whole"]),
        scrubbed=datetime.fromisoformat(done) if done is not None else None,
    )
