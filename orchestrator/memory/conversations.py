"""What was said: the append-only messages of one profile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from orchestrator.database import Database, Schema

SCHEMA = Schema(
    "memory",
    (
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            platform TEXT NOT NULL,
            started TEXT NOT NULL
        );
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            session TEXT NOT NULL REFERENCES sessions (id),
            run TEXT NOT NULL,
            key TEXT NOT NULL,
            peer TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('said', 'brief', 'tool', 'result')),
            text TEXT NOT NULL,
            tokens INTEGER NOT NULL,
            extra TEXT NOT NULL DEFAULT '{}',
            at TEXT NOT NULL,
            UNIQUE (run, key)
        );
        CREATE INDEX messages_by_session ON messages (session, id);
        """,
    ),
)

Kind = Literal["said", "brief", "tool", "result"]


@dataclass(frozen=True)
class Message:
    id: int
    session: str
    run: str
    key: str
    """Unique within the run, e.g. `analyst#1/tool/2/0`."""
    peer: str
    """Who said it: a person's id, `team/profile`, or a tool's name."""
    kind: Kind
    text: str
    tokens: int
    at: datetime
    extra: dict[str, Any]
    """Facts of the message, such as a tool's arguments or an envelope's ids."""


class Conversations:
    """The messages of one profile, in its `memory.db`."""

    def __init__(self, database: Database) -> None:
        database.migrate(SCHEMA)
        self._database = database

    def append(
        self,
        session: str,
        *,
        run: str,
        key: str,
        peer: str,
        kind: Kind,
        text: str,
        tokens: int,
        platform: str = "cli",
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Add one message; `key` is unique within the run, so that a resumed run adds nothing
        twice.
        """
        now = datetime.now(UTC).isoformat()
        with self._database.transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?)", session, platform, now
            )
            self._database.execute(
                "INSERT OR IGNORE INTO messages "
                "(session, run, key, peer, kind, text, tokens, extra, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                session,
                run,
                key,
                peer,
                kind,
                text,
                tokens,
                json.dumps(extra or {}, ensure_ascii=False),
                now,
            )

    def recent(
        self, session: str, *, most: int, kinds: Sequence[Kind] = ("said",)
    ) -> Sequence[Message]:
        """The last messages of a session, oldest first."""
        marks = ",".join("?" * len(kinds))
        rows = self._database.all(
            f"SELECT * FROM messages WHERE session = ? AND kind IN ({marks}) "
            "ORDER BY id DESC LIMIT ?",
            session,
            *kinds,
            most,
        )
        return [_message(row) for row in reversed(rows)]

    def before(self, message: Message) -> Message | None:
        """What was said in the session before that message."""
        row = self._database.one(
            "SELECT * FROM messages WHERE session = ? AND kind = 'said' AND id < ? "
            "ORDER BY id DESC LIMIT 1",
            message.session,
            message.id,
        )
        return _message(row) if row is not None else None

    def turns(self, session: str) -> int:
        """How often somebody has said something to this profile in the session."""
        row = self._database.one(
            "SELECT COUNT(DISTINCT run) AS n FROM messages WHERE session = ? AND kind = 'said'",
            session,
        )
        return row["n"] if row is not None else 0

    def of_run(self, run: str) -> Sequence[Message]:
        return [
            _message(row)
            for row in self._database.all("SELECT * FROM messages WHERE run = ? ORDER BY id", run)
        ]


def _message(row: Any) -> Message:
    return Message(
        id=row["id"],
        session=row["session"],
        run=row["run"],
        key=row["key"],
        peer=row["peer"],
        kind=row["kind"],
        text=row["text"],
        tokens=row["tokens"],
        at=datetime.fromisoformat(row["at"]),
        extra=json.loads(row["extra"]),
    )
