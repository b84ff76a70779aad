"""The nearest of stored vectors: what searches them, and the scan that always can."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.database import Database
from orchestrator.index.vectors import stack_int8

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

Embed = Callable[[Sequence[str]], "Vectors"]
"""`Embedder.embed`, or what stands for it: normalised vectors of shape (len(texts), n)."""


class VectorSearch(Protocol):
    """Compares a request with what lies in a table of vectors, whose columns are
    `stamp INTEGER PRIMARY KEY AUTOINCREMENT` (a new one whenever a vector is written),
    `id INTEGER NOT NULL UNIQUE` and `vector BLOB NOT NULL` (`to_int8`).
    """

    def similar(self, query: Vectors, rows: Sequence[int], most: int) -> Mapping[int, float]:
        """Cosines of the `most` nearest rows and of the given `rows`; a row without a vector is
        left out.
        """
        ...

    def refresh(self) -> None:
        """Prepare for what was written since; for a thread in the background."""
        ...


@dataclass(frozen=True)
class TableState:
    count: int
    last: int
    """The newest stamp."""


@dataclass(frozen=True)
class _Held:
    state: TableState
    rows: Sequence[int]
    places: Mapping[int, int]
    """Of each row in `matrix`."""
    matrix: Vectors


class VectorTable:
    """What lies in one table of vectors now, also by another process."""

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self._database = database

    def state(self) -> TableState:
        row = self._database.one(
            f"SELECT (SELECT COUNT(*) FROM {self.name}) AS count, "
            f"(SELECT MAX(stamp) FROM {self.name}) AS last"
        )
        return TableState(row["count"], row["last"] or 0) if row is not None else TableState(0, 0)

    def stamps_given(self) -> int:
        """The newest stamp that was ever given, also to a row that is gone."""
        row = self._database.one("SELECT seq FROM sqlite_sequence WHERE name = ?", self.name)
        return row["seq"] if row is not None else 0

    def ids(self, after: int = 0, most: int = -1) -> Sequence[int]:
        """The rows written after a stamp, at most `most`, the oldest first."""
        found = self._database.all(
            f"SELECT id FROM {self.name} WHERE stamp > ? ORDER BY stamp LIMIT ?", after, most
        )
        return [row["id"] for row in found]

    def after(self, stamp: int, most: int = -1) -> tuple[Sequence[int], Vectors, int]:
        """The rows written after a stamp, the oldest first: ids, vectors and the last stamp."""
        found = self._database.all(
            f"SELECT stamp, id, vector FROM {self.name} WHERE stamp > ? ORDER BY stamp LIMIT ?",
            stamp,
            most,
        )
        last = found[-1]["stamp"] if found else stamp
        return [row["id"] for row in found], stack_int8([row["vector"] for row in found]), last

    def vectors(self, ids: Collection[int]) -> tuple[Sequence[int], Vectors]:
        """Of those rows that there are."""
        found = self._database.among(f"SELECT id, vector FROM {self.name} WHERE id IN ({{}})", ids)
        return [row["id"] for row in found], stack_int8([row["vector"] for row in found])


class StoredVectors:
    """A scan over all of them, held in memory (1.5 KB each); what is written is added."""

    def __init__(self, database: Database, table: str) -> None:
        self._table = VectorTable(database, table)
        self._held: _Held | None = None

    def similar(self, query: Vectors, rows: Sequence[int], most: int) -> Mapping[int, float]:
        import numpy as np

        held = self._current()
        if not held.rows:
            return {}
        cosines = np.einsum("ij,j->i", held.matrix, query)  # `@` would keep a second core spinning
        places = {held.places[row] for row in rows if row in held.places}
        if most > 0:
            first = max(0, len(cosines) - most)
            places.update(np.argpartition(cosines, first)[first:].tolist())
        return {held.rows[place]: float(cosines[place]) for place in places}

    def refresh(self) -> None:
        """Nothing: what is new is read when it is searched."""

    def release(self) -> None:
        """Give the memory back until the next search."""
        self._held = None

    def _current(self) -> _Held:
        held = self._held
        state = self._table.state()
        if held is None or held.state != state:
            held = self._held = self._more(held, state) or self._all()
        return held

    def _more(self, held: _Held | None, state: TableState) -> _Held | None:
        """What is held with what was written since; None when a row was removed, too."""
        import numpy as np

        if held is None or not held.rows:
            return None
        ids, vectors, last = self._table.after(held.state.last)
        new = [place for place, row in enumerate(ids) if row not in held.places]
        if len(held.rows) + len(new) != state.count or last != state.last:
            return None
        matrix = np.concatenate([held.matrix, vectors[new]]) if ids else held.matrix
        rows = [*held.rows, *(ids[place] for place in new)]
        places = {row: place for place, row in enumerate(rows)}
        matrix[[places[row] for row in ids]] = vectors
        return _Held(state, rows, places, matrix)

    def _all(self) -> _Held:
        rows, matrix, last = self._table.after(0)
        places = {row: place for place, row in enumerate(rows)}
        return _Held(TableState(len(rows), last), rows, places, matrix)
