"""SQLite files that are not what they should be."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import HomeError


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"junk" * 5000)
    with pytest.raises(HomeError, match=r"cannot open .*memory\.db: .*; it is damaged"):
        Database(path)


def test_a_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    database = Database(path)
    database.execute("CREATE TABLE words (word TEXT)")
    for n in range(2000):
        database.execute("INSERT INTO words VALUES (?)", f"word {n}" * 5)
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xaa" * (len(whole) - 8192))
    damaged = Database(path)
    with pytest.raises(HomeError, match=r"cannot read .*memory\.db: .*; it is damaged"):
        damaged.all("SELECT * FROM words")
    with pytest.raises(HomeError, match=r"cannot write .*memory\.db: .*; it is damaged"):
        damaged.execute("DELETE FROM words")
    damaged.close()


def test_a_compacted_file_holds_nothing_that_was_deleted(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "memory.db")) as database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE said (text TEXT)")
        for number in range(500):
            database.execute("INSERT INTO said VALUES (?)", f"walrus {number} " * 20)
        database.execute("DELETE FROM said")
        assert database.compact()
        kept = [path for path in tmp_path.iterdir() if b"walrus" in path.read_bytes()]
        assert kept == []
