"""Table files as tables of one private SQLite database in memory; database files are attached
read-only.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from . import DATABASE
from .source import NotATable, Sheet, TableError, read_sheets
from .survey import Survey

_MOST_DATABASES = 8


class Table(NamedTuple):
    """A table that can be asked."""

    name: str
    file: str
    columns: Sequence[tuple[str, str]]
    """Name and kind."""
    note: str = ""
    """What of the file is missing here, or is not what it seems."""


class Store:
    """The tables of some files; text files are read when first needed."""

    def __init__(self, files: Sequence[str]) -> None:
        self.db = sqlite3.connect(":memory:", uri=True, isolation_level=None)
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.tables: dict[str, Table] = {}
        self.problems: dict[str, str] = {}
        """Why a file is no table."""
        self._unread: dict[str, Path] = {}
        databases: list[str] = []
        for file in sorted(files, key=lambda file: (file.count("/"), file)):
            if file.lower().endswith(DATABASE):
                databases.append(file)
            else:
                self._unread[self._file_name(Path(file))] = Path(file)
        for number, file in enumerate(databases):
            self._attach(number, Path(file))

    @property
    def names(self) -> list[str]:
        return sorted([*self.tables, *self._unread])

    def read(self, sql: str | None = None) -> None:
        """Read the files whose table `sql` names; all of them when it is None."""
        for name in list(self._unread):
            if sql is None or name in sql.lower():
                self._read_file(name, self._unread.pop(name))

    def _file_name(self, path: Path) -> str:
        """The stem; of a second file of that name, with its folder."""
        name = identifier(self.db, path.stem, "t")
        if name in self._unread:
            name = identifier(self.db, f"{path.parent.name}_{path.stem}", "t", self._unread)
        return name

    def _read_file(self, name: str, path: Path) -> None:
        try:
            for sheet in read_sheets(path):
                wished = name + sheet.name.removeprefix(path.stem)
                self._fill(identifier(self.db, wished, "t", self.tables), str(path), sheet)
        except NotATable:
            return
        except TableError as error:
            self.problems[str(path)] = str(error)
        except (OSError, sqlite3.Error, MemoryError) as error:
            self.problems[str(path)] = f"cannot be read: {error or 'too large for the memory'}"

    def _fill(self, name: str, file: str, sheet: Sheet) -> None:
        columns: list[str] = []
        for number, heading in enumerate(sheet.columns, 1):
            columns.append(identifier(self.db, heading or f"column_{number}", "c", columns))
        survey = Survey(sheet)
        named = list(zip(columns, survey.kinds, strict=True))
        declared = ", ".join(f"{quoted(column)} {kind.affinity}" for column, kind in named)
        self.db.execute(f"CREATE TABLE {quoted(name)} ({declared})")
        insert = f"INSERT INTO {quoted(name)} VALUES ({', '.join('?' * len(columns))})"
        self.db.execute("BEGIN")
        for part in survey.rows():
            self.db.executemany(insert, part)
        self.db.execute("COMMIT")
        described = [(column, kind.name) for column, kind in named]
        self.tables[name] = Table(name, file, described, _note(columns, survey))

    def _attach(self, number: int, path: Path) -> None:
        if number >= _MOST_DATABASES:
            self.problems[str(path)] = f"is left out: only {_MOST_DATABASES} databases are attached"
            return
        schema = f"file_{number}"
        try:
            with path.open("rb") as file:
                if file.read(16) != b"SQLite format 3\0":
                    self.problems[str(path)] = "is not a SQLite database"
                    return
            self.db.execute("ATTACH ? AS " + schema, (path.absolute().as_uri() + "?mode=ro",))
            for table in self.db.execute(f"PRAGMA {schema}.table_list").fetchall():
                if table[2] != "shadow" and not table[1].startswith("sqlite_"):
                    self._show(schema, str(table[1]), path)
        except (OSError, sqlite3.Error) as error:
            self.problems[str(path)] = f"cannot be read: {error}"

    def _show(self, schema: str, table: str, path: Path) -> None:
        """Enter an attached table under its own name, or, where that is taken, under its file's
        and its own.
        """
        name = table
        if table.lower() in self._unread or table.lower() in map(str.lower, self.tables):
            taken = {*self._unread, *self.tables}
            name = identifier(self.db, f"{path.stem}_{table}", "t", taken)
            self.db.execute(
                f"CREATE TEMP VIEW {quoted(name)} AS SELECT * FROM {schema}.{quoted(table)}"
            )
        info = self.db.execute(f"PRAGMA {schema}.table_info({quoted(table)})").fetchall()
        columns = [(str(row[1]), str(row[2]).lower()) for row in info]
        self.tables[name] = Table(name, str(path), columns)


def _note(columns: Sequence[str], survey: Survey) -> str:
    notes = [
        f"{column} is text because of {', '.join(map(repr, odd))}; CAST({column} AS REAL) "
        "reads the rest"
        for column, odd in zip(columns, survey.odd, strict=True)
        if odd
    ]
    if survey.overlong:
        notes.append(f"cells beyond the last heading are left out (rows: {survey.overlong})")
    return "; ".join(notes)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def written(db: sqlite3.Connection, name: str) -> str:
    """The name as one writes it in SQL, in quotes only where it needs them."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) and not _is_keyword(db, name) else quoted(name)


def identifier(db: sqlite3.Connection, text: str, prefix: str, taken: Collection[str] = ()) -> str:
    """`text` as a name that needs no quotes in SQL and is not `taken`."""
    name = re.sub(r"\W+", "_", text).strip("_").lower()[:60]
    if not name or name[0].isdigit() or name.startswith("sqlite_"):
        name = f"{prefix}_{name}"
    if _is_keyword(db, name):
        name += "_"
    numbered, number = name, 1
    while numbered in taken:
        number += 1
        numbered = f"{name}_{number}"
    return numbered


def _is_keyword(db: sqlite3.Connection, name: str) -> bool:
    try:
        (value,) = db.execute(f"SELECT {name} FROM (SELECT 42 AS {name})").fetchone()
    except sqlite3.Error:
        return True
    return value != 42
