"""The audit log of a home: who did what to what, and how much of it; never any content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.database import Database, Schema
from orchestrator.team.ledger import SCHEMA as LEDGER

SCHEMA = Schema(
    "audit",
    (
        """
        ALTER TABLE audit ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
            SELECT RAISE(ABORT, 'the audit log is append-only');
        END;
        CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN
            SELECT RAISE(ABORT, 'the audit log is append-only');
        END;
        CREATE TABLE to_scrub (
            address TEXT NOT NULL,
            run TEXT NOT NULL,
            PRIMARY KEY (address, run)
        ) WITHOUT ROWID;
        """,
        """
        CREATE TABLE to_forget (
            id TEXT PRIMARY KEY,
            address TEXT NOT NULL,
            actor TEXT NOT NULL,
            run TEXT NOT NULL,
            chosen TEXT NOT NULL
        );
        """,
    ),
)


@dataclass(frozen=True)
class AuditLine:
    at: datetime
    actor: str
    action: str
    target: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Scrub:
    """A profile from whose files traces of what was forgotten may have to be taken."""

    address: str
    run: str
    """The run in which it was asked for, which holds the request; empty: none."""


@dataclass(frozen=True)
class Order:
    """What a profile has yet to forget, from when it was decided until it is done."""

    id: str
    address: str
    actor: str
    """Who wanted it."""
    run: str
    """As in `Scrub`."""
    chosen: str
    """Numbers, runs, and a person's names; nothing that was said."""


class Audit:
    """The audit log, in `state/ledger.db`."""

    def __init__(self, database: Database) -> None:
        database.migrate(LEDGER)
        database.migrate(SCHEMA)
        self._database = database

    def write(
        self, actor: str, action: str, target: str, counts: Mapping[str, int], at: datetime
    ) -> None:
        """Add a line; the same action on the same target once."""
        self._database.execute(
            "INSERT INTO audit (at, actor, action, subject, counts) SELECT ?, ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM audit WHERE action = ? AND subject = ?)",
            at.isoformat(),
            actor,
            action,
            target,
            json.dumps(counts),
            action,
            target,
        )

    def lines(self) -> Sequence[AuditLine]:
        """The oldest first."""
        rows = self._database.all("SELECT * FROM audit ORDER BY id")
        return [
            AuditLine(
                datetime.fromisoformat(row["at"]),
                row["actor"],
                row["action"],
                row["subject"],
                json.loads(row["counts"]),
            )
            for row in rows
        ]

    def order(self, orders: Sequence[Order]) -> None:
        """Write all of them down, or none, before the first is carried out."""
        with self._database.transaction():
            for each in orders:
                self._database.execute(
                    "INSERT INTO to_forget VALUES (?, ?, ?, ?, ?)",
                    each.id,
                    each.address,
                    each.actor,
                    each.run,
                    each.chosen,
                )

    def ordered(self) -> Sequence[Order]:
        """Those not carried out yet, the oldest first."""
        rows = self._database.all("SELECT * FROM to_forget ORDER BY rowid")
        return [
            Order(row["id"], row["address"], row["actor"], row["run"], row["chosen"])
            for row in rows
        ]

    def carried_out(self, order: Order) -> None:
        self._database.execute("DELETE FROM to_forget WHERE id = ?", order.id)

    def begin(self, scrub: Scrub) -> None:
        """Note, before anything is deleted, which profile will have to be scrubbed."""
        self._database.execute(
            "INSERT OR IGNORE INTO to_scrub VALUES (?, ?)", scrub.address, scrub.run
        )

    def begun(self) -> Sequence[Scrub]:
        rows = self._database.all("SELECT address, run FROM to_scrub ORDER BY address, run")
        return [Scrub(row["address"], row["run"]) for row in rows]

    def done(self, scrub: Scrub) -> None:
        self._database.execute(
            "DELETE FROM to_scrub WHERE address = ? AND run = ?", scrub.address, scrub.run
        )

    def compact(self) -> bool:
        """See `Database.compact`."""
        return self._database.compact()
