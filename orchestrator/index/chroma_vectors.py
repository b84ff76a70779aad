"""Vectors in Chroma, where there are so many that a scan costs more. Chroma is never the truth: it
names candidates, and what they are worth is computed from `memory.db`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.database import Database
from orchestrator.home import ProfileHome
from orchestrator.index.chroma import (
    ChromaClients,
    Collection,
    Opened,
    Unavailable,
    is_chromas,
    unsettled,
)
from orchestrator.index.embedder import MODEL
from orchestrator.index.nearest import StoredVectors, VectorSearch, VectorTable

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

log = logging.getLogger(__name__)

WORTH_IT = 50_000
"""Vectors from which Chroma serves; `docs/design/vectors.md` says why."""

_AT_ONCE = 1_000
"""Vectors written together."""
_FRESH = 1_000
"""Rows that Chroma may not know yet, or not know to be gone, while it serves."""
_PROBE = 10
"""Neighbours asked for to see whether a directory is whole."""
_SEARCHED = 256
"""Neighbours HNSW looks at; more finds more of the true ones."""


class ChromaVectors:
    """A `VectorSearch` in Chroma once `refresh` has built it, and a scan as long as it has not,
    where there are fewer than `worth_it` vectors, or where another process has Chroma open.

    Rows that Chroma does not know yet are compared one by one, so that a search never writes.
    """

    def __init__(
        self, database: Database, folder: Path, table: str, clients: ChromaClients, worth_it: int
    ) -> None:
        self._table = VectorTable(database, table)
        self._folder = folder
        self._clients = clients
        self._worth_it = worth_it
        self._scan = StoredVectors(database, table)
        self._known: _Known | None = None
        self._refreshing = threading.Lock()

    @property
    def serving(self) -> bool:
        """Chroma answers, not the scan."""
        return self._known is not None

    def similar(self, query: Vectors, rows: Sequence[int], most: int) -> Mapping[int, float]:
        near: Sequence[int] | None = self._near(query, most) if most > 0 else ()
        if near is None:
            return self._scan.similar(query, rows, most)
        wanted = set(rows)
        ids, vectors = self._table.vectors(wanted.union(near))
        if not ids:
            return {}
        cosines: list[float] = (vectors @ query).tolist()
        found = dict(zip(ids, cosines, strict=True))
        nearest = sorted(found.keys() & set(near), key=lambda row: -found[row])[:most]
        return {row: found[row] for row in found.keys() & wanted.union(nearest)}

    def refresh(self) -> None:
        """Write into Chroma what it lacks, a second for every 2,000 vectors; what cannot be read is
        built anew. Stopped at any point, also by force, it goes on the next time.
        """
        worth_it = self._table.state().count >= self._worth_it
        if not worth_it or not self._clients.available():
            self._known = None
        elif self._refreshing.acquire(blocking=False):
            try:
                self._known = self._take_in_or_rebuild()
            finally:
                self._refreshing.release()
            if self._known is not None:
                self._scan.release()

    def _near(self, query: Vectors, most: int) -> Sequence[int] | None:
        """Rows among which the nearest are; None: Chroma does not know."""
        if (known := self._known) is None:
            return None
        fresh = self._table.ids(known.last, _FRESH + 1)
        gone = max(0, known.count + len(fresh) - self._table.state().count)
        if len(fresh) > _FRESH or gone > _FRESH:
            return None
        try:
            with self._clients.lend(self._folder) as opened:
                collection = self._collection(opened)
                near = _neighbours(collection, query, most + gone, known.count - gone)
                return [*near, *fresh]
        except Unavailable:
            self._known = None
        except BaseException as error:
            if not is_chromas(error):
                raise
            log.warning("vectors are scanned until %s is built anew: %s", self._folder, error)
            self._known = None
            self._remove()
        return None

    def _take_in_or_rebuild(self) -> _Known | None:
        for again in (False, True):
            try:
                return self._take_in()
            except Unavailable as error:
                log.info("vectors are scanned: %s", error)
                return None
            except BaseException as error:
                if not is_chromas(error):
                    raise
                what = "stays unusable, vectors are scanned" if again else "is built anew"
                log.warning("%s %s: %s", self._folder, what, error)
                self._known = None
                self._remove()
        return None

    def _take_in(self) -> _Known:
        with self._clients.lend(self._folder) as opened:
            collection = self._collection(opened)
            metadata = collection.metadata or {}
            last = int(metadata.get("stamp", 0))
            if metadata.get("model") != MODEL or last > self._table.stamps_given():
                raise ValueError("it was built from other vectors")
            self._probe(collection)
            while True:
                ids, vectors, newest = self._table.after(last, _AT_ONCE)
                if not ids:
                    break
                with unsettled(self._folder):
                    collection.upsert(ids=[str(row) for row in ids], embeddings=vectors)
                    collection.modify(metadata={"model": MODEL, "stamp": newest})
                    collection.count()
                last = newest
            count = self._table.state().count
            if collection.count() != count:
                self._reconcile(collection)
            return _Known(count, last)

    def _probe(self, collection: Collection) -> None:
        """See whether Chroma finds what it counts; a directory that kills the process is removed at
        the next start.
        """
        import numpy as np

        rows = collection.count()
        if rows:
            some = np.ones(self._dimension(), np.float32)
            with unsettled(self._folder):
                _neighbours(collection, some, _PROBE, rows)

    def _dimension(self) -> int:
        _, vectors, _ = self._table.after(0, 1)
        return vectors.shape[1]

    def _reconcile(self, collection: Collection) -> None:
        stored = set(self._table.ids())
        held = {int(row) for row in collection.get(include=[])["ids"]}
        for rows in _portions(held - stored):
            with unsettled(self._folder):
                collection.delete(ids=[str(row) for row in rows])
        for rows in _portions(stored - held):
            ids, vectors = self._table.vectors(rows)
            if ids:
                with unsettled(self._folder):
                    collection.upsert(ids=[str(row) for row in ids], embeddings=vectors)

    def _collection(self, opened: Opened) -> Collection:
        name = self._table.name
        if name not in opened.collections:
            opened.collections[name] = opened.client.get_or_create_collection(
                name,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "ef_search": _SEARCHED}},
                metadata={"model": MODEL, "stamp": 0},
            )
        return opened.collections[name]

    def _remove(self) -> None:
        try:
            self._clients.remove(self._folder)
        except Unavailable:
            log.info("%s is left to the process that has it open", self._folder)


@dataclass(frozen=True)
class _Known:
    """What Chroma has taken in."""

    count: int
    last: int
    """The newest stamp."""


def open_vectors(
    database: Database,
    profile: ProfileHome,
    table: str,
    clients: ChromaClients,
    *,
    worth_it: int = WORTH_IT,
) -> VectorSearch:
    """Search in a table of the profile's `memory.db` whose columns are those of `VectorSearch`: by
    Chroma, in the profile's `index`, from `worth_it` vectors on and where this process may; else by
    a scan. All profiles of a home share `clients`; each table wants one such object.
    """
    return ChromaVectors(database, profile.index, table, clients, worth_it)


def _neighbours(collection: Collection, query: Vectors, most: int, held: int) -> Sequence[int]:
    """Raises ValueError when far fewer are found than there should be; HNSW may miss a few."""
    found = collection.query(query_embeddings=[query], n_results=most, include=[])["ids"][0]
    if 2 * len(found) < min(most, held):
        raise ValueError(f"{len(found)} of {min(most, held)} neighbours are there")
    return [int(row) for row in found]


def _portions(rows: set[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(rows)
    for at in range(0, len(ordered), _AT_ONCE):
        yield ordered[at : at + _AT_ONCE]
