"""A first look at every cell of a sheet, so that its columns get one kind each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any

from .column import Column, read_cells
from .kinds import Kind, kind_of_types
from .source import Sheet, TableError

_MOST_ROWS = 2_000_000
_PART = 5000
"""Rows held at a time."""


class Survey:
    """Reads the sheet once to learn the kinds of its columns, and again for its rows."""

    def __init__(self, sheet: Sheet) -> None:
        """Raises TableError."""
        self._sheet = sheet
        self._columns = [_SurveyedColumn(sheet) for _ in sheet.columns]
        rows = overlong = 0
        width = len(self._columns)
        for part in self._parts():
            rows += len(part)
            if rows > _MOST_ROWS:
                raise TableError(
                    f"has more than {_MOST_ROWS:,} rows; put it into a SQLite file with python, "
                    "then query that"
                )
            overlong += sum(1 for row in part if any(row[width:]))
            for column, cells in zip(self._columns, self._turned(part), strict=True):
                column.show(cells)
        self.kinds = [column.kind for column in self._columns]
        self.overlong = overlong
        """Rows with cells that have no heading; those cells are left out."""

    @property
    def odd(self) -> Sequence[Sequence[str]]:
        """Per column, the few texts that keep it from being a column of numbers."""
        return [column.odd for column in self._columns]

    def rows(self) -> Iterator[Iterator[Sequence[Any]]]:
        """The rows as SQLite shall get them, part by part."""
        for part in self._parts():
            cells = zip(self._columns, self._turned(part), strict=True)
            yield zip(*(column.read(text) for column, text in cells), strict=True)

    def _parts(self) -> Iterator[Sequence[Sequence[Any]]]:
        rows = self._sheet.rows()
        while part := list(islice(rows, _PART)):
            yield part

    def _turned(self, part: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The part as columns, short rows filled up and long ones cut."""
        filler = None if self._sheet.typed else ""
        width = len(self._columns)
        turned = zip_longest((filler,) * width, *part, fillvalue=filler)
        return (cells[1:] for cells in islice(turned, width))


class _SurveyedColumn:
    def __init__(self, sheet: Sheet) -> None:
        self._typed = sheet.typed
        self._types: set[type] = set()
        self._text = Column(decimal_comma=sheet.decimal_comma)

    def show(self, cells: Sequence[Any]) -> None:
        if self._typed:
            self._types.update(cell.__class__ for cell in cells if cell is not None)
        if self._is_text:
            self._text.show(set(_stripped(cells)))

    @property
    def odd(self) -> Sequence[str]:
        return self._text.odd if self._is_text else []

    @property
    def kind(self) -> Kind:
        return self._text.kind if self._is_text else kind_of_types(self._types)

    def read(self, cells: Sequence[Any]) -> Sequence[Any]:
        return read_cells(self.kind, _stripped(cells)) if self._is_text else cells

    @property
    def _is_text(self) -> bool:
        return self._types <= {str}


def _stripped(cells: Sequence[str | None]) -> Sequence[str]:
    return [cell.strip() if cell else "" for cell in cells]
