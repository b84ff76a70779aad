"""A table in some hundred tokens: what a model must see before it can write SQL."""

from __future__ import annotations

import sqlite3

from . import shown
from .store import Table, quoted, written

_MOST_COLUMNS = 40
_MOST_VALUES = 12
_LONGEST_VALUE = 24
_LONGEST_SAMPLE = 40


def card(db: sqlite3.Connection, table: Table) -> str:
    """Name, file, rows; columns with kind and range or values; a sample row."""
    (rows,) = db.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()
    lines = [f"{written(db, table.name)} ({table.file}, {rows} rows)"]
    lines += [
        f"  {written(db, column)} {kind}".rstrip() + _content(db, table, column, kind)
        for column, kind in table.columns[:_MOST_COLUMNS]
    ]
    if rest := [written(db, column) for column, _ in table.columns[_MOST_COLUMNS:]]:
        lines.append(f"  and {len(rest)} more: {', '.join(rest)}"[:600])
    if sample := db.execute(f"SELECT * FROM {quoted(table.name)} LIMIT 1").fetchone():
        few = [shown(value, _LONGEST_SAMPLE) for value in sample[:_MOST_COLUMNS]]
        lines.append("  sample: " + " | ".join(few))
    if table.note:
        lines.append(f"  note: {table.note}")
    return "\n".join(lines)


def values(db: sqlite3.Connection, table: Table, column: str) -> list[str]:
    """All texts of a column that holds few and short ones, else none."""
    found = db.execute(
        f"SELECT DISTINCT {quoted(column)} FROM {quoted(table.name)}"
        f" WHERE {quoted(column)} IS NOT NULL LIMIT {_MOST_VALUES + 1}"
    ).fetchall()
    texts = [value for (value,) in found if isinstance(value, str)]
    few = len(texts) == len(found) <= _MOST_VALUES
    return sorted(texts) if few and all(len(text) <= _LONGEST_VALUE for text in texts) else []


def _content(db: sqlite3.Connection, table: Table, column: str, kind: str) -> str:
    name = quoted(column)
    least, most = db.execute(
        f"SELECT min({name}), max({name}) FROM {quoted(table.name)}"
    ).fetchone()
    if least is None:
        return ", always NULL"
    if kind.startswith(("date", "time")) or not isinstance(most, str):
        ends = dict.fromkeys((shown(least, _LONGEST_VALUE), shown(most, _LONGEST_VALUE)))
        return " " + "..".join(ends)
    few = values(db, table, column)
    return ": " + ", ".join(few) if few else ""
