"""What profiles take in of what was said to them, once a run has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from decimal import Decimal

from orchestrator.errors import RetinueError
from orchestrator.memory import Thinker
from orchestrator.model.base import Account, Usage
from orchestrator.staff import House, TeamStaff
from orchestrator.team.ledger import Ledger, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.writing import ModelWriter

_log = logging.getLogger(__name__)


class Remembering:
    """Lets the profiles that have worked in this process understand what people said."""

    def __init__(self, house: House, ledger: Ledger) -> None:
        self._house = house
        self._ledger = ledger
        self._staffs: dict[str, TeamStaff] = {}
        """Who has worked, by run."""

    def note(self, run: str, staff: TeamStaff) -> None:
        """The run is at work here."""
        self._staffs[run] = staff

    async def remember(self) -> None:
        """Work off what was said in the runs of this process; for when nobody waits any more. What
        does not come to its end here is made up for the next time. A broken profile remembers
        nothing, the others do.
        """
        for run, staff in list(self._staffs.items()):
            record = self._ledger.run(run)
            for profile in self._profiles(record):
                try:
                    await self._work(record, staff, profile)
                except (RetinueError, OSError) as error:
                    _log.warning("%s/%s remembers later: %s", record.team, profile, error)
            self._staffs.pop(run, None)

    async def _work(self, record: RunRecord, staff: TeamStaff, profile: str) -> None:
        home = self._house.home.profile(record.team, profile)
        people = self._house.user_model(home)
        if not staff.team.memory(profile).observe:
            await asyncio.to_thread(people.derivation.skip)
            return
        thinker = self._thinker(record, staff, profile)
        await people.work(thinker)
        await people.dream(thinker)

    def _thinker(self, record: RunRecord, staff: TeamStaff, profile: str) -> Thinker | None:
        """The profile's own model, unless a script has played it."""
        if record.rehearsal:
            return None
        account = Account(record.id, f"{record.team}/{profile}", RunMeter(staff.team.limits))

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            self._ledger.charge(record.id, usage, cost_usd)

        return ModelWriter(staff.model(profile), account, paid)

    def _profiles(self, record: RunRecord) -> Iterable[str]:
        members = self._ledger.members(record.id)
        return dict.fromkeys([record.owner, *(member.profile for member in members)])
