"""Chroma's directories: who may open them, how many at once, what is done when one is broken. The
only place that imports chromadb.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from orchestrator.home import Home

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

log = logging.getLogger(__name__)

_SETTINGS: Mapping[str, Any] = {
    "_env_file": None,  # else the current directory's
    "anonymized_telemetry": False,
    "allow_reset": False,
    "chroma_api_impl": "chromadb.api.rust.RustBindingsAPI",
    "chroma_otel_collection_endpoint": "",
    "migrations": "apply",
}
"""All that the environment could turn into a connection."""


class Collection(Protocol):
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


class Client(Protocol):
    """What is used of `chromadb.PersistentClient`."""

    def get_or_create_collection(self, name: str, **options: Any) -> Collection: ...
    def delete_collection(self, name: str) -> None: ...
    def close(self) -> None: ...


@dataclass
class Opened:
    client: Client
    collections: dict[str, Collection] = field(default_factory=dict[str, Collection])
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
        self._open: OrderedDict[Path, Opened] = OrderedDict()
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
    def lend(self, folder: Path) -> Generator[Opened]:
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

    def _opened(self, folder: Path) -> Opened:
        if not self.available():
            raise Unavailable("another process has the directories open")
        while folder not in self._open and len(self._open) >= self._most:
            idle = next((each for each in self._open if not self._in_use(each)), None)
            if idle is None:
                self._changed.wait()
            else:
                _close(self._open.pop(idle))
        if folder not in self._open:
            self._open[folder] = Opened(_open(folder))
        self._open.move_to_end(folder)
        return self._open[folder]


def _open(folder: Path) -> Client:
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
        client: Client = chromadb.PersistentClient(folder, settings=config.Settings(**_SETTINGS))
    except BaseException:
        _forget(folder)
        raise
    return client


def _forget(folder: Path) -> None:
    """Drop what Chroma keeps of a client that could not start and would be handed out again."""
    shared: Any = importlib.import_module("chromadb.api.shared_system_client")
    shared.SharedSystemClient._identifier_to_system.pop(str(folder), None)
    shared.SharedSystemClient._identifier_to_refcount.pop(str(folder), None)


def _close(opened: Opened) -> None:
    try:
        opened.client.close()
    except BaseException as error:
        if not is_chromas(error):
            raise
        log.warning("a Chroma directory was not closed cleanly: %s", error)


@contextmanager
def unsettled(folder: Path) -> Generator[None]:
    """Marks the directory while being cut off would leave it half written, or it may be the end of
    this process.
    """
    _mark(folder).touch()
    yield
    _mark(folder).unlink(missing_ok=True)


def _mark(folder: Path) -> Path:
    return folder / "unsettled"


def is_chromas(error: BaseException) -> bool:
    """A failure of Chroma's; a panic in its Rust code is no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
