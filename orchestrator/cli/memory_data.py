"""`retinue memory forget`, `export` and `import`: what becomes of what is remembered."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.ask import Keyboard
from orchestrator.cli.output import Screen, print_json, writing
from orchestrator.cli.places import home, open_runtime, read_team
from orchestrator.cli.target import find
from orchestrator.database import Database
from orchestrator.erasure import Erasure, Found
from orchestrator.errors import PersonError
from orchestrator.home import ProfileHome
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.transfer import export as lines_of
from orchestrator.memory.transfer import take
from orchestrator.team.personal import FILES, UNFINISHED, told

_STDIO = "-"


async def forget(
    *,
    where: str,
    person: str | None,
    message: Sequence[int] | None,
    conclusion: Sequence[int] | None,
    session: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete something for good; `--person` for a team reaches all of its profiles."""
    given = {
        "--person": person,
        "--message": message,
        "--conclusion": conclusion,
        "--session": session,
    }
    named = [option for option, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"not {' and '.join(named)}" if named else "say what shall be forgotten"
        raise PersonError(f"give one of {', '.join(given)}; {what}")
    target = find(where)
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        name = member(team, target.profile) if target.profile else None
        whole = person is not None and target.profile is None
        homes = runtime.erasure.homes(team, None if whole else name or SUPERVISOR)
        found = _choose(
            runtime.erasure,
            homes,
            person=person,
            message=message or (),
            conclusion=conclusion or (),
            session=session,
        )
        rows = [
            {"profile": each.home.address, **each.chosen.counts, "files": each.chosen.whole}
            for each in found
        ]
        told_of = [(each.home.address, _told(runtime.erasure, each)) for each in found]
        if found and not yes and not await _agreed(told_of, as_json=as_json):
            return 1
        runtime.erasure.forget(found, by="operator")
        runtime.erasure.finish()
    if as_json:
        print_json(rows)
        return 0
    with Screen() as screen:
        for address, what in told_of:
            screen.line(f"forgotten by {address}: {what}", "good")
        if not found:
            screen.line("nothing of that is kept")
    return 0


def export(*, where: str, file: str, as_json: bool) -> int:
    """Write a profile's memory to a file only its owner can read, or to stdout."""
    with _memory(where) as (profile, database, _):
        lines = lines_of(database, profile.address)
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
    with _memory(where) as (profile, database, conclusions):
        name = "stdin" if file == _STDIO else file
        with _opened(file) as stream:
            taken = take(_texts(stream), name, database, profile.address, conclusions)
    if as_json:
        print_json(asdict(taken))
        return 0
    with Screen() as screen:
        new = told({"messages": taken.messages, "conclusions": taken.conclusions})
        screen.line(f"{profile.address} has {new} more", "good")
        if taken.known:
            screen.line(f"{taken.known} were there already", "quiet")
        if taken.forgotten:
            screen.line(f"{taken.forgotten} were forgotten here, and stay forgotten", "quiet")
        if taken.messages:
            screen.line(f"found by words now; by meaning after: retinue memory reindex {where}")
    return 0


def _choose(
    erasure: Erasure,
    homes: Sequence[ProfileHome],
    *,
    person: str | None,
    message: Sequence[int],
    conclusion: Sequence[int],
    session: str | None,
) -> Sequence[Found]:
    if person is not None:
        return erasure.choose_person(homes, person)
    if session is not None:
        return erasure.choose(homes, lambda choosing: choosing.session(session))
    if message:
        return erasure.choose(homes, lambda choosing: choosing.messages(message))
    return erasure.choose(homes, lambda choosing: choosing.conclusions(conclusion))


async def _agreed(found: Sequence[tuple[str, str]], *, as_json: bool) -> bool:
    """Whether the person at the terminal says yes. Raises PersonError where there is none."""
    with Keyboard() as keyboard, Screen() as screen:
        if as_json or not keyboard.attended:
            raise PersonError("what is forgotten cannot be brought back; add --yes to go ahead")
        for address, what in found:
            screen.line(f"{address}: {what}", "ask")
        answer = await keyboard.line("delete this for good? [y/N] ")
        if (answer or "").strip().lower() in ("y", "yes"):
            return True
        screen.line("nothing was forgotten")
        return False


def _told(erasure: Erasure, found: Found) -> str:
    counts = dict(found.chosen.counts)
    runs = counts.pop("runs")
    files = runs if found.chosen.whole else 0
    return told({**counts, FILES: files, UNFINISHED: erasure.unfinished([found])})


@contextmanager
def _memory(where: str) -> Generator[tuple[ProfileHome, Database, Conclusions]]:
    target = find(where)
    team = read_team(target.team, target.project)
    name = member(team, target.profile) if target.profile else None
    home().create()
    profile = home().profile(team.name, name or SUPERVISOR)
    profile.create()
    with closing(Database(profile.memory_db)) as database:
        yield profile, database, Conclusions(database)


def _write(path: Path, lines: Iterator[str]) -> int:
    """The number of lines; a file that is there already is replaced once the new one is whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
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
