"""Forgetting in a home: wherever words of a person lie, from the database to the run's files."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from orchestrator.chronicle import Chronicle
from orchestrator.errors import NotFoundError, RetinueError
from orchestrator.home import ProfileHome
from orchestrator.index.chroma import Unavailable as IndexInUse
from orchestrator.memory.choosing import Choosing, Chosen
from orchestrator.memory.forgetting import By, Forgetting, Tombstone
from orchestrator.profile.schema import Team
from orchestrator.skill import forgetting as skills
from orchestrator.staff import House
from orchestrator.team import lock
from orchestrator.team.audit import Audit, Order, Scrub
from orchestrator.team.ledger import Ledger, RunRecord

_log = logging.getLogger(__name__)

Choose = Callable[[Choosing], Chosen]


@dataclass(frozen=True)
class Found:
    """What would be forgotten in one profile."""

    home: ProfileHome
    chosen: Chosen


class Erasure:
    """Chooses, forgets, and takes the last traces off the disk. Its methods block."""

    def __init__(
        self,
        house: House,
        ledger: Ledger,
        audit: Audit,
        chronicle: Chronicle,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._house = house
        self._ledger = ledger
        self._audit = audit
        self._chronicle = chronicle
        self._clock = clock
        self._finishing = threading.Lock()

    def homes(self, team: Team, profile: str | None) -> Sequence[ProfileHome]:
        """That profile's, or with None those of the whole team, also of members it had before."""
        every = self._house.home.profiles(team.name)
        return [home for home in every if profile in (None, home.profile)]

    def choosing(self, home: ProfileHome) -> Choosing:
        people = self._house.user_model(home)
        return Choosing(self._house.database(home), home.address, people.conclusions_store)

    def choose(self, homes: Sequence[ProfileHome], choose: Choose) -> Sequence[Found]:
        """What a choice finds in those profiles, those where it finds nothing left out."""
        found = [Found(home, choose(self.choosing(home))) for home in homes]
        return [each for each in found if each.chosen]

    def choose_person(self, homes: Sequence[ProfileHome], person: str) -> Sequence[Found]:
        """Everything of a person; a run they began with one profile is theirs with all, and so is
        a name that one of them knows.
        """
        names = {person, *(name for home in homes for name in self.choosing(home).names(person))}
        runs = {run for name in names for run in self.runs_of(homes, name)}
        return self.choose(homes, lambda choosing: choosing.person(person, runs, names))

    def runs_of(self, homes: Sequence[ProfileHome], person: str) -> Collection[str]:
        """The runs that a person has begun with one of those profiles."""
        return {run for home in homes for run in self.choosing(home).runs_of(person)}

    def forget(self, found: Sequence[Found], *, by: By, asking_run: str = "") -> None:
        """Delete what was found; `finish` then takes the traces off the disk, and goes on where a
        process was killed or the disk was full before all profiles had forgotten. `asking_run` is
        the run in which it was asked for: it goes on, and its journal is dropped by its end. The
        other unfinished runs are cancelled.

        Raises RunBusyError while a process works on one of the runs, or learns from it.
        """
        # First what is left to do: the numbers it names may be given again after this.
        self.catch_up({each.home.address for each in found})
        with self._holding(_runs(found) - {asking_run}) as records:
            orders = [
                Order(secrets.token_hex(8), home.address, by, asking_run, chosen.to_json())
                for home, chosen in ((each.home, each.chosen) for each in found)
            ]
            self._audit.order(orders)
            self._carry_out(orders, records)

    def catch_up(self, addresses: Collection[str]) -> None:
        """Let those profiles forget what they have yet to forget. Raises what is in the way:
        RunBusyError, HomeError.
        """
        with self._finishing:
            for order in self._audit.ordered():
                if order.address in addresses:
                    self._resume(order)

    def unfinished(self, found: Sequence[Found], asking_run: str = "") -> int:
        """How many runs would be cancelled."""
        return sum(not each.settled for each in self._records(_runs(found) - {asking_run}))

    def finish(self) -> None:
        """Forget what is still to be forgotten, and take the traces of it off the disk, here and
        where a process was killed before it could; what cannot be done now is left for the next
        time.
        """
        with self._finishing:
            for order in self._audit.ordered():
                with _others_go_on(f"{order.address} has yet to forget something"):
                    self._resume(order)
            for scrub in self._audit.begun():
                with _others_go_on(f"traces of what {scrub.address} forgot stay"):
                    self._scrub(scrub)

    def expire(self, team: Team, profile: str) -> int:
        """Forget what was said to a profile longer ago than it keeps, at most once a day; how many
        messages that were. `finish` is to follow.
        """
        days = team.memory(profile).keep_days
        home = self._house.home.profile(team.name, profile)
        if days is None or not home.memory_db.exists():
            return 0
        now = self._clock()
        forgetting = self._forgetting(home)
        if not forgetting.is_due(now):
            return 0
        before = now - timedelta(days=days)
        found = self.choose([home], lambda choosing: choosing.older(before, now))
        busy = {
            record.id
            for record in self._records(_runs(found))
            if lock.holder(self._folder(record)) is not None
        }
        if busy:
            found = self.choose([home], lambda choosing: choosing.older(before, now, busy))
        self.forget(found, by="retention")
        forgetting.looked(now)
        return sum(len(each.chosen.messages) for each in found)

    def _forgetting(self, home: ProfileHome) -> Forgetting:
        people = self._house.user_model(home).conclusions_store
        return Forgetting(self._house.database(home), people)

    def _resume(self, order: Order) -> None:
        """Carry out what another process has not, or not to its end."""
        chosen = Chosen.from_json(order.chosen)
        with self._holding(chosen.runs - {order.run}) as records:
            self._carry_out([order], records)

    def _carry_out(self, orders: Sequence[Order], records: Sequence[RunRecord]) -> None:
        for record in records:
            self._close(record)
        for order in orders:
            home = self._at(order.address)
            if home.memory_db.exists():
                self._audit.begin(Scrub(order.address, order.run))
                self._write_down(home, self._forget(home, order))
            self._audit.carried_out(order)

    @contextmanager
    def _holding(self, runs: Collection[str]) -> Generator[Sequence[RunRecord]]:
        """Those of the runs that there are, none of which goes on meanwhile. Raises
        RunBusyError.
        """
        with ExitStack() as held:
            records = self._records(runs)
            for record in records:
                if not record.settled or (self._house.settings.learn and not record.learned):
                    held.enter_context(lock.hold(self._folder(record), record.id))
            yield records

    def _forget(self, home: ProfileHome, order: Order) -> Tombstone:
        chosen = Chosen.from_json(order.chosen)
        chosen = replace(chosen, runs=chosen.runs - {order.run})
        database = self._house.database(home)
        journal = self._chronicle.journal_of(home)
        said = self._chronicle.said(home.team, home.profile)
        forgetting = self._forgetting(home)
        with database.transaction():
            if (stone := forgetting.done(order.id)) is not None:
                return stone
            briefs = {
                message.text
                for message in said.get(chosen.messages).values()
                if message.kind in ("brief", "said")
            }
            skills.forget_runs(database, chosen.runs, briefs)
            for run in chosen.runs:
                journal.drop(run)
            by = cast("By", order.actor)
            return forgetting.forget(chosen, by=by, at=self._clock(), order=order.id)

    def _close(self, record: RunRecord) -> None:
        """Let nobody go on with a run or learn from it: without a part of its journal it would do
        things twice.
        """
        if not record.settled:
            used = self._chronicle.counted(record)
            self._ledger.settle(
                record.id,
                "cancelled",
                steps=used.steps,
                usage=used.usage,
                cost_usd=used.cost_usd,
                rehearsal=used.rehearsal,
            )
            for journal in self._chronicle.journals(record):
                journal.drop(record.id)
        self._ledger.learned(record.id)

    def _scrub(self, scrub: Scrub) -> None:
        home = self._at(scrub.address)
        if not home.memory_db.exists():
            self._audit.done(scrub)
            return
        database = self._house.database(home)
        forgetting = self._forgetting(home)
        pending = forgetting.pending()
        asking = bool(scrub.run and self._chronicle.journal_of(home).steps(scrub.run, ""))
        if asking and not pending:
            return  # once more when the journal, which holds the request, is gone
        for stone in pending:
            self._write_down(home, stone)
            self._clear(home, stone)
        shelf, past = self._house.shelf(home), self._house.past(home)
        shelf.sync()
        if home.index.exists() and self._house.chroma is not None:
            self._house.chroma.remove(home.index)
        skills.rebuild_words(database)
        clean = forgetting.scrub()
        if not (self._audit.compact() and clean):
            _log.info("%s is scrubbed again later: it is being read", scrub.address)
            return
        forgetting.scrubbed([stone.id for stone in pending], self._clock())
        shelf.embed_missing(0)
        past.embed_missing(0)  # builds the index of what is left
        if not asking:
            self._audit.done(scrub)

    def _clear(self, home: ProfileHome, stone: Tombstone) -> None:
        """Remove what a forgotten run has left beside the database."""
        for run in stone.runs:
            if stone.whole:
                shutil.rmtree(home.workspace / run, ignore_errors=True)
        for record in self._records(stone.runs):
            if record.team != home.team or record.owner != home.profile:
                continue
            folder = self._folder(record)
            with lock.hold(folder, record.id):
                self._ledger.forget(record.id)
                if stone.whole:
                    shutil.rmtree(folder, ignore_errors=True)

    def _write_down(self, home: ProfileHome, stone: Tombstone) -> None:
        target = f"{home.address}, tombstone {stone.id}"
        self._audit.write(stone.by, f"forgot: {stone.span}", target, stone.counts, stone.at)

    def _at(self, address: str) -> ProfileHome:
        team, _, profile = address.partition("/")
        return self._house.home.profile(team, profile)

    def _folder(self, record: RunRecord) -> Path:
        return self._house.home.run_folder(record.team, record.id)

    def _records(self, runs: Collection[str]) -> Sequence[RunRecord]:
        found: list[RunRecord] = []
        for run in sorted(runs):
            with suppress(NotFoundError):
                record = self._ledger.run(run)
                if record.id == run:
                    found.append(record)
        return found


def _runs(found: Sequence[Found]) -> set[str]:
    return {run for each in found for run in each.chosen.runs}


@contextmanager
def _others_go_on(what: str) -> Generator[None]:
    try:
        yield
    except (RetinueError, OSError, IndexInUse) as error:
        _log.warning("%s: %s", what, error)
    except Exception:
        _log.exception("%s", what)
