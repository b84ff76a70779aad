"""The kinds of cells: how numbers and dates are written, and how SQLite gets them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple


class Kind(NamedTuple):
    """How the cells of a column are stored."""

    name: str
    """`integer`, `real`, `date`, `datetime`, `text` or `mixed`; what the model is told."""
    affinity: str
    """SQLite's type; it turns plain digits into numbers by itself."""
    fits: Callable[[str], object]
    """True or not, called for every different cell."""
    read: Callable[[str], str | None] | None = None
    """The cell as SQLite shall get it; None: as it is."""


def _matching(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.ASCII).fullmatch


def _number(name: str, pattern: str, drop: str, point: str = ".") -> Kind:
    """A number written with units and separators."""
    table = str.maketrans({**dict.fromkeys(drop), point: "."})

    def read(cell: str) -> str:
        return cell.translate(table)

    return Kind(name, name.upper(), _matching(pattern), read)


UNITS = "$€£¥%"
_BEFORE, _AFTER = "[+-]?[$€£¥]? ?", " ?[%€£¥]?"
_WHOLE = r"(?:0|[1-9]\d{0,14})"
_THOUSANDS = r"(?:0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,14})"
_DOTTED_THOUSANDS = r"(?:0|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,14})"

PLAIN = (
    Kind("integer", "INTEGER", _matching(r"[+-]?(?:0|[1-9]\d{0,17})")),
    Kind("real", "REAL", _matching(rf"[+-]?(?:{_WHOLE}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{{1,3}})?")),
)
"""A leading zero makes a cell text: `007` is a code, not a number."""

DECORATED = (
    _number("integer", _BEFORE + _THOUSANDS + _AFTER, UNITS + " ,"),
    _number("real", rf"{_BEFORE}{_THOUSANDS}(?:\.\d*)?{_AFTER}", UNITS + " ,"),
)
DECIMAL_COMMA = _number(
    "real", rf"{_BEFORE}{_DOTTED_THOUSANDS}(?:,\d+)?{_AFTER}", UNITS + " .", point=","
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:[ T](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?: ?(?P<half>[ap]m))?)?"
)


def _dated(pattern: str) -> Kind:
    """Dates written as `pattern`, read into ISO text."""
    match = re.compile(pattern + _CLOCK, re.ASCII | re.IGNORECASE).fullmatch

    @lru_cache(maxsize=50_000)
    def read(cell: str) -> str | None:
        found = match(cell)
        return None if found is None else _iso(found.groupdict())

    return Kind("date", "TEXT", read, read)


def _iso(part: dict[str, str | None]) -> str | None:
    year, month = part["y"] or "", part["m"] or ""
    if len(year) == 2:
        year = ("20" if year < "70" else "19") + year
    if not month.isdigit():
        name = month[:3].lower()
        month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
    hour = int(part["hour"] or 0)
    if part["half"]:
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    clock = hour, int(part["minute"] or 0), int(part["second"] or 0)
    try:
        moment = datetime(  # noqa: DTZ001  a table says no zone
            int(year), int(month), int(part["d"] or 0), *clock
        )
    except ValueError:
        return None
    return moment.isoformat(" ") if part["hour"] else moment.date().isoformat()


_ISO_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_ISO_CLOCK = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
DATES = (
    Kind("date", "TEXT", _matching(_ISO_DATE)),
    Kind("datetime", "TEXT", _matching(_ISO_DATE + _ISO_CLOCK)),
    _dated(r"(?P<y>\d{4})[/.-](?P<m>\d{1,2})[/.-](?P<d>\d{1,2})"),
    _dated(r"(?P<m>[a-z]{3,9})\.? (?P<d>\d{1,2}),? (?P<y>\d{4})"),
    _dated(r"(?P<d>\d{1,2})[ -](?P<m>[a-z]{3,9})\.?[ -](?P<y>\d{4}|\d{2})"),
    _dated(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
)
DAY_FIRST = _dated(r"(?P<d>\d{1,2})[/-](?P<m>\d{1,2})[/-](?P<y>\d{4}|\d{2})")
MONTH_FIRST = _dated(r"(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4}|\d{2})")


TEXT = Kind("text", "TEXT", str)
MIXED = Kind("mixed", "", str)


def kind_of_types(types: Collection[type]) -> Kind:
    """The kind of a column whose cells have these types already."""
    if all(issubclass(cell, int) for cell in types):
        return PLAIN[0]
    return PLAIN[1] if all(issubclass(cell, (int, float)) for cell in types) else MIXED


def is_value(cell: str) -> bool:
    """Whether the cell is a number or a date, as no heading is."""
    return any(kind.fits(cell) for kind in (*PLAIN, *DECORATED, *DATES))
