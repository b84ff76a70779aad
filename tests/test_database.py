"""SQLite files that are not what they should be."""

from __future__ import annotations

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
