"""What members learn from runs, once these have ended."""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from orchestrator.chronicle import Chronicle
from orchestrator.errors import RetinueError, RunBusyError
from orchestrator.memory.conversations import Conversations
from orchestrator.model.base import Account, Usage
from orchestrator.profile.schema import Team
from orchestrator.skill import Experience, Learner, Lesson, redacted
from orchestrator.staff import House, TeamStaff
from orchestrator.team import lock
from orchestrator.team.experience import experiences
from orchestrator.team.ledger import Ledger, MemberRecord, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.writing import ModelWriter

_log = logging.getLogger(__name__)

CLOSING = (
    "This conversation is over. If it taught you a way of working that will be needed again, keep "
    "it with skill_write, or mend a skill with skill_patch. Then say in one sentence what you "
    "kept, or that there was nothing."
)
_WORTH_ASKING = 3
"""Turns of a conversation since the member was asked last."""
_LEARN_FROM = 20
"""Runs at once."""
_EMBED_AT_ONCE = 8
"""Skills a profile gets vectors for after a run; about 0.1 s of CPU each."""
_EMBED_SAID = 16
"""Messages a profile gets vectors for after a run; about 0.02 s of CPU each."""


class Schooling:
    """Lets the members of a home learn."""

    def __init__(self, house: House, ledger: Ledger, chronicle: Chronicle) -> None:
        self._house = house
        self._ledger = ledger
        self._chronicle = chronicle
        self._staffs: dict[str, TeamStaff] = {}
        """Who has worked in this process, by run."""

    def note(self, run: str, staff: TeamStaff) -> None:
        """The run is at work here: its own models may write down what is learned from it."""
        self._staffs[run] = staff

    def is_worth_closing(self, team: Team, profile: str, session: str) -> bool:
        """Whether the member should be asked what the conversation, which ends, has taught it: it
        can write skills, and some turns have passed since it was asked last.
        """
        member = team.member(profile)
        every = self._house.settings.skill_nudge_turns
        if member is None or not every:
            return False
        staff = TeamStaff(self._house, team, model=None, rehearsal=None)
        said = self._chronicle.said(team.name, member.profile)
        return (
            staff.toolset(member).finds("skill_write")
            and said.turns(session) % every >= _WORTH_ASKING
        )

    async def learn(self, *, rehearsals: bool = False) -> Sequence[Lesson]:
        """Let members learn from the runs that have ended since, in this process or before; for
        when nobody waits for an answer any more.

        A run's words are written by its own model where it has just been at work, else by rule.
        `rehearsals`: from played scripts, too.
        """
        if not self._house.settings.learn:
            return []
        lessons: list[Lesson] = []
        for record in self._ledger.unlearned(_LEARN_FROM):
            if record.rehearsal and not rehearsals:
                self._ledger.learned(record.id)
                continue
            folder = self._house.home.run_folder(record.team, record.id)
            with suppress(RunBusyError), lock.hold(folder, record.id):
                learned, whole = await self._learn_from(record)
                lessons += learned
                if whole:
                    self._ledger.learned(record.id)
            self._staffs.pop(record.id, None)
        return lessons

    def learner(self, team: str, profile: str) -> Learner:
        """What decides about the skills of a profile; names by rule, for no run has been made."""
        return self._house.learner(self._house.home.profile(team, profile), None)

    async def _learn_from(self, record: RunRecord) -> tuple[Sequence[Lesson], bool]:
        """The lessons of a run, and whether all of it has been taken in: a full disk leaves it for
        later. A profile that is broken learns nothing, the others do.
        """
        lessons: list[Lesson] = []
        whole = True
        for experience in await asyncio.to_thread(self._experiences, record):
            profile = experience.author.partition("/")[2]
            home = self._house.home.profile(record.team, profile)
            try:
                writer = self._writer(record, self._staffs.get(record.id), profile)
                told = redacted(experience, home.credentials().values())
                lessons.append(await self._house.learner(home, writer).learn(told))
                await asyncio.to_thread(self._house.shelf(home).embed_missing, _EMBED_AT_ONCE)
            except (OSError, RetinueError) as error:
                later = _is_full(error)
                whole = whole and not later
                when = "later" if later else "nothing"
                _log.warning("%s learns %s from run %s: %s", home.address, when, record.id, error)
            except Exception:
                _log.exception("%s learns nothing from run %s", home.address, record.id)
        await asyncio.to_thread(self._embed_said, record)
        return lessons, whole

    def _embed_said(self, record: RunRecord) -> None:
        """Let what was said in the run be found by meaning."""
        members = self._ledger.members(record.id)
        for profile in {record.owner, *(member.profile for member in members)}:
            home = self._house.home.profile(record.team, profile)
            try:
                self._house.past(home).embed_missing(_EMBED_SAID)
            except (RetinueError, OSError) as error:
                _log.warning("%s finds run %s by words alone: %s", home.address, record.id, error)

    def _experiences(self, record: RunRecord) -> Sequence[Experience]:
        """Of each member whose home can be read."""
        readable: list[MemberRecord] = []
        for member in self._ledger.members(record.id):
            try:
                self._chronicle.said(record.team, member.profile)
            except RetinueError as error:
                _log.warning("run %s teaches %s nothing: %s", record.id, member.profile, error)
            else:
                readable.append(member)

        def said(profile: str) -> Conversations:
            return self._chronicle.said(record.team, profile)

        try:
            return experiences(record, readable, said)
        except RetinueError as error:
            _log.warning("run %s teaches nobody: %s", record.id, error)
            return []

    def _writer(
        self, record: RunRecord, staff: TeamStaff | None, profile: str
    ) -> ModelWriter | None:
        if staff is None or record.rehearsal:
            return None
        account = Account(record.id, f"{record.team}/{profile}", RunMeter(staff.team.limits))

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            self._ledger.charge(record.id, usage, cost_usd)

        return ModelWriter(staff.model(profile), account, paid)


def _is_full(error: Exception) -> bool:
    """Whether the disk is full, which passes; what else is wrong with a home may stay so."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return (code & 0xFF) == sqlite3.SQLITE_FULL
