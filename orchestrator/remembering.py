"""What profiles take in of what was said to them, once a run has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from decimal import Decimal

from orchestrator.erasure import Erasure
from orchestrator.errors import PersonError, RetinueError
from orchestrator.home import ProfileHome
from orchestrator.memory import Thinker
from orchestrator.model.base import Account, Usage
from orchestrator.profile.schema import Team
from orchestrator.staff import House, TeamStaff
from orchestrator.team.ledger import Ledger, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.supervisor import CALL
from orchestrator.team.writing import ModelWriter

_log = logging.getLogger(__name__)


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
