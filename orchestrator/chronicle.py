"""What is known of the runs of a home: their state, what they used, what was said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from orchestrator.agent.calls import short
from orchestrator.agent.dialogue import used
from orchestrator.agent.spending import Spent
from orchestrator.engine.journal import Journal
from orchestrator.errors import HomeError
from orchestrator.events import RunState
from orchestrator.home import ProfileHome
from orchestrator.memory.choosing import WISH
from orchestrator.memory.conversations import Conversations
from orchestrator.staff import House
from orchestrator.team import lock
from orchestrator.team.base import MemberReport, RunResult
from orchestrator.team.files import Exchange
from orchestrator.team.ledger import Ledger, MemberRecord, RunRecord
from orchestrator.team.runs import RUN, open_questions

VERDICT = "verdict/"
"""How the keys of messages begin that are a person's verdicts."""


@dataclass(frozen=True)
class RunRow:
    """A run as `runs list` shows it."""

    run_id: str
    team: str
    state: RunState
    task: str
    """First line of the task, shortened."""
    created: datetime
    updated: datetime
    steps: int
    tokens: int
    cost_usd: str | None
    verdict: str | None
    """`good`, `bad` or None."""
    pid: int | None
    """The live process that works on it."""

    @property
    def interrupted(self) -> bool:
        """Whether its process has ended before it was done; `resume` goes on with it."""
        return self.state in ("queued", "running") and self.pid is None

    @property
    def shown_state(self) -> str:
        """The state as a person is told it."""
        return "interrupted" if self.interrupted else self.state


@dataclass(frozen=True)
class RunDetail:
    """A run as `runs show` shows it."""

    row: RunRow
    result: RunResult
    history: Sequence[Mapping[str, Any]]
    """What was said and done, oldest first: at, profile, kind, text."""


class Chronicle:
    """Reads the ledger, and the homes of those who took part."""

    def __init__(self, house: House, ledger: Ledger) -> None:
        self._house = house
        self._home = house.home
        self._ledger = ledger

    def runs(self, *, team: str | None = None, state: str | None = None) -> Sequence[RunRow]:
        """The runs of this home, newest first; `state` may be `interrupted`, and `queued` and
        `running` mean those that are not.
        """
        stored = None if state == "interrupted" else state
        rows = [self._row(record) for record in self._ledger.runs(team=team, state=stored)]
        return [row for row in rows if state in (None, row.shown_state)]

    def show(self, run: str) -> RunDetail:
        """All that is known of a run. Raises NotFoundError."""
        record = self._ledger.run(run)
        members = self._ledger.members(record.id)
        profiles = dict.fromkeys([record.owner, *(member.profile for member in members)])
        said = [
            (message, profile)
            for profile in profiles
            for message in self.said(record.team, profile).of_run(record.id)
        ]
        said.sort(key=lambda pair: pair[0].at)
        return RunDetail(
            row=self._row(record),
            result=self._result(self.counted(record), self._seen(record, members)),
            history=[
                {
                    "at": message.at.isoformat(),
                    "profile": message.peer if message.key.startswith(VERDICT) else profile,
                    "kind": message.kind,
                    "peer": message.peer,
                    "text": message.text,
                    **message.extra,
                }
                for message, profile in said
            ],
        )

    def _seen(self, record: RunRecord, members: Sequence[MemberRecord]) -> Sequence[MemberRecord]:
        """The members with the steps of their calls that have not ended."""

        def counted(member: MemberRecord) -> MemberRecord:
            home = self._home.profile(record.team, member.profile)
            if member.state != "running" or not home.memory_db.exists():
                return member
            journal = Journal(self._house.database(home))
            return replace(member, steps=used([journal], record.id, member.call)[0])

        return [counted(member) for member in members]

    def _row(self, record: RunRecord) -> RunRow:
        record = self.counted(record)
        working = record.state in ("queued", "running")
        folder = self._home.run_folder(record.team, record.id)
        return RunRow(
            run_id=record.id,
            team=record.team,
            state=record.state,
            task=self._task(record),
            created=record.created,
            updated=record.updated,
            steps=record.steps,
            tokens=record.usage.total,
            cost_usd=None if record.cost_usd is None else str(record.cost_usd),
            verdict=record.verdict,
            pid=lock.holder(folder) if working else None,
        )

    def counted(self, record: RunRecord) -> RunRecord:
        """The record with what the run has used by now, which is entered only when it is settled.

        A profile whose home cannot be read is left out.
        """
        if record.state not in ("queued", "running"):
            return record
        steps, spent = record.steps, Spent(record.usage, record.cost_usd)
        with suppress(HomeError):
            steps, spent = used(self.journals(record), record.id)
        return replace(record, steps=steps, usage=spent.usage, cost_usd=spent.cost_usd)

    def journals(self, record: RunRecord) -> Sequence[Journal]:
        """Of all who have something of the run."""
        members = self._ledger.members(record.id)
        profiles = {record.owner, *(member.profile for member in members)}
        homes = [self._home.profile(record.team, profile) for profile in profiles]
        return [Journal(self._house.database(home)) for home in homes if home.memory_db.exists()]

    def _task(self, record: RunRecord) -> str:
        """One broken profile hides the tasks of its own runs only."""
        try:
            messages = self.conversations(record).of_run(record.id)
        except HomeError:
            return f"(the home of {record.team}/{record.owner} cannot be read)"
        first = messages[0] if messages else None
        if first is not None and first.key.endswith(("task", WISH, "/brief")):
            return short(first.text, 80)
        if first is None and not record.settled:
            return ""
        return "(forgotten)"

    def _result(self, record: RunRecord, members: Sequence[MemberRecord]) -> RunResult:
        journal = self.journal(record)
        ending = journal.get(record.id, RUN, "outcome")
        said = self.conversations(record).of_run(record.id)
        own = f"{record.team}/{record.owner}"
        answers = [each.text for each in said if each.peer == own and each.kind == "said"]
        answer = answers[-1] if answers and record.state == "completed" else ""
        return RunResult(
            run_id=record.id,
            state=record.state,
            answer=ending.payload["answer"] if ending else answer,
            members=tuple(MemberReport(m.profile, m.state, m.steps) for m in members),
            steps=record.steps,
            usage=record.usage,
            cost_usd=record.cost_usd,
            rehearsal=record.rehearsal,
            artifacts=tuple(self.exchange(record).published()),
            error=ending.payload["error"] if ending else None,
            questions=tuple(open_questions(journal, record.id)),
            denied=bool(ending and ending.payload.get("denied")),
        )

    def journal(self, record: RunRecord) -> Journal:
        return Journal(self._house.database(self._home.profile(record.team, record.owner)))

    def journal_of(self, home: ProfileHome) -> Journal:
        return Journal(self._house.database(home))

    def conversations(self, record: RunRecord) -> Conversations:
        return self.said(record.team, record.owner)

    def said(self, team: str, profile: str) -> Conversations:
        return Conversations(self._house.database(self._home.profile(team, profile)))

    def exchange(self, record: RunRecord) -> Exchange:
        return Exchange(self._home.run_folder(record.team, record.id))
