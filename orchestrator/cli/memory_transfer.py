"""`retinue memory export` and `import`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from orchestrator.cli.member_memory import member_memory
from orchestrator.cli.output import Screen, counted, print_json, writing
from orchestrator.errors import PersonError
from orchestrator.memory.transfer import export as lines_of
from orchestrator.memory.transfer import take
from orchestrator.team.personal import told

_STDIO = "-"


def export(*, where: str, file: str, as_json: bool) -> int:
    """Write a profile's memory to a file only its owner can read, or to stdout."""
    with member_memory(where) as member:
        lines = lines_of(member.database, member.home.address)
        if file == _STDIO:
            with writing():
                for line in lines:
                    sys.stdout.buffer.write(f"{line}\n".encode())
                sys.stdout.flush()
            return 0
        written = _write(file, lines)
    if as_json:
        print_json({"file": file, "lines": written})
    else:
        with Screen() as screen:
            screen.line(f"{written} lines are in {file}", "good")
    return 0


def import_file(*, where: str, file: str, as_json: bool) -> int:
    """Add to a profile's memory what is in a file, or in stdin."""
    with member_memory(where) as member:
        address = member.home.address
        name = "stdin" if file == _STDIO else file
        with _opened(file) as stream, _half_characters_named():
            taken = take(
                _texts(stream), name, member.database, address, member.people.conclusions_store
            )
    if as_json:
        print_json(asdict(taken))
        return 0
    with Screen() as screen:
        new = told({"messages": taken.messages, "conclusions": taken.conclusions})
        screen.line(f"{address} has {new} more", "good")
        if taken.known:
            screen.line(counted(taken.known, "was there already", "were there already"), "quiet")
        if taken.forgotten:
            were = counted(taken.forgotten, "was forgotten here", "were forgotten here")
            screen.line(f"{were} and not taken again", "quiet")
        if taken.messages:
            screen.line(f"found by words now; by meaning after: retinue memory reindex {where}")
    return 0


def _write(file: str, lines: Iterator[str]) -> int:
    """The number of lines; a file that is there already is replaced once the new one is whole, a
    pipe or a device is written to.
    """
    try:
        path = _path(file)
        if path.exists() and not path.is_file():
            return _write_to(os.open(path, os.O_WRONLY), lines)
        descriptor, fresh = tempfile.mkstemp(prefix=".retinue-", dir=path.parent)
        try:
            count = _write_to(descriptor, lines)
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unusable("write", file, error) from error
    return count


def _write_to(descriptor: int, lines: Iterator[str]) -> int:
    count = 0
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
        for line in lines:
            stream.write(f"{line}\n")
            count += 1
    return count


@contextmanager
def _opened(file: str) -> Generator[IO[bytes]]:
    if file == _STDIO:
        yield sys.stdin.buffer
        return
    try:
        stream = _path(file).open("rb")
    except OSError as error:
        raise _unusable("read", file, error) from error
    with stream:
        yield stream


@contextmanager
def _half_characters_named() -> Generator[None]:
    """JSON can hold one, and what is stored cannot: said in words that help to mend the line."""
    try:
        yield
    except PersonError as error:
        cause = error.__cause__
        if not isinstance(cause, UnicodeEncodeError):
            raise
        half = f"\\u{ord(cause.object[cause.start]):x}"
        told = f"it has half a character, {half}: write it whole, or leave it out"
        raise PersonError(str(error).replace(str(cause), told)) from cause


def _path(file: str) -> Path:
    """Where it leads; of a pipe or a device itself, for what a link in `/dev/fd` names is no path.
    Raises PersonError.
    """
    try:
        path = Path(file).expanduser()
        return path if path.exists() and not path.is_file() else path.resolve()
    except RuntimeError as error:  # nobody's home, or a link to itself
        reason = str(error).rstrip(".")
        raise PersonError(f"{file!r} leads nowhere: {reason}; give another file") from error


def _unusable(what: str, file: str, error: OSError) -> PersonError:
    return PersonError(f"cannot {what} {file!r}: {error.strerror}; give another file")


def _texts(stream: IO[bytes]) -> Iterator[str]:
    """Its lines; what is not UTF-8 is handed on as what it is, to be refused by number."""
    for line in stream:
        yield line.decode("utf-8", "surrogateescape")
