"""Answers one request: a query, or the cards of all tables."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from .card import card
from .query import QueryError, QueryTimeout, ask
from .store import Store, written

_MOST_CARDS = 12
_CARD_SECONDS = 5


def answer_query(files: Sequence[str], sql: str, seconds: float) -> dict[str, Any]:
    """`columns`, `rows`, `row_count` and `notes`; or `error` in words for the model; or
    `timed_out`.
    """
    store = Store(files)
    try:
        return ask(store, sql, seconds)._asdict()
    except QueryTimeout:
        return {"timed_out": True}
    except QueryError as error:
        return {"error": str(error)}


def describe(files: Sequence[str]) -> dict[str, Any]:
    """`cards` of the tables, and `problems` of the files that are none."""
    store = Store(files)
    store.read()
    deadline = time.monotonic() + _CARD_SECONDS
    store.db.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    cards: list[str] = []
    for table in list(store.tables.values())[:_MOST_CARDS]:
        try:
            cards.append(card(store.db, table))
        except sqlite3.Error:
            columns = ", ".join(f"{column} {kind}" for column, kind in table.columns)
            cards.append(f"{written(store.db, table.name)} ({table.file}): {columns}"[:2000])
    left = [written(store.db, table.name) for table in list(store.tables.values())[_MOST_CARDS:]]
    problems = [f"{file} {problem}" for file, problem in store.problems.items()]
    return {"cards": cards, "left": left, "problems": problems}
