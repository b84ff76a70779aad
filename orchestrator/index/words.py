"""Words as full-text search wants them: what of a request to look for, and what of a text to index
beside the text itself.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator, Sequence

from orchestrator.database import Database
from orchestrator.errors import HomeError

TOKENIZE = "porter unicode61 remove_diacritics 2"
"""FTS5's tokenizer for prose: English stems, accents dropped."""

_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"\b[A-Za-z]*[a-z][A-Z][A-Za-z]*\b")
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+")

_STOP_WORDS = """
a about above after again against all am an and any are as at be because been before being
below between both but by can could did do does doing down during each few for from further get
had has have having he help her here hers him his how i if in into is it its just let like make
me more most my need no nor not now of off on once only or other our out over own please same
she should so some such than that the their them then there these they this those through to too
under until up us use using very want was we were what when where which while who whom why will
with would you your
"""


def content_words(text: str, most: int = 24) -> Sequence[str]:
    """The distinct words that carry a request, in lower case: no stop words, unless there is
    nothing else; of a long text the longest `most`, which are seldom the common ones.
    """
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
    telling = [word for word in words if word not in _stop_words()] or words
    telling += [pair for pair in dict.fromkeys(_pairs(text)) if pair not in telling]
    return telling if len(telling) <= most else sorted(telling, key=len, reverse=True)[:most]


def match_any(words: Sequence[str]) -> str:
    """An FTS5 query for rows with at least one of the words; empty when there is none."""
    return " OR ".join(f'"{word}"' for word in words)


def hidden_words(text: str) -> str:
    """Words a tokenizer does not see in the text: the parts of `productVariantsUpdate`, and pairs
    of CJK characters.
    """
    parts = (_SEAM.sub(" ", word) for word in dict.fromkeys(_COMPOUND.findall(text)))
    return " ".join([*parts, *dict.fromkeys(_pairs(text))])


def rebuild_table(database: Database, table: str) -> None:
    """Index the content of an FTS5 table anew, also where its index is so damaged that SQLite can
    neither open nor drop it.
    """
    rebuild = f"INSERT INTO {table} ({table}) VALUES ('rebuild')"
    with database.transaction():
        try:
            database.execute(rebuild)
        except (sqlite3.DatabaseError, HomeError):
            _empty(database, table)
            database.execute(rebuild)


def _empty(database: Database, table: str) -> None:
    """Make a damaged table like a new one."""
    row = database.one("SELECT sql FROM sqlite_master WHERE name = ?", table)
    assert row is not None
    fresh = f"{table}_fresh"
    database.execute(re.sub(rf"\b{table}\b", fresh, row["sql"], count=1))
    for part in ("data", "idx", "docsize", "config"):
        database.execute(f"DELETE FROM {table}_{part}")
        database.execute(f"INSERT INTO {table}_{part} SELECT * FROM {fresh}_{part}")
    database.execute(f"DROP TABLE {fresh}")


@functools.cache
def _stop_words() -> frozenset[str]:
    return frozenset(_STOP_WORDS.split())


def _pairs(text: str) -> Iterator[str]:
    for run in _CJK.findall(text):
        yield from (run[at : at + 2] for at in range(len(run) - 1))
