"""Requests and the right call for each: what helps a small model most in choosing a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One request; `tool` None means that it needs none."""

    request: str
    tool: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _sql(request: str, sql: str) -> Example:
    return Example(request, "query_table", {"sql": sql})


@dataclass(frozen=True)
class Hint:
    """What a small model should know of a tool beyond its description."""

    use: str
    """What it is for, in the words of requests."""
    unset: tuple[str, ...] = ()
    """Optional arguments better left alone."""


HINTS = {
    "query_table": Hint("all questions about figures in the tables, shares and comparisons too"),
    "python": Hint("sums and dates that need no table"),
    "grep": Hint("where a word stands", unset=("path",)),
    "read": Hint("what one file says or does"),
    "shell": Hint("programs such as git, pytest, df, ps"),
}

FILES = "Files: contract.txt, lib/door.py, lib/pump.py, orders.csv, photos/cat.jpg"
TABLES = """\
Tables for query_table:
orders (orders.csv, 310 rows)
  day date 2020-01-03..2021-12-30
  way text: mail, phone, shop
  total real 2.5..980
Today is 2021-06-04."""
"""What the examples' requests are about, told the way a brief tells it."""

EXAMPLES = (
    Example("Thanks, that was all.", None),
    Example("What does the contract say about notice?", "read", {"path": "contract.txt"}),
    Example("Which files speak of a valve?", "grep", {"pattern": "valve"}),
    Example("Where is the class Door defined?", "grep", {"pattern": "class Door"}),
    Example("Find uses of open_door in lib.", "grep", {"pattern": "open_door"}),
    Example(
        "Note in todo.md that the lamp is broken.",
        "write",
        {"path": "todo.md", "content": "- The lamp is broken.\n"},
    ),
    Example(
        'Write the file visit.md: the heading "# Visit", then this, word for word.\n'
        "- Who came? The plumber came at nine.",
        "write",
        {"path": "visit.md", "content": "# Visit\n\n- Who came? The plumber came at nine.\n"},
    ),
    Example("Pack the photos.", "shell", {"command": "zip -r photos.zip photos"}),
    Example("What is the 12th power of 7?", "python", {"code": "print(7 ** 12)"}),
    Example(
        "How many weeks are left till 1 October?",
        "python",
        {
            "code": "from datetime import date\n"
            "print((date(2021, 10, 1) - date(2021, 6, 4)).days / 7)"
        },
    ),
    Example("What photos are there?", "list", {"path": "photos"}),
    Example(
        "Call the firm Acme, not Akme, in the contract.",
        "edit",
        {"path": "contract.txt", "old": "Akme", "new": "Acme"},
    ),
    _sql("How many orders came by mail?", "SELECT count(*) FROM orders WHERE way = 'mail'"),
    _sql(
        "What share of the orders in 2021 came by phone?",
        "SELECT round(100.0 * sum(way = 'phone') / count(*), 1) AS percent FROM orders "
        "WHERE year(day) = 2021",
    ),
    _sql(
        "Which month of 2021 brought the most money?",
        "SELECT month(day) AS month, sum(total) AS money FROM orders WHERE year(day) = 2021 "
        "GROUP BY month ORDER BY money DESC LIMIT 1",
    ),
    _sql(
        "Were orders larger in 2020 or in 2021?",
        "SELECT year(day) AS year, avg(total) FROM orders "
        "WHERE year(day) IN (2020, 2021) GROUP BY year",
    ),
    _sql("Which was the largest order?", "SELECT * FROM orders ORDER BY total DESC LIMIT 1"),
    _sql("Which order is the oldest?", "SELECT * FROM orders ORDER BY day LIMIT 1"),
)
"""Each is shown where its tool is bound and takes these arguments."""
