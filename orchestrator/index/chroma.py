"""Vectors in Chroma, where there are so many that a scan costs more. Chroma is never the truth: it
names candidates, and what they are worth is computed from `memory.db`.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from orchestrator.database import Database
from orchestrator.home import Home, ProfileHome
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

_SETTINGS: Mapping[str, Any] = {
    "_env_file": None,  # else the current directory's
    "anonymized_telemetry": False,
    "allow_reset": False,
    "chroma_api_impl": "chromadb.api.rust.RustBindingsAPI",
    "chroma_otel_collection_endpoint": "",
    "migrations": "apply",
}
"""All that the environment could turn into a connection."""


class _Collection(Protocol):
    """What is used of `chromadb.Collection`."""

    metadata: dict[str, Any] | None

    def count(self) -> int: ...
    def get(self, *, include: list[str]) -> Mapping[str, Any]: ...
    def query(
        self, *, query_embeddings: list[Vectors], n_results: int, include: list[str]
    ) -> Mapping[str, Any]: ...
    def upsert(self, *, ids: list[str], embeddings: Vectors) -> None: ...
    def delete(self, *, ids: list[str]) -> object: ...
    def modify(self, *, metadata: Mapping[str, Any]) -> None: ...


class _Client(Protocol):
    """What is used of `chromadb.PersistentClient`."""

    def get_or_create_collection(self, name: str, **options: Any) -> _Collection: ...
    def delete_collection(self, name: str) -> None: ...
    def close(self) -> None: ...


@dataclass
class _Opened:
    client: _Client
    collections: dict[str, _Collection] = field(default_factory=dict[str, _Collection])
    users: int = 0


class Unavailable(Exception):
    """Chroma cannot serve; the scan does."""


class ChromaClients:
    """The Chroma directories of one home that are open, at most `most`; a context manager.

    Only the process that holds the home's lock opens any; it keeps the lock until `close`.
    """

    def __init__(self, home: Home, *, most: int = 8) -> None:
        self._home = home
        self._most = most
        self._lock: IO[str] | None = None
        self._closed = False
        self._open: OrderedDict[Path, _Opened] = OrderedDict()
        """The longest unused first."""
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def folders(self) -> Sequence[Path]:
        """Those that are open, the longest unused first."""
        with self._changed:
            return list(self._open)

    def available(self) -> bool:
        """Whether this process may open a directory; takes the lock if nobody has it."""
        with self._changed:
            if self._lock is None and not self._closed:
                file = self._home.lock.open("a")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    file.close()
                else:
                    self._lock = file
            return self._lock is not None

    @contextmanager
    def lend(self, folder: Path) -> Generator[_Opened]:
        """The open client of a directory, which stays open meanwhile. Raises Unavailable."""
        with self._changed:
            opened = self._opened(folder)
            opened.users += 1
        try:
            yield opened
        finally:
            with self._changed:
                opened.users -= 1
                self._changed.notify_all()

    def remove(self, folder: Path) -> None:
        """Delete the directory, closed before. Raises Unavailable."""
        with self._changed:
            if not self.available():
                raise Unavailable("another process has the directories open")
            self._changed.wait_for(lambda: not self._in_use(folder))
            if (opened := self._open.pop(folder, None)) is not None:
                _close(opened)
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close what is open, and let another process have the lock."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not any(map(self._in_use, self._open)))
            for opened in self._open.values():
                _close(opened)
            self._open.clear()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _in_use(self, folder: Path) -> bool:
        return folder in self._open and self._open[folder].users > 0

    def _opened(self, folder: Path) -> _Opened:
        if not self.available():
            raise Unavailable("another process has the directories open")
        while folder not in self._open and len(self._open) >= self._most:
            idle = next((each for each in self._open if not self._in_use(each)), None)
            if idle is None:
                self._changed.wait()
            else:
                _close(self._open.pop(idle))
        if folder not in self._open:
            self._open[folder] = _Opened(_open(folder))
        self._open.move_to_end(folder)
        return self._open[folder]


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
            if not _is_chromas(error):
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
                if not _is_chromas(error):
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
                with _unsettled(self._folder):
                    collection.upsert(ids=[str(row) for row in ids], embeddings=vectors)
                    collection.modify(metadata={"model": MODEL, "stamp": newest})
                    collection.count()
                last = newest
            count = self._table.state().count
            if collection.count() != count:
                self._reconcile(collection)
            return _Known(count, last)

    def _probe(self, collection: _Collection) -> None:
        """See whether Chroma finds what it counts; a directory that kills the process is removed at
        the next start.
        """
        import numpy as np

        rows = collection.count()
        if rows:
            some = np.ones(self._dimension(), np.float32)
            with _unsettled(self._folder):
                _neighbours(collection, some, _PROBE, rows)

    def _dimension(self) -> int:
        _, vectors, _ = self._table.after(0, 1)
        return vectors.shape[1]

    def _reconcile(self, collection: _Collection) -> None:
        stored = set(self._table.ids())
        held = {int(row) for row in collection.get(include=[])["ids"]}
        for rows in _portions(held - stored):
            with _unsettled(self._folder):
                collection.delete(ids=[str(row) for row in rows])
        for rows in _portions(stored - held):
            ids, vectors = self._table.vectors(rows)
            if ids:
                with _unsettled(self._folder):
                    collection.upsert(ids=[str(row) for row in ids], embeddings=vectors)

    def _collection(self, opened: _Opened) -> _Collection:
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


def _open(folder: Path) -> _Client:
    """Raises Unavailable when Chroma cannot be loaded."""
    try:
        chromadb: Any = importlib.import_module("chromadb")
        config: Any = importlib.import_module("chromadb.config")
    except Exception as error:
        raise Unavailable(f"chromadb cannot be loaded ({error})") from error
    if _mark(folder).exists():
        log.info("%s was cut off while it was written; it is built anew", folder)
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        client: _Client = chromadb.PersistentClient(folder, settings=config.Settings(**_SETTINGS))
    except BaseException:
        _forget(folder)
        raise
    return client


def _forget(folder: Path) -> None:
    """Drop what Chroma keeps of a client that could not start and would be handed out again."""
    shared: Any = importlib.import_module("chromadb.api.shared_system_client")
    shared.SharedSystemClient._identifier_to_system.pop(str(folder), None)
    shared.SharedSystemClient._identifier_to_refcount.pop(str(folder), None)


def _close(opened: _Opened) -> None:
    try:
        opened.client.close()
    except BaseException as error:
        if not _is_chromas(error):
            raise
        log.warning("a Chroma directory was not closed cleanly: %s", error)


def _neighbours(collection: _Collection, query: Vectors, most: int, held: int) -> Sequence[int]:
    """Raises ValueError when far fewer are found than there should be; HNSW may miss a few."""
    found = collection.query(query_embeddings=[query], n_results=most, include=[])["ids"][0]
    if 2 * len(found) < min(most, held):
        raise ValueError(f"{len(found)} of {min(most, held)} neighbours are there")
    return [int(row) for row in found]


@contextmanager
def _unsettled(folder: Path) -> Generator[None]:
    """Marks the directory while being cut off would leave it half written, or it may be the end of
    this process.
    """
    _mark(folder).touch()
    yield
    _mark(folder).unlink(missing_ok=True)


def _mark(folder: Path) -> Path:
    return folder / "unsettled"


def _portions(rows: set[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(rows)
    for at in range(0, len(ordered), _AT_ONCE):
        yield ordered[at : at + _AT_ONCE]


def _is_chromas(error: BaseException) -> bool:
    """A failure of Chroma's; a panic in its Rust code is no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
