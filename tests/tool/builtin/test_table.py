from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.home import Home
from orchestrator.index import count_tokens
from orchestrator.sandbox import Sandbox, SandboxConfig, open_sandbox
from orchestrator.tool.base import ToolContext, ToolResult
from orchestrator.tool.builtin.table import QueryTable, QueryTableArguments, table_cards

WEATHER = Path(__file__).parents[3] / "examples" / "quickstart" / "inputs" / "seattle-weather.csv"

SALES = """Order Date;Total Sales ($);Group;2020
01.02.2024;"1.234,50";north;1
15.02.2024;99,5;south;2
29.02.2024;0,5;north;
"""


@pytest.fixture
async def sandbox(home: Home) -> AsyncIterator[Sandbox]:
    config = SandboxConfig(isolation="none")
    async with open_sandbox(config, home.profile("desk", "clerk")) as sandbox:
        yield sandbox


@pytest.fixture
def context(sandbox: Sandbox) -> ToolContext:
    return ToolContext("desk/clerk", "r1", "r1", sandbox)


async def put(sandbox: Sandbox, name: str, data: str | bytes) -> None:
    await sandbox.write(f"r1/{name}", data.encode() if isinstance(data, str) else data)


async def ask(context: ToolContext, sql: str) -> ToolResult:
    return await QueryTable().run(QueryTableArguments(sql=sql), context)


def database(path: Path, *statements: str) -> bytes:
    """A SQLite file's bytes."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


async def test_a_csv_is_asked_in_sql(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "seattle-weather.csv", WEATHER.read_bytes())
    result = await ask(
        context,
        "SELECT year(date) AS year, round(sum(precipitation), 1) AS rain, median(temp_max) AS warm "
        "FROM seattle_weather GROUP BY 1 ORDER BY 1",
    )
    assert result.text.splitlines()[:2] == ["year | rain | warm", "2012 | 1226 | 14.7"]
    assert result.data["columns"] == ["year", "rain", "warm"]
    assert result.data["rows"][0] == [2012, 1226.0, 14.7]
    assert result.data["row_count"] == 4
    assert not result.empty


async def test_headings_numbers_and_dates_of_a_german_file_are_understood(
    sandbox: Sandbox, context: ToolContext
) -> None:
    await put(sandbox, "in/Sales 2024.csv", SALES)
    result = await ask(
        context,
        "SELECT group_, sum(total_sales), max(order_date), sum(c_2020) FROM sales_2024"
        " WHERE order_date >= '2024-02-01' GROUP BY group_ ORDER BY 1",
    )
    assert result.data["rows"] == [
        ["north", 1235.0, "2024-02-29", 1],
        ["south", 99.5, "2024-02-15", 2],
    ]


async def test_json_and_json_lines_are_tables(sandbox: Sandbox, context: ToolContext) -> None:
    items = [
        {"id": 1, "address": {"city": "Ulm", "zip": "08900"}, "tags": ["a", "b"], "ok": True},
        {"id": 2, "price": "12.5", "address": {"city": None}},
    ]
    await put(sandbox, "shop.json", json.dumps({"page": 1, "items": items}))
    await put(sandbox, "log.jsonl", '{"level": "warn", "ms": 1}\n\n{"level": "error", "ms": 2.5}\n')
    result = await ask(context, "SELECT address_city, address_zip, price, ok, tags FROM shop")
    assert result.data["rows"] == [
        ["Ulm", "08900", None, 1, '["a", "b"]'],
        [None, None, 12.5, None, None],
    ]
    result = await ask(context, "SELECT sum(ms) FROM log WHERE level IN ('warn', 'error')")
    assert result.data["rows"] == [[3.5]]


async def test_an_object_of_lists_gives_a_table_for_each(
    sandbox: Sandbox, context: ToolContext
) -> None:
    await put(sandbox, "shop.json", json.dumps({"items": [{"a": 1}], "people": [{"b": 2}]}))
    result = await ask(context, "SELECT a, b FROM shop_items, shop_people")
    assert result.data["rows"] == [[1, 2]]


async def test_a_database_is_joined_with_a_file(
    sandbox: Sandbox, context: ToolContext, tmp_path: Path
) -> None:
    data = database(
        tmp_path / "x.db",
        'CREATE TABLE people (id INTEGER PRIMARY KEY, "Full Name" TEXT)',
        "INSERT INTO people VALUES (1, 'Ann'), (2, 'Bo')",
        'CREATE VIEW short AS SELECT id FROM people WHERE length("Full Name") < 3',
    )
    await put(sandbox, "crm.db", data)
    await put(sandbox, "pay.tsv", "id\tpaid\n1\t10\n2\t20\n")
    result = await ask(context, 'SELECT "Full Name", paid FROM people JOIN pay USING (id)')
    assert result.data["rows"] == [["Ann", 10], ["Bo", 20]]
    assert (await ask(context, "SELECT id FROM short")).data["rows"] == [[2]]
    assert await sandbox.read("r1/crm.db") == data


async def test_a_table_of_a_database_makes_way_for_a_file_of_its_name(
    sandbox: Sandbox, context: ToolContext, tmp_path: Path
) -> None:
    await put(sandbox, "crm.db", database(tmp_path / "x.db", "CREATE TABLE Pay (a)"))
    await put(sandbox, "pay.csv", "b\n1\n")
    assert (await ask(context, "SELECT b FROM pay")).data["rows"] == [[1]]
    assert (await ask(context, "SELECT count(a) FROM crm_pay")).data["rows"] == [[0]]


async def test_two_files_of_one_name_get_two(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "pay.csv", "a\n1\n")
    await put(sandbox, "old/pay.csv", "a\n2\n")
    result = await ask(context, "SELECT p.a, o.a FROM pay p, old_pay o")
    assert result.data["rows"] == [[1, 2]]


async def test_long_results_are_cut_and_counted(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "n.csv", "n\n" + "".join(f"{n}\n" for n in range(200)))
    result = await ask(context, "SELECT n FROM n ORDER BY n")
    assert result.text.endswith("49\n(150 more rows)\n(isolation: none)")
    assert result.data["row_count"] == 200
    assert len(result.data["rows"]) == 50


async def test_wide_results_are_cut_too(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "t.csv", "t\n" + "".join(f"{'x' * 3000}\n" for _ in range(100)))
    result = await ask(context, "SELECT t, t, t, t FROM t")
    assert len(result.text) < 15_000
    assert "more rows" in result.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM weather WHERE kind = 'hail'",
        "SELECT max(wind), min(wind) FROM weather WHERE kind = 'hail'",
    ],
)
async def test_finding_nothing_is_empty_and_says_so(
    sandbox: Sandbox, context: ToolContext, sql: str
) -> None:
    await put(sandbox, "weather.csv", "kind,wind\nrain,1\nsun,2\n")
    result = await ask(context, sql)
    assert result.empty
    assert result.text.startswith("(empty)")


async def test_a_count_of_nothing_is_an_answer_but_a_wrong_spelling_is_noted(
    sandbox: Sandbox, context: ToolContext
) -> None:
    await put(sandbox, "weather.csv", "kind,wind\nrain,1\nsun,2\n")
    result = await ask(context, "SELECT count(*) FROM weather WHERE kind = 'Rain'")
    assert not result.empty
    assert "Note: kind holds 'rain', not 'Rain'" in result.text


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT wnd FROM weather", "did you mean wind?"),
        ("SELECT w.wnd FROM weather w", "did you mean wind?"),
        ("SELECT * FROM wether", "did you mean weather?"),
        ("SELECT * FROM 'weather.csv'", "tables: weather"),
        ('SELECT sum("wind speed") FROM weather', '"wind speed" is no column'),
        ("SELECT wind FROM weather WHERE strftime('%Y', day) = 2012", "quote the number"),
        ("SELECT wind FORM weather", "syntax error"),
        ("SELECT wind_chill(wind) FROM weather", "no such function"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "one SELECT"),
        ("PRAGMA table_info(weather)", "one SELECT"),
        ("ATTACH '/etc/passwd' AS x", "one SELECT"),
        ("SELECT * FROM pragma_table_info('weather')", "only reading"),
        ("WITH x AS (SELECT 1) DELETE FROM weather", "only reading"),
        ("DROP TABLE weather", "one SELECT"),
        ("SELECT load_extension('x')", "not authorized"),
        ("SELECT zeroblob(99999999)", "too big"),
        ("SELECT 1 -- " + "x" * 30_000, "longer than"),
    ],
)
async def test_wrong_sql_comes_back_with_help(
    sandbox: Sandbox, context: ToolContext, sql: str, words: str
) -> None:
    await put(sandbox, "weather.csv", "kind,wind,day\nrain,1,2024-01-01\nsun,2,2024-01-02\n")
    with pytest.raises(ToolRetry) as refusal:
        await ask(context, sql)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "sql",
    [
        "```sql\nSELECT wind FROM weather\n```",
        "  -- the wind\n /* all of it */ SELECT wind FROM weather;",
        'SELECT "wind" FROM "weather" ORDER BY "wind"',
        'SELECT wind AS "Wind Speed" FROM weather ORDER BY "Wind Speed"',
        'WITH w AS (SELECT wind AS speed FROM weather) SELECT "speed" FROM w',
        'SELECT wind FROM weather WHERE kind <> "hail"',
    ],
)
async def test_sql_as_models_write_it_is_taken(
    sandbox: Sandbox, context: ToolContext, sql: str
) -> None:
    await put(sandbox, "weather.csv", "kind,wind\nrain,1\nsun,2\n")
    assert (await ask(context, sql)).data["rows"] == [[1], [2]]


async def test_a_query_without_end_is_stopped(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "n.csv", "n\n1\n")
    endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT sum(i) FROM r"
    with pytest.raises(ToolFailed, match="stopped after"):
        await ask(replace(context, timeout_seconds=1), endless)


async def test_a_secret_in_a_table_is_not_shown(sandbox: Sandbox, context: ToolContext) -> None:
    await put(sandbox, "keys.csv", "name,value\napi,hunter2hunter2\n")
    result = await ask(replace(context, secrets={"API": "hunter2hunter2"}), "SELECT * FROM keys")
    assert "hunter2" not in result.text + json.dumps(dict(result.data))


async def test_a_folder_without_tables_says_so_and_starts_nothing(sandbox: Sandbox) -> None:
    await put(sandbox, "notes.txt", "x")
    await sandbox.suspend()  # whatever would start a process now waits for ever
    assert await table_cards(sandbox, "r1") == ""
    assert await table_cards(sandbox, "no-such-folder") == ""
    with pytest.raises(ToolFailed, match="no table file"):
        await ask(ToolContext("desk/clerk", "r1", "r1", sandbox), "SELECT 1")


async def test_cards_tell_names_kinds_ranges_values_and_a_sample(sandbox: Sandbox) -> None:
    await put(sandbox, "seattle-weather.csv", WEATHER.read_bytes())
    card = await table_cards(sandbox, "r1")
    assert card == (
        "seattle_weather (seattle-weather.csv, 1461 rows)\n"
        "  date date 2012-01-01..2015-12-31\n"
        "  precipitation real 0..55.9\n"
        "  temp_max real -1.6..35.6\n"
        "  temp_min real -7.1..18.3\n"
        "  wind real 0.4..9.5\n"
        "  weather text: drizzle, fog, rain, snow, sun\n"
        "  sample: 2012-01-01 | 0 | 12.8 | 5 | 4.7 | drizzle"
    )
    assert count_tokens(card) <= 150


async def test_cards_name_what_is_odd_or_cannot_be_read(sandbox: Sandbox) -> None:
    rows = "".join(f"{n},{n}.5\n" for n in range(50))
    await put(sandbox, "odd.csv", f"n,price\n{rows}50,call\n51,1,9\n")
    await put(sandbox, "empty.csv", "")
    await put(sandbox, "broken.json", '{"a":')
    await put(sandbox, "binary.csv", b"\x00\x01" * 9)
    await put(sandbox, "fake.db", b"SQLite format 3, or not")
    await put(sandbox, "config.json", '{"name": "x"}')
    await put(sandbox, "order.csv", "select,Total %,Total %\n1,,x\n")
    card = await table_cards(sandbox, "r1")
    for words in (
        "price is text because of 'call'; CAST(price AS REAL) reads the rest",
        "cells beyond the last heading are left out (rows: 1)",
        "empty.csv is empty",
        "broken.json is not valid JSON",
        "binary.csv is binary",
        "fake.db is not a SQLite database",
        "order_ (order.csv, 1 rows)\n  select_ integer 1\n  total text, always NULL",
        "\n  total_2 text: x",
    ):
        assert words in card
    assert "config" not in card


async def test_cards_of_many_tables_stay_short(sandbox: Sandbox) -> None:
    for number in range(30):
        await put(sandbox, f"t{number:02}.csv", "a,b\n1,x\n")
    await put(sandbox, "wide.csv", ",".join(f"c{n}" for n in range(200)) + "\n")
    await put(sandbox, ".hidden/secret.csv", "a\n1\n")
    cards = await table_cards(sandbox, "r1")
    assert "More tables: " in cards
    assert "t29" in cards
    assert "secret" not in cards
    assert count_tokens(cards) < 1500


async def test_it_works_behind_real_walls(home: Home) -> None:
    sandbox = open_sandbox(SandboxConfig(), home.profile("desk", "walled"))
    if not (await sandbox.health()).ok:
        pytest.skip("bubblewrap cannot work here")
    async with sandbox:
        await put(sandbox, "seattle-weather.csv", WEATHER.read_bytes())
        assert "1461 rows" in await table_cards(sandbox, "r1")
        context = ToolContext("desk/walled", "r1", "r1", sandbox)
        result = await ask(context, "SELECT count(*) FROM seattle_weather")
        assert result.text == "count(*)\n1461"
        assert result.data["isolation"] == "bubblewrap"
