"""The runs of a home: ids, states and counts; what was said in them lies with the profiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from orchestrator.agent.seat import Answer
from orchestrator.database import Database, Schema
from orchestrator.errors import NotFoundError
from orchestrator.events import RunState
from orchestrator.model.base import Usage

SCHEMA = Schema(
    "team",
    (
        """
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            team TEXT NOT NULL,
            owner TEXT NOT NULL,
            state TEXT NOT NULL,
            created TEXT NOT NULL,
            updated TEXT NOT NULL,
            steps INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER NOT NULL DEFAULT 0,
            output_tokens INTEGER NOT NULL DEFAULT 0,
            cached_tokens INTEGER NOT NULL DEFAULT 0,
            reasoning_tokens INTEGER NOT NULL DEFAULT 0,
            cost_usd TEXT,
            rehearsal INTEGER NOT NULL DEFAULT 0,
            verdict TEXT
        );
        CREATE INDEX runs_by_state ON runs (state, updated);
        CREATE TABLE run_members (
            n INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id),
            call TEXT NOT NULL,
            profile TEXT NOT NULL,
            state TEXT NOT NULL,
            steps INTEGER NOT NULL,
            UNIQUE (run, call)
        );
        CREATE TABLE mailbox (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id),
            kind TEXT NOT NULL CHECK (kind IN ('cancel', 'answer')),
            question TEXT NOT NULL DEFAULT '',
            body TEXT NOT NULL DEFAULT '',
            at TEXT NOT NULL
        );
        CREATE INDEX mailbox_by_run ON mailbox (run, kind);
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            subject TEXT NOT NULL
        );
        """,
        """
        ALTER TABLE runs ADD COLUMN kept INTEGER NOT NULL DEFAULT 1;
        CREATE INDEX runs_kept ON runs (state, updated) WHERE kept = 1;
        """,
        """
        ALTER TABLE runs ADD COLUMN learned INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX runs_to_learn ON runs (created) WHERE learned = 0;
        """,
    ),
)


@dataclass(frozen=True)
class RunRecord:
    id: str
    team: str
    owner: str
    """Profile that holds the task, the answer and the open questions."""
    state: RunState
    created: datetime
    updated: datetime
    steps: int
    usage: Usage
    cost_usd: Decimal | None
    rehearsal: bool
    verdict: str | None
    learned: bool
    """Whether nobody learns from it any more."""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to go on with."""
        return self.state in ("completed", "cancelled")


@dataclass(frozen=True)
class MemberRecord:
    call: str
    profile: str
    state: str
    """A `MemberState`, or `running`."""
    steps: int


class Ledger:
    """Runs, their mailbox and the audit log, in `state/ledger.db`."""

    def __init__(self, database: Database) -> None:
        database.migrate(SCHEMA)
        self._database = database

    def open_run(self, run: str, team: str, owner: str) -> None:
        """Enter a run as queued; harmless when it is there."""
        now = _now()
        with self._database.transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO runs (id, team, owner, state, created, updated) "
                "VALUES (?, ?, ?, 'queued', ?, ?)",
                run,
                team,
                owner,
                now,
                now,
            )
            self._audit(owner, "run queued", run)

    def settle(
        self,
        run: str,
        state: RunState,
        *,
        steps: int = 0,
        usage: Usage | None = None,
        cost_usd: Decimal | None = None,
        rehearsal: bool = False,
    ) -> None:
        """Record the run's state, what it has used in all, and whether it was a rehearsal."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE runs SET state = ?, updated = ?, learned = 0 WHERE id = ?",
                state,
                _now(),
                run,
            )
            if usage is not None:
                self._database.execute(
                    "UPDATE runs SET steps = ?, input_tokens = ?, output_tokens = ?, "
                    "cached_tokens = ?, reasoning_tokens = ?, cost_usd = ?, rehearsal = ? "
                    "WHERE id = ?",
                    steps,
                    usage.input,
                    usage.output,
                    usage.cached,
                    usage.reasoning,
                    None if cost_usd is None else str(cost_usd),
                    rehearsal,
                    run,
                )
            self._audit("runtime", f"run {state}", run)

    def member(self, run: str, record: MemberRecord) -> None:
        self._database.execute(
            "INSERT INTO run_members (run, call, profile, state, steps) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET state = excluded.state, steps = excluded.steps",
            run,
            record.call,
            record.profile,
            record.state,
            record.steps,
        )

    def members(self, run: str) -> Sequence[MemberRecord]:
        rows = self._database.all(
            "SELECT call, profile, state, steps FROM run_members WHERE run = ? ORDER BY n", run
        )
        return [
            MemberRecord(row["call"], row["profile"], row["state"], row["steps"]) for row in rows
        ]

    def run(self, name: str) -> RunRecord:
        """The run of that id, of a unique beginning of it, or `last`. Raises NotFoundError."""
        if name == "last":
            rows = self._database.all("SELECT * FROM runs ORDER BY created DESC LIMIT 1")
        else:
            rows = self._database.all(
                "SELECT * FROM runs WHERE id = ? OR substr(id, 1, ?) = ?", name, len(name), name
            )
        exact = [row for row in rows if row["id"] == name]
        if len(exact or rows) != 1:
            several = "several runs begin so" if rows else "see them with: retinue runs list"
            raise NotFoundError("run", name, hint=several)
        return _record((exact or rows)[0])

    def runs(self, *, team: str | None = None, state: str | None = None) -> Sequence[RunRecord]:
        """Newest first."""
        rows = self._database.all(
            "SELECT * FROM runs WHERE (? IS NULL OR team = ?) AND (? IS NULL OR state = ?) "
            "ORDER BY created DESC",
            team,
            team,
            state,
            state,
        )
        return [_record(row) for row in rows]

    def stale(self, days: int) -> Sequence[RunRecord]:
        """Runs whose journal and files are still kept and no longer needed: settled ones, and
        failed and limited ones that nobody has resumed for that long.
        """
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        rows = self._database.all(
            "SELECT * FROM runs WHERE kept = 1 AND state IN ('completed', 'cancelled') "
            "UNION ALL "
            "SELECT * FROM runs WHERE kept = 1 AND state IN ('failed', 'limited') AND updated < ?",
            before,
        )
        return [_record(row) for row in rows]

    def unlearned(self, most: int) -> Sequence[RunRecord]:
        """Ended runs that nobody has learned from yet, the oldest first."""
        rows = self._database.all(
            "SELECT * FROM runs WHERE learned = 0 AND state IN ('completed', 'failed', 'limited') "
            "ORDER BY created LIMIT ?",
            most,
        )
        return [_record(row) for row in rows]

    def learned(self, run: str) -> None:
        """Note that what could be learned from the run has been."""
        self._database.execute("UPDATE runs SET learned = 1 WHERE id = ?", run)

    def charge(self, run: str, usage: Usage, cost_usd: Decimal | None) -> None:
        """Add what a model call after the run's end has used; an unknown price makes the sum
        unknown.
        """
        with self._database.transaction():
            before = self.run(run)
            known = None not in (before.cost_usd, cost_usd)
            total = (before.cost_usd or 0) + (cost_usd or 0) if known else None
            spent = before.usage + usage
            self._database.execute(
                "UPDATE runs SET input_tokens = ?, output_tokens = ?, cached_tokens = ?, "
                "reasoning_tokens = ?, cost_usd = ? WHERE id = ?",
                spent.input,
                spent.output,
                spent.cached,
                spent.reasoning,
                None if total is None else str(total),
                run,
            )

    def forget(self, run: str) -> None:
        """Note that the run's journal and files are gone, and drop what was said to it."""
        with self._database.transaction():
            self._database.execute("DELETE FROM mailbox WHERE run = ?", run)
            self._database.execute("UPDATE runs SET kept = 0 WHERE id = ?", run)

    def rate(self, run: str, verdict: Literal["good", "bad"]) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE runs SET verdict = ?, learned = 0 WHERE id = ?", verdict, run
            )
            self._audit("person", f"run rated {verdict}", run)

    # mailbox

    def cancel(self, run: str) -> None:
        self._post(run, "cancel")
        self._audit("person", "run cancel asked", run)

    def is_cancelled(self, run: str) -> bool:
        return (
            self._database.one(
                "SELECT 1 FROM mailbox WHERE run = ? AND kind = 'cancel' LIMIT 1", run
            )
            is not None
        )

    def post_answer(self, run: str, question: str, answer: Answer) -> None:
        body = json.dumps({"text": answer.text, "decision": answer.decision})
        self._post(run, "answer", question, body)
        self._audit("person", "question answered", run)

    def answer(self, run: str, question: str) -> Answer | None:
        row = self._database.one(
            "SELECT body FROM mailbox WHERE run = ? AND kind = 'answer' AND question = ? "
            "ORDER BY id DESC LIMIT 1",
            run,
            question,
        )
        return Answer(**json.loads(row["body"])) if row is not None else None

    def _post(self, run: str, kind: str, question: str = "", body: str = "") -> None:
        self._database.execute(
            "INSERT INTO mailbox (run, kind, question, body, at) VALUES (?, ?, ?, ?, ?)",
            run,
            kind,
            question,
            body,
            _now(),
        )

    def _audit(self, actor: str, action: str, subject: str) -> None:
        self._database.execute(
            "INSERT INTO audit (at, actor, action, subject) VALUES (?, ?, ?, ?)",
            _now(),
            actor,
            action,
            subject,
        )


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _record(row: Any) -> RunRecord:
    return RunRecord(
        id=row["id"],
        team=row["team"],
        owner=row["owner"],
        state=row["state"],
        created=datetime.fromisoformat(row["created"]),
        updated=datetime.fromisoformat(row["updated"]),
        steps=row["steps"],
        usage=Usage(
            row["input_tokens"],
            row["output_tokens"],
            row["cached_tokens"],
            row["reasoning_tokens"],
        ),
        cost_usd=None if row["cost_usd"] is None else Decimal(row["cost_usd"]),
        rehearsal=bool(row["rehearsal"]),
        verdict=row["verdict"],
        learned=bool(row["learned"]),
    )
