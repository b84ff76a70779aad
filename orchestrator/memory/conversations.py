"""What was said: the append-only messages of one profile, and what was changed or taken back since,
which is written down beside them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from orchestrator.database import Database, stored
from orchestrator.errors import NotFoundError, PersonError
from orchestrator.index import hidden_words
from orchestrator.memory.schema import SCHEMA, STANDS

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


@dataclass(frozen=True)
class Amendment:
    """A message that no longer stands."""

    message: int
    by: int | None
    """The message in its place; None: it was taken back."""
    at: datetime


class Conversations:
    """The messages of one profile, in its `memory.db`. What was changed or taken back is left out,
    but for `get`, `of_run` and `amendments`, which show history.
    """

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
        at: datetime | None = None,
    ) -> None:
        """Add one message, found by its words from now on; `key` is unique within the run, so that
        a resumed run adds nothing twice. `at`: when it was said (default: now).
        """
        when = stored(at or datetime.now(UTC))
        text, peer, session = storable(text), storable(peer), storable(session)
        with self._database.transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?)", session, platform, when
            )
            self._database.execute(
                "INSERT OR IGNORE INTO messages "
                "(session, run, key, peer, kind, text, tokens, extra, at, hidden) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                session,
                run,
                key,
                peer,
                kind,
                text,
                tokens,
                _json(extra or {}),
                when,
                hidden_words(text) if kind != "tool" else "",
            )

    def amend(
        self,
        message: int,
        text: str,
        *,
        key: str,
        run: str | None = None,
        extra: dict[str, Any] | None = None,
        at: datetime | None = None,
    ) -> int:
        """Say a message anew, in its session and by its peer, as a new message with a new `key`
        (of its own run, or of another); its id. The old one no longer stands. Raises NotFoundError,
        and PersonError for one that does not stand any more.
        """
        with self._database.transaction():
            old = self._standing(message)
            place = run if run is not None else old.run
            if self.number(place, key) is not None:
                raise PersonError(f"message {key!r} of run {place!r} is there; give a new key")
            self.append(
                old.session,
                run=place,
                key=key,
                peer=old.peer,
                kind=old.kind,
                text=text,
                tokens=len(text) // 4,
                extra=old.extra if extra is None else extra,
                at=at,
            )
            new = self.number(place, key)
            assert new is not None
            self._supersede(message, new, at)
            return new

    def retract(self, message: int, *, at: datetime | None = None) -> None:
        """Take a message back. Raises NotFoundError, and PersonError for one that does not stand
        any more.
        """
        with self._database.transaction():
            self._standing(message)
            self._supersede(message, None, at)

    def amendments(self, ids: Collection[int]) -> Mapping[int, Amendment]:
        """What became of those of the messages that no longer stand."""
        rows = self._database.among(
            "SELECT message, by, at FROM amendments WHERE message IN ({})", ids
        )
        return {
            row["message"]: Amendment(row["message"], row["by"], datetime.fromisoformat(row["at"]))
            for row in rows
        }

    def recent(
        self, session: str, *, most: int, kinds: Sequence[Kind] = ("said",)
    ) -> Sequence[Message]:
        """The last messages of a session, oldest first."""
        marks = ",".join("?" * len(kinds))
        rows = self._database.all(
            f"SELECT * FROM messages WHERE session = ? AND kind IN ({marks}) "
            f"AND {STANDS} ORDER BY id DESC LIMIT ?",
            session,
            *kinds,
            most,
        )
        return [_message(row) for row in reversed(rows)]

    def before(self, message: Message) -> Message | None:
        """What was said in the session before that message."""
        row = self._database.one(
            "SELECT * FROM messages WHERE session = ? AND kind = 'said' AND id < ? "
            f"AND {STANDS} ORDER BY id DESC LIMIT 1",
            message.session,
            message.id,
        )
        return _message(row) if row is not None else None

    def around(
        self, message: Message, before: int = 1, after: int = 1
    ) -> tuple[Sequence[Message], Sequence[Message]]:
        """The messages before and after it in its session, oldest first; no tool results."""

        def some(beyond: str, order: str, most: int) -> list[Message]:
            rows = self._database.all(
                "SELECT * FROM messages WHERE session = ? AND kind <> 'tool' "
                f"AND id {beyond} ? AND {STANDS} ORDER BY id {order} LIMIT ?",
                message.session,
                message.id,
                most,
            )
            return [_message(row) for row in rows]

        return some("<", "DESC", before)[::-1], some(">", "ASC", after)

    def get(self, ids: Collection[int]) -> Mapping[int, Message]:
        """Those of the messages that there are, by id."""
        rows = self._database.among("SELECT * FROM messages WHERE id IN ({})", ids)
        return {row["id"]: _message(row) for row in rows}

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

    def _standing(self, message: int) -> Message:
        old = self.get([message]).get(message)
        if old is None:
            hint = "see the numbers with: retinue memory search TEAM/PROFILE QUERY --json"
            raise NotFoundError("message", str(message), hint=hint)
        if self.amendments([message]):
            raise PersonError(f"message {message} has been changed or taken back already")
        return old

    def _supersede(self, message: int, by: int | None, at: datetime | None) -> None:
        when = stored(at or datetime.now(UTC))
        self._database.execute("INSERT INTO amendments VALUES (?, ?, ?)", message, by, when)

    def number(self, run: str, key: str) -> int | None:
        """The id of a message; None: there is none."""
        row = self._database.one("SELECT id FROM messages WHERE run = ? AND key = ?", run, key)
        return row["id"] if row is not None else None


def _json(extra: dict[str, Any]) -> str:
    """As JSON that SQLite reads, too, which knows no infinity."""
    try:
        return storable(json.dumps(extra, ensure_ascii=False, allow_nan=False))
    except ValueError:
        finite = json.loads(json.dumps(extra), parse_constant=lambda _: None)
        return storable(json.dumps(finite, ensure_ascii=False))


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: half a surrogate pair becomes a question mark."""
    return text.encode(errors="replace").decode()


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
