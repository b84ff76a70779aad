"""What profiles take in of what was said to them, once a run has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestrator.erasure import Erasure
from orchestrator.errors import PersonError, RetinueError
from orchestrator.home import ProfileHome
from orchestrator.memory import AskAnswer, AskLevel, EmbeddedUserModel, QueueStatus, Thinker
from orchestrator.memory.user_model import DreamReport
from orchestrator.model.base import Account, Usage
from orchestrator.profile.schema import Team
from orchestrator.staff import House, TeamStaff
from orchestrator.team.ledger import Ledger, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.supervisor import CALL
from orchestrator.team.writing import ModelWriter

_log = logging.getLogger(__name__)

_ACCOUNT = "memory"
"""Stands for the run where nothing runs."""


@dataclass(frozen=True)
class Derived:
    """What came of understanding what was said."""

    understood: int
    """Messages that a model has read."""
    queue: QueueStatus
    dream: DreamReport
    model: str | None
    """Which one has read; None: the rules alone."""
    note: str = ""
    """Why there was no model."""


class Remembering:
    """Lets the profiles that have worked in this process understand what people said."""

    def __init__(self, house: House, ledger: Ledger, erasure: Erasure) -> None:
        self._house = house
        self._ledger = ledger
        self._erasure = erasure
        self._staffs: dict[str, TeamStaff] = {}
        """Who has worked, by run."""

    def note(self, run: str, staff: TeamStaff) -> None:
        """The run is at work here."""
        self._staffs[run] = staff

    async def remember(self) -> None:
        """Work off what was said in the runs of this process, and forget what the teams keep no
        longer; for when nobody waits any more. What does not come to its end here is made up for
        the next time. A broken profile remembers nothing, the others do.
        """
        teams: dict[str, Team] = {}
        for run, staff in list(self._staffs.items()):
            record = self._ledger.run(run)
            teams[record.team] = staff.team
            for profile in self._profiles(record):
                with _others_go_on(f"{record.team}/{profile} remembers"):
                    await self._work(record, staff, profile)
            self._staffs.pop(run, None)
        for team in teams.values():
            for profile in [CALL, *(member.profile for member in team.members)]:
                with _others_go_on(f"{team.name}/{profile} forgets what is old"):
                    await asyncio.to_thread(self._erasure.expire, team, profile)
        await asyncio.to_thread(self._erasure.finish)

    async def derive(
        self, team: Team, profile: str, *, model: str | None, dream: bool, retry: bool
    ) -> Derived:
        """Understand all that was said to the profile, and go over what it knows when that is due;
        `dream`: now. Without a model the rules alone read. Raises PersonError when `model` is named
        and cannot be used, or when the profile keeps nothing about people.
        """
        people = self._people(team, profile)
        if not team.memory(profile).observe:
            raise PersonError(
                f"{team.name}/{profile} keeps nothing about people: `observe` is off in its "
                f"`memory` in {team.source}"
            )
        if retry:
            await asyncio.to_thread(people.derivation.retry)
        thinker, note = self._consulted(team, profile, model)
        queue = await people.work(None)
        before, left = queue, queue.pending
        try:
            while thinker is not None and left:
                queue = await people.work(thinker, flush=True)
                if queue.pending >= left:
                    break
                left = queue.pending
            report = await people.dream(thinker, force=dream)
        except PersonError as error:
            if model is not None:
                raise
            thinker, note = None, str(error)
            report = await people.dream(None)
        understood = before.pending + before.failed - queue.pending - queue.failed
        return Derived(understood, queue, report, thinker.name if thinker else None, note)

    async def ask_about(
        self,
        team: Team,
        profile: str,
        person: str,
        question: str,
        *,
        level: AskLevel,
        model: str | None,
        evidence: bool = False,
    ) -> AskAnswer:
        """What the profile knows of a person that answers the question; without a model, or with
        `evidence`, the evidence. Raises PersonError when `model` is named and cannot be used.
        """
        people = self._people(team, profile)
        if team.memory(profile).observe:
            await asyncio.to_thread(people.derivation.read)
        thinker, note = (None, "") if evidence else self._consulted(team, profile, model)
        try:
            answer = await people.ask(person, question, level=level, thinker=thinker)
        except PersonError as error:
            if model is not None:
                raise
            note = str(error)
            answer = await people.ask(person, question, level=level, thinker=None)
        return replace(answer, note=f"{answer.note}: {note}") if note else answer

    def _people(self, team: Team, profile: str) -> EmbeddedUserModel:
        return self._house.user_model(self._house.home.profile(team.name, profile))

    def _consulted(
        self, team: Team, profile: str, model: str | None
    ) -> tuple[ModelWriter | None, str]:
        """The profile's model outside a run, or why there is none; never a script."""
        staff = TeamStaff(self._house, team, model=model, rehearsal=None)
        try:
            chain = staff.lead() if profile == CALL else staff.model(profile)
            if chain.rehearsal:
                raise PersonError(f"{chain.name} plays a script and is no model; name another")
        except PersonError as error:
            if model is not None:
                raise
            return None, str(error)
        address = f"{team.name}/{profile}"

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            price = "at an unknown price" if cost_usd is None else f"for {cost_usd} USD"
            _log.info("%s has used %d tokens %s", address, usage.total, price)

        return ModelWriter(chain, Account(_ACCOUNT, address, RunMeter(team.limits)), paid), ""

    async def _work(self, record: RunRecord, staff: TeamStaff, profile: str) -> None:
        home = self._house.home.profile(record.team, profile)
        observe = staff.team.memory(profile).observe
        thinker = self._thinker(record, staff, profile)
        try:
            await self._take_in(home, thinker, observe=observe)
        except PersonError as error:
            if thinker is None:
                raise
            _log.warning("%s remembers without its model: %s", home.address, error)
            await self._take_in(home, None, observe=observe)

    async def _take_in(self, home: ProfileHome, thinker: Thinker | None, *, observe: bool) -> None:
        people = self._house.user_model(home)
        if observe:
            await people.work(thinker)
            await people.dream(thinker)
        else:
            await asyncio.to_thread(people.derivation.skip)
        careful = thinker if thinker is not None and thinker.careful else None
        await self._house.memory(home).summaries.summarise(careful)

    def _thinker(self, record: RunRecord, staff: TeamStaff, profile: str) -> Thinker | None:
        """The profile's own model, unless a script has played it or it cannot be used."""
        if record.rehearsal:
            return None
        account = Account(record.id, f"{record.team}/{profile}", RunMeter(staff.team.limits))

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            self._ledger.charge(record.id, usage, cost_usd)

        try:
            model = staff.lead() if profile == CALL else staff.model(profile)
        except PersonError as error:
            _log.warning("%s remembers without a model: %s", account.address, error)
            return None
        return ModelWriter(model, account, paid)

    def _profiles(self, record: RunRecord) -> Iterable[str]:
        members = self._ledger.members(record.id)
        return dict.fromkeys([record.owner, *(member.profile for member in members)])


@contextmanager
def _others_go_on(what: str) -> Generator[None]:
    """One profile's failure ends nothing else: the answer has been given already."""
    try:
        yield
    except (RetinueError, OSError) as error:
        _log.warning("%s later: %s", what, error)
    except Exception:
        _log.exception("%s later", what)
