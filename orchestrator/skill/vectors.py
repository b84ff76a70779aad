"""The nearest skills by meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.database import Database
from orchestrator.index import stack_int8

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

Embed = Callable[[Sequence[str]], "Vectors"]
"""`Embedder.embed`, or what stands for it: normalised vectors of shape (len(texts), n)."""


class VectorSearch(Protocol):
    """Compares a request with what lies in the table `skill_vectors`."""

    def similar(self, query: Vectors, rows: Sequence[int], most: int) -> Mapping[int, float]:
        """Cosines of the `most` nearest rows and of the given `rows`; a row without a vector is
        left out.
        """
        ...


@dataclass(frozen=True)
class _Held:
    state: tuple[int, int]
    rows: Sequence[int]
    places: Mapping[int, int]
    """Of each row in `matrix`."""
    matrix: Vectors


class StoredVectors:
    """A scan over all of them, held in memory (1.5 KB each) until one is written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: _Held | None = None

    def similar(self, query: Vectors, rows: Sequence[int], most: int) -> Mapping[int, float]:
        import numpy as np

        held = self._current()
        if not held.rows:
            return {}
        cosines = held.matrix @ query
        nearest = np.argpartition(-cosines, min(most, len(cosines)) - 1)[:most].tolist()
        places = {*nearest, *(held.places[row] for row in rows if row in held.places)}
        return {held.rows[place]: float(cosines[place]) for place in places}

    def _current(self) -> _Held:
        """What is stored now, also by another process."""
        row = self._database.one("SELECT COUNT(*) AS count, MAX(stamp) AS last FROM skill_vectors")
        state = (row["count"], row["last"] or 0) if row is not None else (0, 0)
        held = self._held
        if held is None or held.state != state:
            stored = self._database.all("SELECT id, vector FROM skill_vectors")
            rows = [each["id"] for each in stored]
            places = {row: place for place, row in enumerate(rows)}
            held = _Held(state, rows, places, stack_int8([each["vector"] for each in stored]))
            self._held = held
        return held
