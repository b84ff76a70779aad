"""SQLite as every room uses it: WAL, short transactions, and migrations each room keeps in one
place.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
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
    steps: tuple[str | Callable[[Database], None], ...]
    """SQL, or what must be computed from the rows there are."""


class Database:
    """One SQLite file, shared by threads of this process and by other processes.

    A transaction that has returned is on disk. Raises HomeError where the file cannot be opened,
    read or written.
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
        except sqlite3.DatabaseError as error:
            raise _refusal("open", path, error) from error

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
                if isinstance(step, str):
                    for statement in _statements(step):
                        self._connection.execute(statement)
                else:
                    step(self)
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
            except BaseException as error:
                self._rollback()
                if isinstance(error, sqlite3.DatabaseError) and _is_of_the_file(error):
                    raise _refusal("write", self.path, error) from error
                raise

    @contextmanager
    def snapshot(self) -> Generator[Database]:
        """The file as it is now, to be read through a connection of its own while others write."""
        with closing(Database(self.path)) as reader:
            reader._connection.execute("BEGIN")
            reader.one("SELECT 1 FROM migrations")  # only the first read takes it
            yield reader

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement in its own transaction, or in the open one; returns the number of rows
        changed.
        """
        with self.transaction():
            return self._run(sql, values).rowcount

    def insert(self, sql: str, *values: Any) -> int:
        """Run one INSERT; returns the new row's id."""
        with self.transaction():
            return self._run(sql, values).lastrowid or 0

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        rows = self.all(sql, *values)
        return rows[0] if rows else None

    def all(self, sql: str, *values: Any) -> Sequence[sqlite3.Row]:
        with self._lock:
            try:
                return self._run(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                if _is_of_the_file(error):
                    raise _refusal("read", self.path, error) from error
                raise

    def _run(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except MemoryError as error:  # a damaged FTS5 index makes SQLite ask for any size
            damage = sqlite3.DatabaseError("out of memory")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_VTAB
            raise damage from error

    def among(self, sql: str, values: Collection[Any], *before: Any) -> Sequence[sqlite3.Row]:
        """The rows of a query with one `IN ({})`, however many values there are; `before`: values
        that stand in it before these.
        """
        wanted = list(values)
        found: list[sqlite3.Row] = []
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            found += self.all(sql.format(", ".join("?" * len(some))), *before, *some)
        return found

    def compact(self) -> bool:
        """Write the file anew without what was deleted in it, and empty the log beside it; False
        when another process has kept the log from being emptied.
        """
        with self._lock:
            try:
                self._connection.execute("VACUUM")
                row = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.DatabaseError as error:
                if _is_of_the_file(error):
                    raise _refusal("compact", self.path, error) from error
                raise
            return row[0] == 0

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def stored(time: datetime) -> str:
    """A time as all tables hold it, so that texts sort as times do."""
    return time.astimezone(UTC).isoformat()


_AT_ONCE = 500
"""Values of one `IN`; SQLite may take no more than a thousand."""

_DAMAGED = "it is damaged; put a copy of it back, or move it away to begin anew"
_REINDEX = "run: retinue memory reindex TEAM/PROFILE, and retinue skill reindex TEAM/PROFILE"
_TO_DO = {
    sqlite3.SQLITE_BUSY: "another process holds it; try again",
    sqlite3.SQLITE_READONLY: "check that the file and its folder are yours",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: "free some disk space and try again",
}


def _is_of_the_file(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is to blame, and not what we asked of it."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def _refusal(what: str, path: Path, error: sqlite3.DatabaseError) -> HomeError:
    detail = getattr(error, "sqlite_errorcode", 0)
    if detail == sqlite3.SQLITE_CORRUPT_VTAB:
        return HomeError(f"cannot {what} {path}: its search index is damaged; {_REINDEX}")
    code = detail & 0xFF  # the upper bits are details
    usual = "check that the disk has room and the folder is yours"
    return HomeError(f"cannot {what} {path}: {error}; {_TO_DO.get(code, usual)}")


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
