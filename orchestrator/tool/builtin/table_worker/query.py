"""One query of the model, run so that it can read and nothing else, in bounded time."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from .card import values
from .store import Store

_MOST_ROWS = 50
_MOST_CHARACTERS = 10_000
_LONGEST_TEXT = 500
_LONGEST_SQL = 20_000
_LARGEST_VALUE = 10_000_000
"""Bytes of one value while a query runs."""
_STEPS_BETWEEN_LOOKS = 10_000

_READING = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_FORBIDDEN_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})


class QueryError(Exception):
    """The SQL is wrong; the message helps to write it better."""


class QueryTimeout(Exception):
    """The query took too long."""


class Answer(NamedTuple):
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """The first ones; values are JSON-ready."""
    row_count: int
    """Of the whole result."""
    notes: Sequence[str]
    """Likely mistakes behind a result that holds nothing."""


def ask(store: Store, sql: str, seconds: float) -> Answer:
    """The answer to one SELECT. Raises QueryError and QueryTimeout."""
    deadline = time.monotonic() + seconds
    sql = _checked(sql)
    whole = re.search(r"\bsqlite_(?:master|schema)\b", sql, re.IGNORECASE)
    store.read(None if whole else sql)
    _check_quoted(store, sql)
    db = store.db
    _add_functions(db)
    _guard(db)
    db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    try:
        cursor = db.execute(sql)
        columns = [str(column[0]) for column in cursor.description or ()]
        rows, row_count = _fetch(cursor)
        notes = _notes(store, sql) if _holds_nothing(rows) else []
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "interrupted" in str(error):
            raise QueryTimeout from error
        raise QueryError(_explained(store, sql, str(error))) from error
    return Answer(columns, rows, row_count, notes)


def _checked(sql: str) -> str:
    """The bare statement, if it can be a query at all."""
    fenced = re.fullmatch(r"\s*```(?:sql)?\s*(.*?)\s*```\s*", sql, re.DOTALL | re.IGNORECASE)
    bare = (fenced[1] if fenced else sql).strip()
    if len(bare) > _LONGEST_SQL:
        raise QueryError(f"the SQL is longer than {_LONGEST_SQL} characters")
    if "\0" in bare:
        raise QueryError("the SQL holds a NUL character")
    start = re.sub(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))+", "", bare, flags=re.DOTALL)
    if not re.match(r"(?:select|with|values)\b", start, re.IGNORECASE):
        raise QueryError("only one SELECT (or WITH … SELECT) can run here; nothing can be changed")
    if found := re.search(_TEXT_AGAINST_NUMBER, bare, re.IGNORECASE):
        raise QueryError(
            f"{found[0]!r} is never true: strftime gives text; quote the number, or use year(), "
            "month() or day(), which give numbers"
        )
    return bare


_TEXT_AGAINST_NUMBER = (
    r"strftime\s*\(\s*'[^']*'[^()]*\)\s*(?:[=<>]=?|<>|!=|(?:not\s+)?in\s*\(|between\b)\s*\d+"
)


def _check_quoted(store: Store, sql: str) -> None:
    """Refuse a name in double quotes that is none: SQLite would take it for a text, in silence."""
    no_texts = re.sub(r"'(?:[^']|'')*'", "''", sql)
    words = re.findall(r"\w+", re.sub(r'"[^"]*"', "", no_texts).lower())
    columns = [column for table in store.tables.values() for column, _ in table.columns]
    aliases = re.findall(r'\bas\s+"([^"]+)"', no_texts, re.IGNORECASE)
    known = {*words, *map(str.lower, (*columns, *aliases, *store.names))}
    tolerated = r"(?:[=<>)]|\b(?:as|like|glob))\s*"
    for excused, name in re.findall(rf'({tolerated})?"([^"]+)"', no_texts, re.IGNORECASE):
        if not excused and name.lower() not in known:
            raise QueryError(
                f'"{name}" is no column; {_offer(name, columns, "columns")}; '
                "text stands in 'single quotes'"
            )


def _guard(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA query_only = ON")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    db.set_authorizer(_authorize)


def _authorize(
    action: int, first: str | None, second: str | None, schema: str | None, trigger: str | None
) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _fetch(cursor: sqlite3.Cursor) -> tuple[list[list[Any]], int]:
    rows: list[list[Any]] = []
    row_count = characters = 0
    for row in cursor:
        row_count += 1
        if len(rows) < _MOST_ROWS and (not rows or characters <= _MOST_CHARACTERS):
            ready = [_json_ready(value) for value in row]
            characters += sum(len(str(value)) for value in ready)
            rows.append(ready)
    return rows, row_count


def _json_ready(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[: _LONGEST_TEXT - 1] + "…"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _holds_nothing(rows: Sequence[Sequence[Any]]) -> bool:
    return not rows or (len(rows) == 1 and not any(rows[0]))


def _notes(store: Store, sql: str) -> list[str]:
    """Texts the SQL asks for that a column holds in another spelling only."""
    asked = {text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", sql)}
    notes: list[str] = []
    for table in store.tables.values():
        if not asked or table.name.lower() not in sql.lower():
            continue
        for column, _ in table.columns:
            held = {value.lower(): value for value in values(store.db, table, column)}
            notes += [
                f"{column} holds {held[text.lower()]!r}, not {text!r}"
                for text in sorted(asked)
                if text.lower() in held and text not in held.values()
            ]
    return notes


def _explained(store: Store, sql: str, message: str) -> str:
    """SQLite's message, and the names that come nearest to the one it does not know."""
    if any(word in message for word in ("authoriz", "prohibited", "readonly")):
        return f"{message}: only reading is allowed, one SELECT without PRAGMA or ATTACH"
    if found := re.match(r"no such table: (?:main\.)?(.+)", message):
        problems = [f"{file} {problem}" for file, problem in store.problems.items()]
        return "; ".join([message, _offer(found[1], store.names, "tables"), *problems])
    if found := re.match(r"no such column: (.+)", message):
        used = [table for table in store.tables.values() if table.name.lower() in sql.lower()]
        columns = [column for table in used for column, _ in table.columns]
        return f"{message}; {_offer(found[1].rpartition('.')[2], columns, 'columns')}"
    return message


def _offer(name: str, known: Sequence[str], what: str) -> str:
    import difflib  # needed for a mistake only, and the worker starts anew for each query

    if not known:
        return f"there are no {what}"
    lowered = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower().strip('"'), lowered, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(lowered[each] for each in near)}? " if near else ""
    return f"{meant}{what}: {', '.join(known[:40])}"


class _Median:
    def __init__(self) -> None:
        self._numbers: list[float] = []

    def step(self, value: Any) -> None:
        if isinstance(value, (int, float)):
            self._numbers.append(value)

    def finalize(self) -> float | None:
        numbers, half = sorted(self._numbers), len(self._numbers) // 2
        if not numbers:
            return None
        return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


class _Deviation:
    """Of a sample, by Welford's method."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def step(self, value: Any) -> None:
        if isinstance(value, (int, float)):
            self._count += 1
            distance = value - self._mean
            self._mean += distance / self._count
            self._squares += distance * (value - self._mean)

    def finalize(self) -> float | None:
        return math.sqrt(self._squares / (self._count - 1)) if self._count > 1 else None


def _date_part(start: int, end: int) -> Any:
    def part(value: Any) -> int | None:
        digits = value[start:end] if isinstance(value, str) else ""
        return int(digits) if digits.isdigit() else None

    return part


def _add_functions(db: sqlite3.Connection) -> None:
    """What other databases have and a model expects."""
    db.create_aggregate("median", 1, _Median)  # pyright: ignore[reportArgumentType]  the stub asks for int alone as a result
    db.create_aggregate("stddev", 1, _Deviation)  # pyright: ignore[reportArgumentType]  as above
    for name, start, end in (("year", 0, 4), ("month", 5, 7), ("day", 8, 10)):
        db.create_function(name, 1, _date_part(start, end), deterministic=True)
