"""The run journal: what of a run is finished, so that a killed run goes on without doing anything
twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.database import Database, Schema

SCHEMA = Schema(
    "engine",
    (
        """
        CREATE TABLE journal (
            run TEXT NOT NULL,
            call TEXT NOT NULL,
            step TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('intended', 'done')),
            payload TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (run, call, step)
        ) WITHOUT ROWID;
        """,
    ),
)


@dataclass(frozen=True)
class Entry:
    done: bool
    payload: dict[str, Any]


class Journal:
    """The journal of the runs of one profile, in its `memory.db`.

    A step is *intended* before it has an effect and *done* when its result is committed; a done
    step is never repeated. `call` names a member call within the run, `step` a step within that
    call.
    """

    def __init__(self, database: Database) -> None:
        database.migrate(SCHEMA)
        self._database = database

    def get(self, run: str, call: str, step: str) -> Entry | None:
        row = self._database.one(
            "SELECT state, payload FROM journal WHERE run = ? AND call = ? AND step = ?",
            run,
            call,
            step,
        )
        return (
            Entry(row["state"] == "done", json.loads(row["payload"])) if row is not None else None
        )

    def intend(self, run: str, call: str, step: str, what: dict[str, Any]) -> None:
        """Record that the step is about to have an effect."""
        self._put(run, call, step, "intended", what)

    def finish(self, run: str, call: str, step: str, result: dict[str, Any]) -> None:
        """Commit the step's result."""
        self._put(run, call, step, "done", result)

    def steps(self, run: str, prefix: str, *, call: str | None = None) -> Sequence[dict[str, Any]]:
        """The results of all done steps of the run, or of one call, whose name starts so."""
        rows = self._database.all(
            "SELECT payload FROM journal WHERE run = ? AND (? IS NULL OR call = ?) "
            "AND state = 'done' AND step GLOB ?",
            run,
            call,
            call,
            f"{prefix}*",
        )
        return [json.loads(row["payload"]) for row in rows]

    def runs(self) -> Sequence[str]:
        """The runs that still have steps here."""
        return [row["run"] for row in self._database.all("SELECT DISTINCT run FROM journal")]

    def forget(self, run: str, call: str, step: str) -> None:
        """Take one step back, so that a resumed run does it anew."""
        self._database.execute(
            "DELETE FROM journal WHERE run = ? AND call = ? AND step = ?", run, call, step
        )

    def drop(self, run: str) -> None:
        """Forget the run's steps; its history stays in the conversations."""
        self._database.execute("DELETE FROM journal WHERE run = ?", run)

    def _put(self, run: str, call: str, step: str, state: str, payload: dict[str, Any]) -> None:
        self._database.execute(
            "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET state = excluded.state, payload = excluded.payload, at = excluded.at "
            "WHERE state = 'intended'",
            run,
            call,
            step,
            state,
            json.dumps(payload, ensure_ascii=False),
            datetime.now(UTC).isoformat(),
        )
