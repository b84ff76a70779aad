"""Carrying a profile's memory away and taking one in: one JSON object a line.

Messages go by run and key, conclusions by their place in the file, and `null` stands for the
profile itself, so that the same memory makes the same file wherever it lies.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from orchestrator.database import Database, stored
from orchestrator.errors import PersonError
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import Conversations, storable
from orchestrator.memory.derivation import SCHEMA as DERIVATION
from orchestrator.memory.forgetting import Forgetting
from orchestrator.memory.transfer_lines import (
    FORMAT,
    AmendmentLine,
    AnyLine,
    ConclusionLine,
    Header,
    LinkLine,
    MessageLine,
    MessageRef,
    ReadLine,
    RelationLine,
    SessionLine,
    parsed,
)

_AT_ONCE = 500
"""Rows read together, and lines of one transaction."""


@dataclass(frozen=True)
class Taken:
    """What an import has done."""

    messages: int = 0
    """New ones."""
    conclusions: int = 0
    """New ones."""
    known: int = 0
    """Messages and conclusions that were there."""
    forgotten: int = 0
    """Those left out, for they were forgotten here."""


def export(database: Database, address: str) -> Iterator[str]:
    """The lines of a file with the memory of the profile at `address` as it is when the first is
    taken, without line ends.
    """
    Conclusions(database)
    database.migrate(DERIVATION)
    with database.snapshot() as still:
        yield from _Export(still, address, Conclusions(still)).lines()


def take(
    lines: Iterable[str], name: str, database: Database, address: str, conclusions: Conclusions
) -> Taken:
    """Add to the memory of the profile at `address` what is in the lines and not yet there; `name`
    is the file's in errors. Stopped at any point, it may be done again.

    Raises PersonError naming the first line that is wrong; those before it are kept.
    """
    taking = _Taking(database, address, conclusions)
    numbered = enumerate(lines, 1)
    while portion := list(itertools.islice(numbered, _AT_ONCE)):
        wrong: tuple[int, Exception] | None = None
        with database.transaction():
            for number, text in portion:
                try:
                    if text.strip():
                        taking.take(parsed(text))
                except (ValueError, PersonError) as error:
                    wrong = number, error
                    break
            taking.settle()
        if wrong is not None:
            raise PersonError(
                f"{name}, line {wrong[0]}: {wrong[1]}; the lines before it are taken in: mend it "
                "and import the file again, nothing is taken twice"
            ) from wrong[1]
    return taking.taken


class _Export:
    def __init__(self, database: Database, address: str, conclusions: Conclusions) -> None:
        self._database = database
        self._address = address
        self._conclusions = conclusions
        self._refs: dict[int, MessageRef] = {}

    def lines(self) -> Iterator[str]:
        yield _dumped("retinue-memory", format=FORMAT)
        for row in self._database.all("SELECT * FROM sessions ORDER BY started, id"):
            yield _dumped("session", **dict(row))
        for row in self._rows("messages"):
            self._refs[row["id"]] = (row["run"], row["key"])
            yield _dumped(
                "message",
                session=row["session"],
                run=row["run"],
                key=row["key"],
                peer=self._named(row["peer"]),
                kind=row["kind"],
                text=row["text"],
                tokens=row["tokens"],
                extra=json.loads(row["extra"]),
                at=row["at"],
            )
        for row in self._database.all("SELECT * FROM amendments ORDER BY message"):
            by = self._refs[row["by"]] if row["by"] is not None else None
            yield _dumped("amendment", message=self._refs[row["message"]], by=by, at=row["at"])
        for alias, peer in self._conclusions.peers.links().items():
            yield _dumped("link", alias=alias, peer=peer)
        yield from self._conclusion_lines()
        read = self._database.one(
            "SELECT MAX(id) AS id FROM messages WHERE id <= (SELECT last FROM rules_cursor)"
        )
        if read is not None and read["id"] is not None:
            yield _dumped("read", message=self._refs[read["id"]])

    def _conclusion_lines(self) -> Iterator[str]:
        places: dict[int, int] = {}
        for row in self._rows("conclusions"):
            places[row["id"]] = len(places)
            sources = self._conclusions.get([row["id"]])[row["id"]].sources
            yield _dumped(
                "conclusion",
                observer=self._named(row["observer"]),
                observed=self._named(row["observed"]),
                level=row["level"],
                kind=row["kind"],
                slot=row["slot"],
                value=row["value"],
                text=row["text"],
                by=row["by"],
                times=row["times"],
                valid_from=row["valid_from"],
                last_said=row["last_said"],
                invalidated_at=row["invalidated_at"],
                sources=[self._refs[source] for source in sources],
            )
        for row, place in places.items():
            found = self._conclusions.get([row])[row]
            if found.premises or found.replaced_by is not None:
                yield _dumped(
                    "relation",
                    conclusion=place,
                    premises=sorted(places[premise] for premise in found.premises),
                    replaced_by=places.get(found.replaced_by or 0),
                )

    def _rows(self, table: str) -> Iterator[Any]:
        last = 0
        while rows := self._database.all(
            f"SELECT * FROM {table} WHERE id > ? ORDER BY id LIMIT ?", last, _AT_ONCE
        ):
            yield from rows
            last = rows[-1]["id"]

    def _named(self, peer: str) -> str | None:
        return None if peer == self._address else peer


class _Taking:
    def __init__(self, database: Database, address: str, conclusions: Conclusions) -> None:
        self.taken = Taken()
        self._conversations = Conversations(database)
        self._forgetting = Forgetting(database, conclusions)
        database.migrate(DERIVATION)
        self._database = database
        self._address = address
        self._conclusions = conclusions
        self._places: list[int | None] = []
        """The number here of each conclusion of the file; None: it is not taken."""
        self._messages: set[int] = set()
        """The numbers here of the file's messages."""
        self._unsettled: set[str] = set()
        """Peers of whom something new was taken."""

    def take(self, line: AnyLine) -> None:
        """Raises ValueError or PersonError before anything of the line is written."""
        match line:
            case SessionLine():
                self._session(line)
            case MessageLine():
                self._message(line)
            case AmendmentLine():
                self._amendment(line)
            case LinkLine():
                if self._address in (line.alias, line.peer):
                    raise ValueError(f"{self._address!r} is the member itself and no person")
                if not self._forgetting.is_forgotten_link(line.alias, line.peer):
                    self._conclusions.peers.link(line.alias, line.peer)
            case ConclusionLine():
                self._places.append(self._conclusion(line))
            case RelationLine():
                self._relation(line)
            case ReadLine():
                self._read(line)
            case Header():
                pass

    def settle(self) -> None:
        """Let of what excludes each other hold what was said last, here or there."""
        while self._unsettled:
            self._conclusions.settle(self._unsettled.pop())

    def _session(self, line: SessionLine) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?)",
            line.id,
            line.platform,
            stored(line.started),
        )

    def _message(self, line: MessageLine) -> None:
        peer = self._address if line.peer is None else storable(line.peer)
        run, key = _ref(line, peer)
        if self._forgetting.is_forgotten(run, key):
            self.taken = replace(self.taken, forgotten=self.taken.forgotten + 1)
            return
        known = self._id((run, key))
        if known is not None:
            self.taken = replace(self.taken, known=self.taken.known + 1)
        else:
            self._conversations.append(
                line.session,
                run=run,
                key=key,
                peer=peer,
                kind=line.kind,
                text=line.text,
                tokens=len(line.text) // 4 if line.tokens is None else line.tokens,
                platform="import",
                extra=line.extra,
                at=line.at,
            )
            self.taken = replace(self.taken, messages=self.taken.messages + 1)
            known = self._id((run, key))
        if known is not None:
            self._messages.add(known)

    def _amendment(self, line: AmendmentLine) -> None:
        old = self._id(line.message)
        if old is not None:
            self._database.execute(
                "INSERT OR IGNORE INTO amendments VALUES (?, ?, ?)",
                old,
                self._id(line.by) if line.by is not None else None,
                stored(line.at),
            )

    def _conclusion(self, line: ConclusionLine) -> int | None:
        observer = self._address if line.observer is None else line.observer
        observed = self._address if line.observed is None else line.observed
        sources = [here for ref in line.sources if (here := self._id(ref)) is not None]
        if self._forgetting.is_forgotten_conclusion(observed, line.text) or (
            line.sources and not sources
        ):
            self.taken = replace(self.taken, forgotten=self.taken.forgotten + 1)
            return None
        number, is_new = self._conclusions.restore(
            observer,
            observed,
            line.text,
            level=line.level,
            kind=line.kind,
            slot=line.slot,
            value=line.value,
            by=line.by,
            times=line.times,
            valid_from=line.valid_from,
            last_said=line.last_said,
            invalidated_at=line.invalidated_at,
            sources=sources,
        )
        self._unsettled.add(observed)
        taken = self.taken
        self.taken = replace(
            taken, conclusions=taken.conclusions + is_new, known=taken.known + (not is_new)
        )
        return number

    def _relation(self, line: RelationLine) -> None:
        named = [line.conclusion, *line.premises, line.replaced_by or 0]
        if max(named) >= len(self._places):
            raise ValueError(f"there is no conclusion {max(named)} before it in the file")
        here = self._places[line.conclusion]
        if here is None:
            return
        for premise in line.premises:
            if (other := self._places[premise]) is not None:
                self._database.execute(
                    "INSERT OR IGNORE INTO conclusion_premises VALUES (?, ?)", here, other
                )
        if line.replaced_by is not None:
            self._database.execute(
                "UPDATE conclusions SET replaced_by = ? WHERE id = ? AND replaced_by IS NULL",
                self._places[line.replaced_by],
                here,
            )

    def _read(self, line: ReadLine) -> None:
        """What was understood elsewhere is not read again, unless more waits between."""
        last = self._id(line.message)
        if last is None:
            return
        rows = self._database.all(
            "SELECT id FROM messages WHERE id > (SELECT last FROM rules_cursor) AND id <= ?", last
        )
        if self._messages.issuperset(row["id"] for row in rows):
            self._database.execute("UPDATE rules_cursor SET last = max(last, ?)", last)

    def _id(self, ref: MessageRef) -> int | None:
        row = self._database.one("SELECT id FROM messages WHERE run = ? AND key = ?", *ref)
        return row["id"] if row is not None else None


def _ref(line: MessageLine, peer: str) -> MessageRef:
    """Run and key of a message; without them, each message is a run of its own, and the same words
    of the same moment are the same message.
    """
    parts = (line.session, peer, line.at.isoformat(), line.text)
    digest = blake2b("\0".join(parts).encode(errors="replace"), digest_size=12).hexdigest()
    unique = f"import-{digest}"
    return line.run or unique, line.key or unique


def _dumped(type_: str, **content: Any) -> str:
    return json.dumps({"type": type_, **content}, ensure_ascii=False)
