"""Chroma finds what a scan finds, and whatever happens to its directory costs only time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestrator.database import Database
from orchestrator.home import Home, ProfileHome
from orchestrator.index import ChromaClients, StoredVectors, open_vectors, to_int8
from orchestrator.index.chroma_vectors import ChromaVectors
from orchestrator.index.vectors import normalised

TABLE = "said_vectors"
DIMENSION = 16


class Shelf:
    """A profile with a table of vectors."""

    def __init__(self, profile: ProfileHome) -> None:
        profile.create()
        self.profile = profile
        self.database = Database(profile.memory_db)
        self.database.execute(
            f"CREATE TABLE IF NOT EXISTS {TABLE} (stamp INTEGER PRIMARY KEY AUTOINCREMENT, "
            "id INTEGER NOT NULL UNIQUE, vector BLOB NOT NULL)"
        )
        self.scan = StoredVectors(self.database, TABLE)

    def put(self, rows: Sequence[int], seed: int = 0) -> None:
        vectors = some(len(rows), seed)
        with self.database.transaction():
            for row, vector in zip(rows, vectors, strict=True):
                self.database.execute(
                    f"INSERT OR REPLACE INTO {TABLE} (id, vector) VALUES (?, ?)",
                    row,
                    to_int8(vector),
                )

    def drop(self, rows: Sequence[int]) -> None:
        with self.database.transaction():
            for row in rows:
                self.database.execute(f"DELETE FROM {TABLE} WHERE id = ?", row)

    def vectors(self, clients: ChromaClients, worth_it: int = 1) -> ChromaVectors:
        made = open_vectors(self.database, self.profile, TABLE, clients, worth_it=worth_it)
        assert isinstance(made, ChromaVectors)
        return made


def some(count: int, seed: int = 0) -> NDArray[np.float32]:
    return normalised(np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype("f4"))


def check(shelf: Shelf, vectors: ChromaVectors, most: int = 5, rows: Sequence[int] = ()) -> None:
    """The same cosines as a scan; two rows of one cosine may stand for each other."""
    for query in some(5, seed=99):
        found, true = (
            sorted(each.similar(query, rows, most).values()) for each in (vectors, shelf.scan)
        )
        assert found == pytest.approx(true, abs=1e-5)


@pytest.fixture
def shelf(home: Home) -> Iterator[Shelf]:
    home.create()
    made = Shelf(home.profile("firm", "ann"))
    made.put(range(1, 301))
    yield made
    made.database.close()


@pytest.fixture
def clients(shelf: Shelf, home: Home) -> Iterator[ChromaClients]:
    with ChromaClients(home) as made:
        yield made


def test_chroma_serves_when_it_is_built(shelf: Shelf, clients: ChromaClients) -> None:
    vectors = shelf.vectors(clients)
    check(shelf, vectors)
    assert not vectors.serving
    assert not shelf.profile.index.exists()
    vectors.refresh()
    assert vectors.serving
    check(shelf, vectors)
    check(shelf, vectors, rows=[3, 200, 9999])
    check(shelf, vectors, most=0, rows=[3, 200])
    check(shelf, vectors, most=1000)


def test_few_vectors_are_scanned_and_chroma_is_not_even_loaded(home: Home, shelf: Shelf) -> None:
    code = (
        "import sys; from orchestrator.home import Home; from pathlib import Path\n"
        "from tests.index.test_chroma import *\n"
        "home = Home(Path(sys.argv[1])); shelf = Shelf(home.profile('firm', 'ann'))\n"
        "vectors = shelf.vectors(ChromaClients(home), worth_it=301)\n"
        "vectors.refresh(); check(shelf, vectors)\n"
        "assert not vectors.serving and 'chromadb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, home.root], check=True)
    assert not shelf.profile.index.exists()


def test_what_is_written_and_removed_is_seen_at_once(shelf: Shelf, clients: ChromaClients) -> None:
    vectors = shelf.vectors(clients)
    vectors.refresh()
    shelf.put(range(250, 350), seed=1)
    shelf.drop(range(1, 100))
    check(shelf, vectors)
    vectors.refresh()
    check(shelf, vectors)
    assert vectors.serving


def test_the_next_process_goes_on_where_the_last_one_stopped(shelf: Shelf, home: Home) -> None:
    with ChromaClients(home) as clients:
        shelf.vectors(clients).refresh()
    made = {path.name for path in shelf.profile.index.iterdir()}
    shelf.put([301, 302], seed=2)
    shelf.drop([300])
    with ChromaClients(home) as clients:
        vectors = shelf.vectors(clients)
        vectors.refresh()
        assert vectors.serving
        check(shelf, vectors)
    assert {path.name for path in shelf.profile.index.iterdir()} == made


Change = tuple[bool, frozenset[int], int]
CHANGES = st.lists(
    st.tuples(
        st.booleans(), st.frozensets(st.integers(1, 60), max_size=30), st.integers(1, 1_000_000)
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=25)
@given(CHANGES, st.integers(1, 20), st.frozensets(st.integers(1, 60), max_size=5))
def test_chroma_finds_what_a_scan_finds(
    changes: Sequence[Change], most: int, rows: frozenset[int]
) -> None:
    with TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.create()
        shelf = Shelf(home.profile("firm", "ann"))
        with ChromaClients(home) as clients:
            vectors = shelf.vectors(clients)
            for refreshed, ids, seed in changes:
                if refreshed:
                    vectors.refresh()
                shelf.put(sorted(ids), seed) if seed % 3 else shelf.drop(sorted(ids))
                check(shelf, vectors, most, sorted(rows))
        shelf.database.close()


def garbage(folder: Path) -> None:
    (folder / "chroma.sqlite3").write_bytes(b"no database" * 1000)


def half(folder: Path) -> None:
    os.truncate(folder / "chroma.sqlite3", 70_000)


def no_segments(folder: Path) -> None:
    for path in folder.glob("*/*"):
        path.write_bytes(b"junk")


def nothing(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def cut_off(folder: Path) -> None:
    (folder / "unsettled").touch()


def other_vectors(folder: Path) -> None:
    """As if `memory.db` had been replaced by an older copy."""
    database = Database(folder.parent / "memory.db")
    database.execute("UPDATE sqlite_sequence SET seq = 400")
    database.execute(f"DELETE FROM {TABLE} WHERE stamp > 400")
    database.close()


@pytest.mark.parametrize("damage", [garbage, half, no_segments, nothing, cut_off, other_vectors])
def test_a_damaged_directory_is_built_anew(
    shelf: Shelf, home: Home, damage: Callable[[Path], None]
) -> None:
    shelf.put(range(1, 2001))  # so many that Chroma writes its segment files
    with ChromaClients(home) as clients:
        shelf.vectors(clients).refresh()
    damage(shelf.profile.index)
    with ChromaClients(home) as clients:
        vectors = shelf.vectors(clients)
        check(shelf, vectors)
        vectors.refresh()
        assert vectors.serving
        check(shelf, vectors)
    with ChromaClients(home) as clients:
        again = shelf.vectors(clients)
        again.refresh()
        assert again.serving
        check(shelf, again)


def test_a_directory_removed_under_the_client_is_built_anew(
    shelf: Shelf, clients: ChromaClients
) -> None:
    vectors = shelf.vectors(clients)
    vectors.refresh()
    clients.remove(shelf.profile.index)
    assert not shelf.profile.index.exists()
    assert clients.folders == []
    check(shelf, vectors)
    vectors.refresh()
    assert vectors.serving
    check(shelf, vectors)


def test_the_longest_unused_directory_is_closed(home: Home) -> None:
    home.create()
    shelves = [Shelf(home.profile("firm", f"member-{n}")) for n in range(4)]
    with ChromaClients(home, most=2) as clients:
        opened = [shelf.vectors(clients) for shelf in shelves]
        for shelf, vectors in zip(shelves, opened, strict=True):
            shelf.put(range(1, 50))
            vectors.refresh()
        assert clients.folders == [shelf.profile.index for shelf in shelves[2:]]
        for shelf, vectors in zip(shelves, opened, strict=True):
            check(shelf, vectors)
            assert vectors.serving
            assert len(clients.folders) <= 2
    assert clients.folders == []


def test_many_threads_share_few_clients(home: Home) -> None:
    home.create()
    shelves = [Shelf(home.profile("firm", f"member-{n}")) for n in range(3)]
    failed: list[BaseException] = []

    def work(shelf: Shelf, vectors: ChromaVectors) -> None:
        try:
            for n in range(3):
                shelf.put(range(100 * n, 100 * n + 100), seed=n)
                vectors.refresh()
                check(shelf, vectors)
        except BaseException as error:
            failed.append(error)

    with ChromaClients(home, most=1) as clients:
        threads = [Thread(target=work, args=(each, each.vectors(clients))) for each in shelves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_one_process_has_chroma_and_the_others_scan(
    shelf: Shelf, home: Home, clients: ChromaClients
) -> None:
    first = shelf.vectors(clients)
    first.refresh()
    code = (
        "import sys; from pathlib import Path; from tests.index.test_chroma import *\n"
        "home = Home(Path(sys.argv[1])); shelf = Shelf(home.profile('firm', 'ann'))\n"
        "vectors = shelf.vectors(ChromaClients(home)); vectors.refresh(); check(shelf, vectors)\n"
        "shelf.put([1, 2, 400], seed=5); check(shelf, vectors); print(vectors.serving)"
    )
    command = [sys.executable, "-c", code, str(home.root)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"False\n"
    check(shelf, first)
    assert first.serving
    clients.close()
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"True\n"


BUILD = (
    "import sys; from pathlib import Path; from tests.index.test_chroma import *\n"
    "home = Home(Path(sys.argv[1])); shelf = Shelf(home.profile('firm', 'ann'))\n"
    "vectors = shelf.vectors(ChromaClients(home)); print('begins', flush=True); vectors.refresh()\n"
    "print('done', flush=True); check(shelf, vectors)"
)


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_nothing_that_does_harm(shelf: Shelf, home: Home) -> None:
    shelf.put(range(1, 6_001))
    for patience in (0.0, 0.2, 0.5):
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD, str(home.root)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        while not (shelf.profile.index / "unsettled").exists():
            assert process.poll() is None
        time.sleep(patience)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with ChromaClients(home) as clients:
            check(shelf, shelf.vectors(clients))
    with ChromaClients(home) as clients:
        vectors = shelf.vectors(clients)
        vectors.refresh()
        assert vectors.serving
        check(shelf, vectors, most=1)


def test_chroma_obeys_neither_the_environment_nor_a_file_of_the_folder(
    shelf: Shelf, clients: ChromaClients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = "CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nPERSIST_DIRECTORY=/nowhere\n"
    (tmp_path / ".env").write_text(elsewhere)
    monkeypatch.chdir(tmp_path)
    for line in elsewhere.splitlines():
        monkeypatch.setenv(*line.split("="))
    monkeypatch.setenv("CHROMA_OTEL_COLLECTION_ENDPOINT", "http://192.0.2.1:4317")
    vectors = shelf.vectors(clients)
    vectors.refresh()
    assert vectors.serving
    check(shelf, vectors)


@settings(deadline=None, max_examples=50)
@given(CHANGES, st.integers(0, 20))
def test_a_scan_that_adds_finds_what_a_new_one_finds(changes: Sequence[Change], most: int) -> None:
    with TemporaryDirectory() as folder:
        shelf = Shelf(ProfileHome("firm", "ann", Path(folder) / "home"))
        for _, ids, seed in changes:
            shelf.put(sorted(ids), seed) if seed % 3 else shelf.drop(sorted(ids))
            new = StoredVectors(shelf.database, TABLE)
            for query in some(3, seed=99):
                found, true = (each.similar(query, [1, 2], most) for each in (shelf.scan, new))
                assert sorted(found.values()) == pytest.approx(sorted(true.values()), abs=1e-6)
        shelf.database.close()
