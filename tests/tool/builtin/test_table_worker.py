"""The part of `query_table` that runs inside the sandbox, called here without one."""

from __future__ import annotations

import csv
import hashlib
import math
import os
import sqlite3
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.tool.builtin.table_worker.column import Column, read_cells
from orchestrator.tool.builtin.table_worker.main import answer_query, describe

IN_ONE_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def rows(files: list[str], sql: str) -> Any:
    answer = answer_query(files, sql, 20)
    assert "error" not in answer, answer
    return answer["rows"]


# What a column holds


@pytest.mark.parametrize(
    ("cells", "kind", "read"),
    [
        (["1", "-2", "", "NA"], "integer", ["1", "-2", None, None]),
        (["1.5", "2", "1e3"], "real", ["1.5", "2", "1e3"]),
        (["007", "1"], "text", ["007", "1"]),
        (["12345678901234567890"], "text", ["12345678901234567890"]),
        (["NA", "US"], "text", ["NA", "US"]),
        (["", ""], "text", [None, None]),
        (["1,234", "5"], "integer", ["1234", "5"]),
        (["$1,234.50", "-$3", "5"], "real", ["1234.50", "-3", "5"]),
        (["€ 5", "7 €"], "integer", ["5", "7"]),
        (["$5", "€5"], "text", ["$5", "€5"]),
        (["12 %", "5%"], "integer", ["12", "5"]),
        (["1٣"], "text", ["1٣"]),
        (["2024-02-29", ""], "date", ["2024-02-29", None]),
        (["2024-02-29T10:00:00Z"], "datetime", ["2024-02-29T10:00:00Z"]),
        (["2024/2/9", "2024-11-30"], "date", ["2024-02-09", "2024-11-30"]),
        (["2/13/2024", "1/2/24"], "date", ["2024-02-13", "2024-01-02"]),
        (["13/2/2024", "1/2/24"], "date", ["2024-02-13", "2024-02-01"]),
        (["1/2/2024", "3/4/2024"], "text", ["1/2/2024", "3/4/2024"]),
        (["29.2.2024"], "date", ["2024-02-29"]),
        (["30.2.2024"], "text", ["30.2.2024"]),
        (["Jan 1 2000", "March 3, 2001"], "date", ["2000-01-01", "2001-03-03"]),
        (["1-Jan-99", "5 Feb 2021"], "date", ["1999-01-01", "2021-02-05"]),
        (["1/31/2024 1:05 PM"], "date", ["2024-01-31 13:05:00"]),
        (["1/31/2024 31:05"], "text", ["1/31/2024 31:05"]),
        (["1.10.12", "3.11.7"], "text", ["1.10.12", "3.11.7"]),
    ],
)
def test_the_kind_is_what_every_cell_agrees_on(
    cells: list[str], kind: str, read: list[str | None]
) -> None:
    column = Column(decimal_comma=False)
    column.show(set(cells))
    assert (column.kind.name, read_cells(column.kind, cells)) == (kind, read)


@pytest.mark.parametrize(
    ("cells", "kind", "read"),
    [
        (["1,5", "-2,25"], "real", ["1.5", "-2.25"]),
        (["1.234,5", "3"], "real", ["1234.5", "3"]),
        (["1.234", "5.678"], "text", ["1.234", "5.678"]),
        (["1,234", "3"], "text", ["1,234", "3"]),
        (["1.5", "2.25"], "real", ["1.5", "2.25"]),
    ],
)
def test_a_comma_may_be_the_decimal_point_but_is_not_guessed(
    cells: list[str], kind: str, read: list[str | None]
) -> None:
    column = Column(decimal_comma=True)
    column.show(set(cells))
    assert (column.kind.name, read_cells(column.kind, cells)) == (kind, read)


# Files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings_are_found_out(folder: Path, encoding: str) -> None:
    (folder / "t.csv").write_bytes("Käse,Preis\nGrün,3\n".encode(encoding))
    assert rows(["t.csv"], "SELECT käse, preis FROM t") == [["Grün", 3]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found_out(folder: Path, delimiter: str, newline: str) -> None:
    lines = [["name", "note"], ["a", f'"x, y;{newline}z"'], ["b", "c"], [], ["", ""]]
    text = newline.join(delimiter.join(line) for line in lines)
    (folder / "t.csv").write_bytes(text.encode())
    assert rows(["t.csv"], "SELECT count(*), min(note) FROM t") == [[2, "c"]]


def test_a_file_without_a_heading_gets_one(folder: Path) -> None:
    (folder / "t.csv").write_text("1,2024-01-01\n2,2024-01-02\n")
    assert rows(["t.csv"], "SELECT sum(column_1), max(column_2) FROM t") == [[3, "2024-01-02"]]


def test_a_file_whose_quote_never_ends_is_told(folder: Path) -> None:
    (folder / "t.csv").write_text('a,b\n1,"' + "x" * 2_000_000)
    assert "field larger" in describe(["t.csv"])["problems"][0]
    assert "field larger" in answer_query(["t.csv"], "SELECT * FROM t", 5)["error"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("[" * 100_000, "nested"), ('{"a":1}\n{"a":', "line 2"), ("[1, {", "not valid JSON")],
)
def test_broken_json_is_told(folder: Path, text: str, words: str) -> None:
    (folder / "t.json").write_text(text)
    assert words in describe(["t.json"])["problems"][0]


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "3", "[]", '[{"a": 1}, 2]', "null"])
def test_json_that_is_no_table_is_passed_over(folder: Path, text: str) -> None:
    (folder / "t.json").write_text(text)
    assert describe(["t.json"]) == {"cards": [], "left": [], "problems": []}


def test_numbers_larger_than_sqlite_has_stay_text(folder: Path) -> None:
    (folder / "t.json").write_text('[{"n": 99999999999999999999}, {"n": 1}, {"n": NaN}]')
    assert rows(["t.json"], "SELECT n FROM t ORDER BY typeof(n)") == [
        [1],
        [None],
        ["99999999999999999999"],
    ]


def test_a_pipe_named_like_a_table_does_not_stall(folder: Path) -> None:
    os.mkfifo(folder / "t.csv")
    assert "not a regular file" in describe(["t.csv"])["problems"][0]


def test_a_damaged_database_is_told(folder: Path) -> None:
    connection = sqlite3.connect(folder / "t.db")
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    data = bytearray((folder / "t.db").read_bytes())
    data[100:4000] = b"\xff" * 3900
    (folder / "t.db").write_bytes(data)
    assert "t.db" in describe(["t.db"])["problems"][0]


def test_a_database_that_is_being_written_can_be_asked(folder: Path) -> None:
    writer = sqlite3.connect(folder / "t.db")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (a)")
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    try:
        assert rows(["t.db"], "SELECT a FROM t") == [[1]]
    finally:
        writer.close()


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
ROWS = st.tuples(
    st.none() | st.integers(-(10**17), 10**17),
    st.none() | st.floats(-1e12, 1e12).map(lambda number: round(number, 3)),
    st.none() | WORDS.map(lambda word: f"x{word}".strip()),
    st.sampled_from(["", "a,b", 'say "hi"', "two\nlines", "semi;colon", "tab\there"]),
)


@IN_ONE_FOLDER
@given(
    st.lists(ROWS, min_size=1, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_to_a_csv_is_found_in_the_table(
    folder: Path, records: list[tuple[Any, ...]], delimiter: str, encoding: str
) -> None:
    with (folder / "t.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["whole", "broken", "word", "quoted", "last"])
        writer.writerows([*record, "end"] for record in records)
    found = rows(["t.csv"], "SELECT count(*), sum(whole), sum(broken) FROM t")
    wholes, brokens, words, quoted = zip(*records, strict=True)
    count, whole, broken = found[0]
    assert count == len(records)
    assert (whole or 0) == sum(number for number in wholes if number is not None)
    real = sum(number for number in brokens if number is not None)
    assert math.isclose(broken or 0, real, rel_tol=1e-9, abs_tol=1e-3)
    assert rows(["t.csv"], "SELECT word, quoted FROM t ORDER BY rowid") == [
        [word or None, text or None] for word, text in zip(words, quoted, strict=True)
    ]


# SQL


@IN_ONE_FOLDER
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_median_and_stddev_are_right(folder: Path, numbers: list[int]) -> None:
    (folder / "t.csv").write_text("n\n" + "\n".join(map(str, numbers)))
    [[median, deviation]] = rows(["t.csv"], "SELECT median(n), stddev(n) FROM t")
    assert median == statistics.median(numbers)
    assert math.isclose(deviation, statistics.stdev(numbers), abs_tol=1e-9)


def test_dates_have_parts(folder: Path) -> None:
    (folder / "t.csv").write_text("d\n2024-02-29\n")
    assert rows(["t.csv"], "SELECT year(d), month(d), day(d), year(7), day(NULL) FROM t") == [
        [2024, 2, 29, None, None]
    ]


PIECES = st.sampled_from(
    [
        *(
            "SELECT",
            "WITH x AS (",
            ")",
            "VALUES",
            "EXPLAIN",
            "INSERT INTO",
            "DELETE FROM",
            "UPDATE",
        ),
        *("DROP TABLE", "CREATE TABLE y AS", "CREATE TEMP TRIGGER", "ALTER TABLE", "REPLACE INTO"),
        *("ATTACH", "DETACH", "VACUUM INTO 'new.db'", "VACUUM", "PRAGMA", "REINDEX", "ANALYZE"),
        *("BEGIN", "COMMIT", "SAVEPOINT s", "RETURNING *", "SET a = 9", "VALUES (9)", "AS"),
        *("t", "u", "file_0.u", "main.t", "sqlite_master", "temp.sqlite_master", "'new.db'"),
        *("journal_mode = DELETE", "writable_schema = ON", "query_only = OFF", "user_version = 7"),
        *("load_extension('x')", "writefile('new', 'x')", "readfile('t.csv')", "edit('x')"),
        *("fts3_tokenizer('a', x'00')", "randomblob(1000000000)", "printf('%999999999d', 1)"),
        *("pragma_journal_mode", "json_each('[1]')", "(SELECT 1)", "UNION ALL", "FROM", "WHERE"),
        *("*", "a", "1", "'x'", ",", ";", "=", "--", "/*", "*/", "\n", "\0", '"t"', "`t`", "[t]"),
    ]
)


@IN_ONE_FOLDER
@given(st.lists(PIECES, max_size=9).map(" ".join) | st.text(max_size=30))
@example("WITH x AS (SELECT 1) INSERT INTO t VALUES (9)")
@example("WITH x AS (SELECT 1) INSERT INTO u VALUES (9) RETURNING *")
@example("WITH x AS (SELECT 1) DELETE FROM file_0.u")
@example("WITH x AS (SELECT 1) UPDATE u SET a = 9 RETURNING a")
@example("SELECT * FROM pragma_user_version(7)")
@example("VALUES (1); VACUUM INTO 'new.db'")
def test_no_sql_writes_or_leaves_the_folder(folder: Path, sql: str) -> None:
    (folder / "t.csv").write_text("a\n1\n")
    if not (folder / "u.db").exists():
        connection = sqlite3.connect(folder / "u.db")
        connection.execute("CREATE TABLE u (a)")
        connection.execute("INSERT INTO u VALUES (1)")
        connection.commit()
        connection.close()
    before = _state(folder)
    answer = answer_query(["t.csv", "u.db"], sql, 2)
    assert set(answer) in ({"columns", "rows", "row_count", "notes"}, {"error"}, {"timed_out"})
    assert _state(folder) == before


def _state(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM INTO 'new.db'",
        "ATTACH 'new.db' AS n",
        "PRAGMA writable_schema = ON",
        "INSERT INTO u VALUES (9)",
        "CREATE TABLE n AS SELECT 1",
        "SELECT load_extension('x')",
        "SELECT * FROM pragma_user_version",
    ],
)
def test_the_authorizer_holds_alone(folder: Path, sql: str) -> None:
    """Without the look at the first word that refuses most of these before SQLite sees them."""
    from orchestrator.tool.builtin.table_worker import query
    from orchestrator.tool.builtin.table_worker.store import Store

    connection = sqlite3.connect(folder / "u.db")
    connection.execute("CREATE TABLE u (a)")
    connection.commit()
    connection.close()
    store = Store(["u.db"])
    query._guard(store.db)  # pyright: ignore[reportPrivateUsage]  the inner wall is meant
    with pytest.raises(sqlite3.Error, match=r"authoriz|prohibited|readonly"):
        store.db.execute(sql).fetchall()
    assert sorted(path.name for path in folder.iterdir()) == ["u.db"]
