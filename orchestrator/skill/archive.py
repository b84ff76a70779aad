"""Skills from elsewhere, brought into a folder: nothing leaves it, nothing bursts it."""

from __future__ import annotations

import asyncio
import lzma
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NoReturn
from urllib.parse import urlsplit

from orchestrator.errors import PersonError
from orchestrator.skill.document import SKILL_FILE

MAX_DOWNLOAD_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 200_000_000
MAX_ENTRIES = 5_000
TIMEOUT_SECONDS = 60
"""Without a byte."""
DEADLINE_SECONDS = 120
"""For a whole download, however its bytes drip."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)
"""What reading a zip raises for one that is damaged, encrypted or at odds with itself."""

_GITHUB = re.compile(
    r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?(?:/tree/([^/]+)(/.*)?)?/?"
)


@contextmanager
def open_source(source: str) -> Generator[Path]:
    """The folder behind a path (folder, `SKILL.md`, zip) or a URL (zip, `SKILL.md`, a folder on
    GitHub); what was unpacked is gone afterwards. Blocks, and runs an event loop of its own.

    Raises PersonError for what is not there, too large, or no such thing.
    """
    if not source.strip():
        raise PersonError("the source is empty; give a folder (`.` for this one), a zip or a URL")
    with TemporaryDirectory(prefix="retinue-skills-") as temporary:
        scratch = Path(temporary)
        if re.match(r"[a-z][a-z0-9+.-]*://", source, re.IGNORECASE):
            yield _downloaded(source, scratch)
        else:
            yield _local(Path(source).expanduser(), scratch)


def unpack(archive: Path, folder: Path) -> None:
    """Raises PersonError, and leaves nothing, for an archive with links, with paths that lead out,
    or beyond the limits, whatever its headers say.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack(opened, archive, folder)
    except _BROKEN as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise PersonError(f"{archive.name} is no zip that can be read: {error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(archive: zipfile.ZipFile, file: Path, folder: Path) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        _refuse(file, f"holds more than {MAX_ENTRIES:,} entries")
    left = MAX_UNPACKED_BYTES
    for entry in entries:
        mode = entry.external_attr >> 16
        path = PurePosixPath(entry.filename)
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            _refuse(file, f"holds the path {entry.filename!r}")
        if "\\" in entry.filename or "\0" in entry.orig_filename:
            _refuse(file, f"holds the path {entry.filename!r}")
        if stat.S_ISLNK(mode):
            _refuse(file, f"holds the link {entry.filename!r}")
        target = folder / path
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as packed, target.open("xb") as out:
            while chunk := packed.read(1 << 16):
                left -= len(chunk)
                if left < 0:
                    _refuse(file, f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
                out.write(chunk)
        target.chmod(0o755 if mode & 0o111 else 0o644)


def _refuse(file: Path, problem: str) -> NoReturn:
    raise PersonError(f"{file.name} {problem}; it was not unpacked")


def _local(path: Path, scratch: Path) -> Path:
    if path.is_dir():
        return path
    if not path.exists():
        raise PersonError(f"{str(path)!r} is not there; give a folder, a zip or a URL")
    if path.name.lower() == SKILL_FILE.lower():
        return path.parent
    if not zipfile.is_zipfile(path):
        raise PersonError(f"{str(path)!r} is neither a folder, nor a {SKILL_FILE}, nor a zip")
    unpack(path, scratch / path.stem)
    return scratch / path.stem


def _downloaded(url: str, scratch: Path) -> Path:
    below = ""
    if match := _GITHUB.fullmatch(url):
        owner, repository, branch, below = match.group(1, 2, 3, 4)
        url = f"https://github.com/{owner}/{repository}/archive/{branch or 'HEAD'}.zip"
    file = scratch / "download"
    _download(url, file)
    stem = PurePosixPath(urlsplit(url).path).stem or "skill"
    if zipfile.is_zipfile(file):
        folder = scratch / "unpacked" / stem
        unpack(file, folder)
        if below:
            folder = _below(folder, below)
        return folder
    if b"\0" in file.read_bytes():
        raise PersonError(f"{url} is neither a zip nor a {SKILL_FILE}")
    parent = PurePosixPath(urlsplit(url).path).parent.name
    folder = scratch / (parent if stem.lower() == "skill" and parent else stem)
    folder.mkdir()
    file.rename(folder / SKILL_FILE)
    return folder


def _below(folder: Path, below: str) -> Path:
    """GitHub's archives hold one folder, named after repository and branch."""
    [top] = folder.iterdir()
    found = top / below.strip("/")
    if ".." in PurePosixPath(below).parts or not found.is_dir():
        raise PersonError(f"the repository has no folder {below.strip('/')!r}")
    return found


def _download(url: str, file: Path) -> None:
    """Raises PersonError for what cannot be had, is larger than it may be, or takes too long."""
    try:
        host = urlsplit(url).hostname
    except ValueError as error:
        raise PersonError(f"{url!r} is no URL: {error}") from error
    if not url.lower().startswith("https://") and host not in ("127.0.0.1", "localhost", "::1"):
        raise PersonError(f"{url} is not https; fetch it yourself and give the file")
    file.write_bytes(asyncio.run(_fetch(url)))


async def _fetch(url: str) -> bytes:
    import httpx

    data = bytearray()
    try:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            httpx.AsyncClient(
                follow_redirects=True, timeout=TIMEOUT_SECONDS, max_redirects=5
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.is_error:
                raise PersonError(f"{url} answers {answer.status_code} {answer.reason_phrase}")
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > MAX_DOWNLOAD_BYTES:
                    raise PersonError(f"{url} is larger than {MAX_DOWNLOAD_BYTES:,} bytes")
    except TimeoutError as error:
        took = f"takes longer than {DEADLINE_SECONDS} seconds"
        raise PersonError(f"{url} {took}; fetch it yourself and give the file") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PersonError(f"cannot fetch {url}: {error}") from error
    return bytes(data)
