"""What a column of text cells holds: numbers and dates are recognised only where every cell
agrees.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .kinds import (
    DATES,
    DAY_FIRST,
    DECIMAL_COMMA,
    DECORATED,
    MONTH_FIRST,
    PLAIN,
    TEXT,
    UNITS,
    Kind,
)

_MISSING = frozenset({"", "-", "na", "n/a", "#n/a", "nan", "null", "none"})
"""Lower-case cells that mean no value, in a column of numbers or dates."""
_LONGEST_MISSING = max(map(len, _MISSING))


_RIVALS = (
    (PLAIN[1], DECIMAL_COMMA),
    (DECIMAL_COMMA, DECORATED[1]),
    (DAY_FIRST, MONTH_FIRST),
)
"""Readings that may both fit and differ, such as 1.234 or 03/04/2024."""


_MOST_ODD = 3


class Column:
    """Is shown a column's cells, part by part, and then knows what kind it is."""

    def __init__(self, *, decimal_comma: bool) -> None:
        """`decimal_comma`: no comma stands between the file's cells, so one may stand in a
        number.
        """
        numbers = (*PLAIN, DECIMAL_COMMA, *DECORATED) if decimal_comma else PLAIN + DECORATED
        self._kinds: Sequence[Kind] = (*numbers, *DATES, DAY_FIRST, MONTH_FIRST)
        self._seen = False
        self._differing: set[tuple[Kind, Kind]] = set()
        self._units: set[str] = set()
        self._numbers = 0
        self._odd: set[str] = set()

    def show(self, cells: Collection[str]) -> None:
        """Different cells, stripped of the blanks around them."""
        if not self._kinds and len(self._odd) > _MOST_ODD:
            return
        filled = [cell for cell in cells if not _is_missing(cell)]
        if not filled:
            return
        self._seen = True
        self._kinds = [kind for kind in self._kinds if all(map(kind.fits, filled))]
        for one, other in self._rivals():
            if any(_read(one, cell) != _read(other, cell) for cell in filled):
                self._differing.add((one, other))
        if not set(PLAIN).intersection(self._kinds):
            self._units.update(unit for unit in UNITS if any(unit in cell for cell in filled))
        self._note_odd(filled)

    @property
    def kind(self) -> Kind:
        """Text where the cells disagree, can be read in two ways, or have different units."""
        if not self._seen or not self._kinds or self._differing.intersection(self._rivals()):
            return TEXT
        kind = self._kinds[0]
        return TEXT if kind.affinity != "TEXT" and len(self._units) > 1 else kind

    @property
    def odd(self) -> Sequence[str]:
        """The few cells that keep a column of numbers from being one."""
        few = len(self._odd) <= _MOST_ODD and self._numbers > 10 * len(self._odd)
        return sorted(self._odd) if few else []

    def _note_odd(self, cells: Sequence[str]) -> None:
        if len(self._odd) <= _MOST_ODD:
            number = DECORATED[1]
            odd = [] if number in self._kinds else [c for c in cells if not number.fits(c)]
            self._numbers += len(cells) - len(odd)
            self._odd.update(odd[: _MOST_ODD + 1])

    def _rivals(self) -> list[tuple[Kind, Kind]]:
        return [pair for pair in _RIVALS if pair[0] in self._kinds and pair[1] in self._kinds]


def read_cells(kind: Kind, cells: Sequence[str]) -> list[str | None]:
    """A column's stripped cells as SQLite shall get them; None where there is no value."""
    if kind is TEXT:
        return [cell or None for cell in cells]
    different = set(cells)
    if kind.read is None:
        missing = set(filter(_is_missing, different))
        return [None if cell in missing else cell for cell in cells]
    known = {cell: None if _is_missing(cell) else kind.read(cell) for cell in different}
    return [known[cell] for cell in cells]


def _is_missing(cell: str) -> bool:
    return len(cell) <= _LONGEST_MISSING and cell.lower() in _MISSING


def _read(kind: Kind, cell: str) -> str | None:
    return kind.read(cell) if kind.read else cell
