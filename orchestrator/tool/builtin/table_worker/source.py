"""Table files and how they are read: delimiter, encoding and heading are found out, not asked."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, cast

from . import JSON
from .kinds import is_value

_LARGEST_DELIMITED = 200_000_000
_LARGEST_JSON = 50_000_000
_MOST_COLUMNS = 1000
_LONGEST_CELL = 1_000_000
_DEEPEST = 3
"""Objects inside objects become columns such as `address_city` down to here, JSON text below."""


class TableError(Exception):
    """This file cannot be used as a table; says why, and what to do."""


class NotATable(TableError):
    """A JSON file that holds something else, as many do."""


class Sheet(NamedTuple):
    """One table of a file."""

    name: str
    """Wished for: the file's, or the file's and the key's."""
    columns: Sequence[str]
    """As the file has them; empty where it names none."""
    rows: Callable[[], Iterator[Sequence[Any]]]
    """Read anew at each call; a row may be shorter or longer than `columns`."""
    typed: bool
    """False: cells are text whose kind must be found out."""
    decimal_comma: bool = False
    """A comma may stand in a number."""


def read_sheets(path: Path) -> list[Sheet]:
    """The tables of a text file. Raises TableError."""
    if not path.is_file():
        raise TableError("is not a regular file")
    as_json = path.suffix.lower() in JSON
    size, largest = path.stat().st_size, _LARGEST_JSON if as_json else _LARGEST_DELIMITED
    if not size:
        raise TableError("is empty")
    if size > largest:
        raise TableError(
            f"has {size // 1_000_000} MB, more than the {largest // 1_000_000} that are read; "
            "put it into a SQLite file with python, then query that"
        )
    return _json_sheets(path) if as_json else [_delimited_sheet(path)]


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in start:
            raise TableError("is binary, not text")
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while part := file.read(1 << 20):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def _delimited_sheet(path: Path) -> Sheet:
    encoding = _encoding(path)
    delimiter = _delimiter(path, encoding)

    def lines() -> Iterator[Sequence[str]]:
        csv.field_size_limit(_LONGEST_CELL)
        with path.open(encoding=encoding, newline="") as file:
            try:
                yield from filter(any, csv.reader(file, delimiter=delimiter))
            except (csv.Error, UnicodeError) as error:
                raise TableError(f"cannot be read: {error}") from error

    def below_the_heading() -> Iterator[Sequence[str]]:
        return islice(lines(), 1, None)

    first = next(lines(), None)
    if first is None:
        raise TableError("holds no rows")
    if len(first) > _MOST_COLUMNS:
        raise TableError(f"has {len(first)} columns, more than the {_MOST_COLUMNS} that are read")
    headed = not all(is_value(cell) for cell in map(str.strip, first) if cell)
    return Sheet(
        name=path.stem,
        columns=first if headed else [""] * len(first),
        rows=below_the_heading if headed else lines,
        typed=False,
        decimal_comma=delimiter != ",",
    )


def _delimiter(path: Path, encoding: str) -> str:
    """The one that cuts most lines into the same number of cells, more than one."""
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(65_536)
    if path.suffix.lower() != ".csv" and "\t" in sample:
        return "\t"
    whole_lines = sample[: sample.rfind("\n") + 1] if len(sample) == 65_536 else sample
    best, best_score = ",", (0.0, 0)
    for delimiter in ",;\t|":
        reader = csv.reader(io.StringIO(whole_lines or sample, newline=""), delimiter=delimiter)
        try:
            widths = Counter(len(row) for row in islice(reader, 50) if row)
        except csv.Error:
            continue
        width, lines = max(widths.items(), key=lambda item: (item[0] > 1, item[1]), default=(0, 0))
        score = (lines / widths.total(), width) if width > 1 else (0.0, 0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _json_sheets(path: Path) -> list[Sheet]:
    try:
        data = _parse(path.read_text(encoding=_encoding(path)))
        found = _record_lists(data, path.stem)
        if not found:
            raise NotATable("holds no list of objects")
        return [_record_sheet(name, records) for name, records in found.items()]
    except RecursionError as error:
        raise TableError("is nested too deeply") from error


def _parse(text: str) -> Any:
    """A JSON document, or one per line."""
    try:
        return json.loads(text)
    except ValueError as error:
        numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(numbered) < 2 or not numbered[0][1].lstrip().startswith("{"):
            raise TableError(f"is not valid JSON: {error}") from error
    documents: list[Any] = []
    for number, line in numbered:
        try:
            documents.append(json.loads(line))
        except ValueError as error:
            raise TableError(f"line {number} is not valid JSON: {error}") from error
    return documents


def _record_lists(data: Any, stem: str) -> dict[str, list[dict[str, Any]]]:
    """Lists of objects by table name: the document itself, or the members of the one object."""
    if isinstance(data, dict):
        members = cast("dict[str, Any]", data)
        lists = {key: value for key, value in members.items() if _is_records(value)}
        return {stem if len(lists) == 1 else f"{stem}_{key}": rows for key, rows in lists.items()}
    return {stem: data} if _is_records(data) else {}


def _is_records(data: Any) -> bool:
    if not isinstance(data, list) or not data:
        return False
    return all(isinstance(item, dict) for item in cast("list[Any]", data))


def _record_sheet(name: str, records: list[dict[str, Any]]) -> Sheet:
    flat = [dict(_flatten(record)) for record in records]
    columns = list(dict.fromkeys(chain.from_iterable(flat)))
    if len(columns) > _MOST_COLUMNS:
        raise TableError(f"has {len(columns)} different keys, more than {_MOST_COLUMNS}")

    def rows() -> Iterator[Sequence[Any]]:
        return ([record.get(column) for column in columns] for record in flat)

    return Sheet(name, columns, rows, typed=True)


def _flatten(
    record: Mapping[str, Any], prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _flatten(cast("dict[str, Any]", value), f"{prefix}{key}_", depth + 1)
        elif isinstance(value, (dict, list)):
            yield prefix + key, json.dumps(value, ensure_ascii=False)
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            yield prefix + key, str(value)
        else:
            yield prefix + key, value
