"""One run from its request to its result: in one process at a time, and resumable at any point."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from orchestrator.agent.dialogue import used
from orchestrator.agent.remembered import Recollection
from orchestrator.agent.seat import Answer, Assignment, Seat
from orchestrator.engine.journal import Journal
from orchestrator.errors import NotFoundError, PersonError, Question, RetinueError, RunCancelled
from orchestrator.events import (
    PersonAnswered,
    PersonAsked,
    RunFinished,
    RunStarted,
    Warned,
    Watcher,
)
from orchestrator.memory import PromptMemory
from orchestrator.memory.choosing import FORGET, WISH
from orchestrator.memory.conversations import Conversations
from orchestrator.model.base import Meter, Model
from orchestrator.profile.schema import Team
from orchestrator.team import lock
from orchestrator.team.base import MemberReport, RunResult
from orchestrator.team.files import Exchange
from orchestrator.team.ledger import Ledger, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.member import Members
from orchestrator.team.personal import Asker, Records, Wish, read_wish, told
from orchestrator.team.routing import Router
from orchestrator.team.supervisor import CALL, Desk, Outcome, supervise

_log = logging.getLogger(__name__)

RUN = "run"
"""The call under which a run's own steps stand in its owner's journal."""

_HISTORY = 20
"""Turns of the session looked at to see whether it has begun before."""
_MAILBOX_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """What a run is to do, kept in its owner's journal for a resume."""

    source: str
    """The team's file."""
    session: str
    task: str = ""
    target: str | None = None
    workflow: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str | None = None
    rehearsal: str | None = None
    person: str = "person"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(**data)

    @property
    def title(self) -> str:
        return self.task or f"workflow {self.workflow}"


class Staff(Protocol):
    """The profiles of one team, opened on use; given by the runtime."""

    async def seat(self, profile: str) -> Seat: ...

    def journal(self, profile: str) -> Journal: ...

    def conversations(self, profile: str) -> Conversations: ...

    def memory(self, profile: str) -> PromptMemory: ...

    def lead(self) -> Model:
        """The supervisor's model."""
        ...

    def router(self) -> Router: ...

    async def clear(self, profile: str, workdir: str) -> None:
        """Remove a run's folder from the profile's workspace."""
        ...

    @property
    def rehearsal(self) -> bool:
        """Whether a script, not a model, has answered anything."""
        ...


class TeamRun:
    """A run of one team. `owner` is the profile that holds the task and the answer."""

    def __init__(
        self,
        run: str,
        team: Team,
        request: Request,
        *,
        owner: str,
        staff: Staff,
        ledger: Ledger,
        exchange: Exchange,
        watch: Watcher,
        meter: Meter | None = None,
        records: Records | None = None,
    ) -> None:
        """`records`: what the owner holds of people; None: it cannot be asked about that."""
        self._run = run
        self._team = team
        self._request = request
        self._owner = owner
        self._staff = staff
        self._ledger = ledger
        self._exchange = exchange
        self._watch = watch
        self._meter = meter
        self._records = records
        self._journal = staff.journal(owner)
        self._conversations = staff.conversations(owner)

    def check(self) -> None:
        """Raises RunCancelled when a person has cancelled the run (`Control`)."""
        if self._ledger.is_cancelled(self._run):
            raise RunCancelled(f"run {self._run} was cancelled")

    def answer(self, question: str) -> Answer | None:
        """What a person has answered so far (`Control`)."""
        return self._ledger.answer(self._run, question)

    def enter(self) -> None:
        """Write the run down, so that from here on it can be resumed."""
        self._journal.finish(self._run, RUN, "request", asdict(self._request))
        self._ledger.open_run(self._run, self._team.name, self._owner)

    async def execute(self, *, resumed: bool = False, warnings: Sequence[str] = ()) -> RunResult:
        """Work until the run is done, waits, or cannot go on. `warnings` are told once it has
        begun. Raises RunBusyError.
        """
        with lock.hold(self._exchange.folder, self._run):
            before = self._ledger.run(self._run)
            refuse_settled(before)  # another process may have settled it a moment ago
            meter = self._run_meter(before)
            self._ledger.settle(self._run, "running")
            self._watch(
                RunStarted(
                    run=self._run,
                    team=self._team.name,
                    task=self._request.title,
                    resumed=resumed,
                    model=self._request.model or "",
                    rehearsal=(self._request.model or "").split("/")[0] == "rehearsal",
                )
            )
            for warning in warnings:
                self._watch(Warned(self._run, self._owner, warning))
            outcome = await self._until_settled(meter)
            return await self._close(outcome)

    def _run_meter(self, before: RunRecord) -> RunMeter:
        """Whoever resumes a run that was stopped at a limit grants it its limits anew; a crash or a
        question does not.
        """
        if before.state in ("queued", "limited"):
            return RunMeter(self._team.limits, self._meter)
        steps, spent = used(self._journals(), self._run)
        return RunMeter(self._team.limits, self._meter, steps=steps, spent=spent)

    async def _until_settled(self, meter: Meter) -> Outcome:
        """Work, and again whenever an answer has come in while others were at work."""
        while True:
            outcome = await self._watched(meter)
            answered = [q for q in outcome.questions if self.answer(q.id) is not None]
            if not answered:
                return outcome

    async def _watched(self, meter: Meter) -> Outcome:
        """The work, ended within a second when a person cancels it from elsewhere."""
        work = asyncio.create_task(self._work(meter))
        guard = asyncio.create_task(self._cancel_on_demand(work))
        try:
            return await work
        except asyncio.CancelledError:
            if not self._ledger.is_cancelled(self._run):
                raise
            return Outcome("cancelled", "", error="cancelled by a person")
        except RunCancelled as error:
            return Outcome("cancelled", "", error=str(error))
        except RetinueError as error:
            return Outcome("failed", "", error=str(error))
        except Exception as error:
            _log.exception("run %s failed", self._run)
            return Outcome("failed", "", error=f"internal error: {error!r}")
        finally:
            guard.cancel()
            work.cancel()
            await asyncio.gather(guard, work, return_exceptions=True)

    async def _cancel_on_demand(self, work: asyncio.Task[Outcome]) -> None:
        while not work.done():
            await asyncio.sleep(_MAILBOX_SECONDS)
            if self._ledger.is_cancelled(self._run):
                work.cancel()
                return

    async def _work(self, meter: Meter) -> Outcome:
        request = self._request
        wish = read_wish(request.task) if request.workflow is None else None
        if wish is not None and self._records is not None:
            return await self._grant(wish, self._records)
        assignment = Assignment(
            run=self._run,
            session=request.session,
            workdir=self._run,
            meter=meter,
            control=self,
            watch=self._watch,
        )
        members = Members(
            assignment, seat=self._staff.seat, exchange=self._exchange, ledger=self._ledger
        )
        if self._owner == CALL:
            await asyncio.to_thread(self._say, "task", request.person, request.title)
        if request.workflow is not None:
            return await self._work_through(request.workflow, members)
        desk = Desk(
            team=self._team,
            run=self._run,
            person=request.person,
            model=self._staff.lead,
            journal=self._journal,
            router=self._staff.router,
            caller=members,
            meter=meter,
            control=self,
            watch=self._watch,
            follow_up=any(
                message.run != self._run
                for message in self._conversations.recent(request.session, most=_HISTORY)
            ),
            recollection=self._recollection() if self._owner == CALL else None,
        )
        return await supervise(desk, request.task, request.target)

    async def _grant(self, wish: Wish, records: Records) -> Outcome:
        """What a person wants to know or have forgotten of themself: code answers, no model."""
        asker = Asker(self._request.person, self._request.session, self._run)
        if wish.kind == "known":
            answer = await asyncio.to_thread(records.known, asker.person)
            await asyncio.to_thread(self._say, WISH, asker.person, self._request.task)
        else:
            counts = await self._to_forget(wish, asker, records)
            await asyncio.to_thread(self._say, WISH, asker.person, FORGET)
            if not counts:
                where = "in this conversation " if wish.kind == "last" else ""
                answer = f"Nothing is kept {where}that this could mean. {records.reach}"
            else:
                text = (
                    f"Shall this of yours or about you be forgotten: {told(counts)}? It is deleted "
                    "for good, with whatever else those messages say. "
                    f"{records.reach}"
                )
                question = Question(WISH, self._owner, text, "approval")
                said = await self._ask(question)
                if said is None:
                    return Outcome("waiting", text, (question,))
                answer = "Nothing was forgotten."
                if said.decision == "approve":
                    await asyncio.to_thread(records.forget, wish, asker)
                    answer = f"Forgotten: {told(counts)}. {records.reach}"
        if self._owner != CALL:
            await asyncio.to_thread(self._say, "answer", f"{self._team.name}/{self._owner}", answer)
        return Outcome("completed", answer)

    async def _to_forget(self, wish: Wish, asker: Asker, records: Records) -> Mapping[str, int]:
        """What there was to be forgotten when the person was asked about it."""
        entry = self._journal.get(self._run, RUN, WISH)
        if entry is not None:
            return entry.payload
        counts = dict(await asyncio.to_thread(records.count, wish, asker))
        await asyncio.to_thread(self._journal.finish, self._run, RUN, WISH, counts)
        return counts

    def _recollection(self) -> Recollection:
        """How the supervisor remembers in this run."""
        return Recollection(
            self._staff.memory(CALL),
            self._team.memory(CALL),
            self._request.person,
            self._request.session,
            self._run,
            lambda told: self._watch(Warned(self._run, CALL, told)),
        )

    async def _work_through(self, name: str, members: Members) -> Outcome:
        from orchestrator.team.workflow import run_workflow

        result = await run_workflow(
            self._team.workflows[name],
            self._request.inputs,
            run=self._run,
            call=members,
            ask=self._ask,
            route=self._route,
            watch=self._watch,
            person=self._request.person,
        )
        denied = result.state == "failed" and result.denied
        return Outcome(result.state, result.answer, result.questions, result.error, denied)

    async def _ask(self, question: Question) -> Answer | None:
        """A workflow's question: the answer from the journal, or from the mailbox."""
        step = f"ask/{question.id}"
        entry = self._journal.get(self._run, RUN, step)
        if entry is not None:
            return Answer(**entry.payload)
        answer = self.answer(question.id)
        if answer is None:
            self._watch(
                PersonAsked(
                    run=self._run,
                    profile=question.profile,
                    question_id=question.id,
                    question=question.text,
                    asks_for=question.kind,
                    options=question.options,
                )
            )
            return None
        await asyncio.to_thread(self._journal.finish, self._run, RUN, step, asdict(answer))
        said = answer.decision or answer.text
        self._watch(PersonAnswered(self._run, question.profile, question.id, said))
        return answer

    async def _route(self, prompt: str, call: str) -> str:
        """The member that fits a workflow's step best."""
        entry = self._journal.get(self._run, RUN, f"route/{call}")
        if entry is not None:
            return entry.payload["profile"]
        best = (await asyncio.to_thread(self._staff.router().shortlist, prompt, 1))[0]
        payload = {"profile": best.member.profile}
        await asyncio.to_thread(self._journal.finish, self._run, RUN, f"route/{call}", payload)
        return best.member.profile

    def _say(self, key: str, peer: str, text: str) -> None:
        self._conversations.append(
            self._request.session,
            run=self._run,
            key=key,
            peer=peer,
            kind="said",
            text=text,
            tokens=len(text) // 4,
        )

    async def _close(self, outcome: Outcome) -> RunResult:
        """Settle the run: totals, the answer, and nothing left behind that is not needed."""
        steps, spent = used(self._journals(), self._run)
        if self._owner == CALL and outcome.state == "completed":
            await asyncio.to_thread(
                self._say, "answer", f"{self._team.name}/{CALL}", outcome.answer
            )
        if outcome.state == "waiting":
            questions = [asdict(question) for question in outcome.questions]
            self._journal.intend(self._run, RUN, "questions", {"questions": questions})
        else:
            self._journal.forget(self._run, RUN, "questions")
        ending = {
            "answer": outcome.answer,
            "error": outcome.error,
            "denied": outcome.denied,
        }
        self._journal.forget(self._run, RUN, "outcome")
        self._journal.intend(self._run, RUN, "outcome", ending)
        self._ledger.settle(
            self._run,
            outcome.state,
            steps=steps,
            usage=spent.usage,
            cost_usd=spent.cost_usd,
            rehearsal=self._staff.rehearsal,
        )
        if outcome.state in ("completed", "cancelled"):
            for journal in self._journals():
                journal.drop(self._run)
            for profile in self._profiles() - {CALL}:
                await self._staff.clear(profile, self._run)
            await asyncio.to_thread(self._exchange.drop_inputs)
            self._ledger.forget(self._run)
        self._watch(RunFinished(self._run, outcome.state, outcome.answer, outcome.error))
        return RunResult(
            run_id=self._run,
            state=outcome.state,
            answer=outcome.answer,
            members=_reports(self._ledger, self._run),
            steps=steps,
            usage=spent.usage,
            cost_usd=spent.cost_usd,
            artifacts=tuple(await asyncio.to_thread(self._exchange.published)),
            rehearsal=self._staff.rehearsal,
            error=outcome.error,
            questions=outcome.questions,
            denied=outcome.denied,
        )

    def _profiles(self) -> set[str]:
        """Whoever has something of this run."""
        return {record.profile for record in self._ledger.members(self._run)} | {self._owner}

    def _journals(self) -> Sequence[Journal]:
        return [self._staff.journal(profile) for profile in self._profiles()]


def refuse_settled(record: RunRecord) -> None:
    """Raises PersonError when there is nothing left of the run to go on with."""
    if record.state == "cancelled":
        raise PersonError(
            f"run {record.id} was cancelled, and what it had done was dropped then; start a new run"
        )
    if record.settled:
        raise PersonError(f"run {record.id} is {record.state}; there is nothing to resume")


def open_questions(journal: Journal, run: str) -> Sequence[Question]:
    """What a waiting run wants to know."""
    entry = journal.get(run, RUN, "questions")
    if entry is None:
        return []
    return [
        Question(each["id"], each["profile"], each["text"], each["kind"], tuple(each["options"]))
        for each in entry.payload["questions"]
    ]


def read_request(journal: Journal, run: str) -> Request:
    """What the run was asked to do. Raises NotFoundError once it is finished and forgotten."""
    entry = journal.get(run, RUN, "request")
    if entry is None:
        raise NotFoundError("resumable run", run, hint="it is finished; see: retinue runs show")
    return Request.from_dict(entry.payload)


def _reports(ledger: Ledger, run: str) -> tuple[MemberReport, ...]:
    return tuple(
        MemberReport(record.profile, record.state, record.steps) for record in ledger.members(run)
    )
