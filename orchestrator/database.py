"""SQLite as every room uses it: WAL, short transactions, and migrations each room keeps in one
place.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import HomeError


@dataclass(frozen=True)
class Schema:
    """A room's tables as numbered steps; step n is applied once, after step n-1, and never edited
    afterwards.
    """

    room: str
    steps: tuple[str, ...]


class Database:
    """One SQLite file, shared by threads of this process and by other processes.

    A transaction that has returned is on disk. Raises HomeError where the file cannot be opened or
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=30
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations "
                "(room TEXT, n INTEGER, applied TEXT, PRIMARY KEY (room, n))"
            )
        except sqlite3.Error as error:
            raise HomeError(
                f"cannot open {path}: {error}; check that the disk has room and the folder is yours"
            ) from error

    def migrate(self, schema: Schema) -> None:
        """Bring the room's tables up to date; safe when two processes do it at once."""
        done = self.one("SELECT COUNT(*) AS n FROM migrations WHERE room = ?", schema.room)
        if done is not None and done["n"] == len(schema.steps):
            return
        with self.transaction():
            row = self.one("SELECT COUNT(*) AS n FROM migrations WHERE room = ?", schema.room)
            applied = row["n"] if row is not None else 0
            if applied > len(schema.steps):
                raise HomeError(
                    f"{self.path} was written by a newer Retinue; "
                    "upgrade, or use another RETINUE_HOME"
                )
            for n, step in enumerate(schema.steps[applied:], applied):
                for statement in _statements(step):
                    self._connection.execute(statement)
                self._connection.execute(
                    "INSERT INTO migrations VALUES (?, ?, ?)",
                    (schema.room, n, datetime.now(UTC).isoformat()),
                )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; takes the write lock at once, so nothing read inside can be stale."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._rollback()
                raise HomeError(
                    f"cannot write {self.path}: {error}; free some disk space and try again"
                ) from error
            except BaseException:
                self._rollback()
                raise

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement in its own transaction, or in the open one; returns the number of rows
        changed.
        """
        with self.transaction():
            return self._connection.execute(sql, values).rowcount

    def insert(self, sql: str, *values: Any) -> int:
        """Run one INSERT; returns the new row's id."""
        with self.transaction():
            return self._connection.execute(sql, values).lastrowid or 0

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        with self._lock:
            return self._connection.execute(sql, values).fetchone()

    def all(self, sql: str, *values: Any) -> Sequence[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit the open transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
