"""`retinue memory export` and `import`."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from orchestrator.cli.member_memory import member_memory
from orchestrator.cli.output import Screen, print_json, writing
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
        written = _write(Path(file).expanduser(), lines)
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
        with _opened(file) as stream:
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
            screen.line(f"{taken.known} were there already", "quiet")
        if taken.forgotten:
            screen.line(f"{taken.forgotten} were forgotten here, and stay forgotten", "quiet")
        if taken.messages:
            screen.line(f"found by words now; by meaning after: retinue memory reindex {where}")
    return 0


def _write(path: Path, lines: Iterator[str]) -> int:
    """The number of lines; a file that is there already is replaced once the new one is whole."""
    fresh = path.parent / f".{path.name}.{os.getpid()}"
    count = 0
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
        fresh.replace(path)
    except OSError as error:
        raise PersonError(f"cannot write {path}: {error.strerror}; give another file") from error
    finally:
        fresh.unlink(missing_ok=True)
    return count


@contextmanager
def _opened(file: str) -> Generator[IO[bytes]]:
    if file == _STDIO:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).expanduser().open("rb")
    except OSError as error:
        raise PersonError(f"cannot read {file!r}: {error.strerror}; give another file") from error
    with stream:
        yield stream


def _texts(stream: IO[bytes]) -> Iterator[str]:
    """Its lines; what is not UTF-8 is handed on as what it is, to be refused by number."""
    for line in stream:
        yield line.decode("utf-8", "surrogateescape")
