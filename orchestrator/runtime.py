"""Where the pieces are put together: the one door that front ends use."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.agent.calls import short
from orchestrator.agent.dialogue import used
from orchestrator.agent.prompt import brief_text
from orchestrator.agent.prompt import system_prompt as member_prompt
from orchestrator.agent.seat import Answer
from orchestrator.agent.spending import Spent
from orchestrator.agent.state import Brief
from orchestrator.database import Database
from orchestrator.engine.journal import Journal
from orchestrator.errors import (
    HomeError,
    NotFoundError,
    PersonError,
    Question,
    RetinueError,
    RunBusyError,
)
from orchestrator.events import RunState, Watcher
from orchestrator.home import Home, cache_folder
from orchestrator.index import TOKENIZER, count_tokens
from orchestrator.memory.conversations import Conversations
from orchestrator.model.base import Account, Usage
from orchestrator.model.providers import PROVIDERS
from orchestrator.profile import Vocabulary, Workflow, load_settings, load_team
from orchestrator.profile.schema import Team
from orchestrator.skill import Learner, Lesson, Libraries
from orchestrator.staff import House, TeamStaff, first_schemas
from orchestrator.team import lock
from orchestrator.team.base import MemberReport, RunResult
from orchestrator.team.experience import experiences
from orchestrator.team.files import Exchange
from orchestrator.team.ledger import Ledger, MemberRecord, RunRecord
from orchestrator.team.limits import RunMeter
from orchestrator.team.runs import (
    RUN,
    Request,
    TeamRun,
    open_questions,
    read_request,
    refuse_settled,
)
from orchestrator.team.supervisor import CALL
from orchestrator.team.supervisor_prompt import request_text
from orchestrator.team.supervisor_prompt import system_prompt as supervisor_prompt
from orchestrator.team.workflow import resolve_inputs
from orchestrator.team.writing import ModelWriter
from orchestrator.tool.catalog import CORE, TOOLS

MOST_TASK_CHARS = 200_000

_log = logging.getLogger(__name__)

_VERDICT = "verdict/"
"""How the keys of messages begin that are a person's verdicts."""
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

_TAKE_OVER_TRIES = 15
_TAKE_OVER_SECONDS = 0.2
"""How often, and how long apart, an answer is offered to a process that may just be ending."""


@dataclass(frozen=True)
class RunRequest:
    """A task for a team, a message for one member, or a workflow with its inputs."""

    team: Team
    task: str = ""
    target: str | None = None
    """Profile name or alias; None: the supervisor decides."""
    workflow: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: Path | None = None
    """Folder whose content every member gets as its working folder."""
    model: str | None = None
    """`provider/model` that replaces every model of the run."""
    rehearsal: Path | None = None
    """The script that the provider `rehearsal` plays."""
    session: str | None = None
    """Conversation to go on with; None: a new one."""
    person: str = "person"


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


@dataclass(frozen=True)
class FirstRequest:
    """The exact first request of a member."""

    messages: Sequence[Mapping[str, str]]
    """role and content."""
    tools: Sequence[Mapping[str, Any]]
    tokens: int
    tokenizer: str


class Runtime:
    """Opens a home and a project folder and runs teams; an async context manager.

    `environment` holds the team's default keys; nothing else is read from the process.
    """

    def __init__(self, *, project: Path, home: Home, environment: Mapping[str, str]) -> None:
        self._project = project
        self._home = home
        self._environment = dict(environment)
        self._stack = AsyncExitStack()
        self._vocabulary = Vocabulary(TOOLS, CORE, PROVIDERS)
        self._staffs: dict[str, TeamStaff] = {}
        """Who has worked here, by run."""

    async def __aenter__(self) -> Self:
        """Raises HomeError when the home cannot be used, ConfigError for broken settings."""
        self._home.create()
        database = Database(self._home.ledger_db)
        self._stack.callback(database.close)
        self._ledger = Ledger(database)
        self._house = House(
            home=self._home,
            settings=load_settings(self._home.root, vocabulary=self._vocabulary),
            environment=self._environment,
            cache=cache_folder(self._environment),
            stack=self._stack,
            libraries=Libraries(project=self._project, home=self._home.root),
        )
        await asyncio.to_thread(self._sweep)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for model in self._house.models.values():
            await model.aclose()
        await self._stack.aclose()

    def team(self, name: str) -> Team:
        """The team of that name, or in that file or folder. Raises ConfigError, NotFoundError."""
        return load_team(
            name, project=self._project, home=self._home.root, vocabulary=self._vocabulary
        )

    async def run(self, request: RunRequest, watch: Watcher) -> RunResult:
        """Run a request to its end, or to where a person is needed.

        Raises PersonError for a request that makes no sense, HomeError when it cannot be written.
        """
        team = request.team
        target = self._target(team, request.target)
        if len(request.task) > MOST_TASK_CHARS:
            raise PersonError(
                f"the task has {len(request.task):,} characters, at most {MOST_TASK_CHARS:,} are "
                "taken; put the material into a folder and give it with --files"
            )
        if request.workflow is None and not request.task.strip():
            raise PersonError("the task is empty; say what the team shall do")
        inputs = dict(request.inputs)
        if request.workflow is not None:
            inputs = resolve_inputs(_workflow(team, request.workflow), inputs)
        if request.model is None:
            self._need_model(team, target)
        run = _new_id()
        exchange = Exchange(self._home.run_folder(team.name, run))
        warnings: Sequence[str] = ()
        if request.files is not None:
            warnings = await asyncio.to_thread(exchange.take_inputs, request.files)
        written = Request(
            source=str(team.source.absolute()),
            session=request.session or run,
            task=request.task,
            target=target,
            workflow=request.workflow,
            inputs=inputs,
            model=request.model,
            rehearsal=None if request.rehearsal is None else str(request.rehearsal.absolute()),
            person=request.person,
        )
        entered = self._team_run(run, team, written, exchange, watch)
        entered.enter()
        return await entered.execute(warnings=warnings)

    async def resume(self, run: str, watch: Watcher, *, model: str | None = None) -> RunResult:
        """Go on with a run that was killed, waits, failed or hit a limit. Raises RunBusyError."""
        record = self._ledger.run(run)
        refuse_settled(record)
        request = read_request(self._journal(record), record.id)
        if model is not None:
            request = replace(request, model=model)
        team = self.team(request.source)
        if team.name != record.team:
            raise PersonError(
                f"run {record.id} belongs to team {record.team!r}, but {request.source} is team "
                f"{team.name!r} by now; give it its name back to go on"
            )
        if request.workflow is not None:
            _workflow(team, request.workflow)
        exchange = Exchange(self._home.run_folder(team.name, record.id))
        return await self._team_run(record.id, team, request, exchange, watch).execute(resumed=True)

    async def answer(
        self,
        run: str,
        text: str,
        watch: Watcher,
        *,
        decision: Literal["approve", "deny"] | None = None,
        question: str | None = None,
    ) -> RunResult | None:
        """Answer the run's open question and go on with it; None when a live process takes it over.

        Raises PersonError when the run asks nothing, several things, or something else.
        """
        record = self._ledger.run(run)
        asked = _choose(record.id, open_questions(self._journal(record), record.id), question)
        if asked.kind == "approval" and decision is None:
            raise PersonError(f"{asked.text} Say --approve or --deny")
        if asked.kind == "question" and decision is not None:
            raise PersonError(
                f"{asked.text} That is no yes or no: give the answer as text, without --{decision}"
            )
        if asked.kind == "question" and not text.strip():
            raise PersonError(f"{asked.text} Give the answer as text")
        self._ledger.post_answer(record.id, asked.id, Answer(text, decision))
        folder = self._home.run_folder(record.team, record.id)
        for _ in range(_TAKE_OVER_TRIES):
            if self._ledger.run(record.id).settled:
                break
            if lock.holder(folder) is None:
                with suppress(RunBusyError):
                    return await self.resume(record.id, watch)
            await asyncio.sleep(_TAKE_OVER_SECONDS)
        return None

    def cancel(self, run: str) -> None:
        """Cancel a run; one that a process works on ends within a second or two."""
        record = self._ledger.run(run)
        if record.settled:
            raise PersonError(f"run {record.id} is {record.state} already")
        self._ledger.cancel(record.id)
        with suppress(RunBusyError), self._hold(record):  # who works on it hears of it anyway
            now = self._counted(self._ledger.run(record.id))
            if not now.settled:
                self._ledger.settle(
                    record.id,
                    "cancelled",
                    steps=now.steps,
                    usage=now.usage,
                    cost_usd=now.cost_usd,
                    rehearsal=now.rehearsal,
                )
            self._forget(record)

    def rate(self, run: str, verdict: Literal["good", "bad"], note: str = "") -> None:
        """Record a person's verdict; it lies, with the note, with what was said in the run."""
        record = self._ledger.run(run)
        self._ledger.rate(record.id, verdict)
        said = self._conversations(record)
        messages = said.of_run(record.id)
        said.append(
            messages[0].session if messages else record.id,
            run=record.id,
            key=f"{_VERDICT}{len(messages)}",
            peer="person",
            kind="said",
            text=f"({verdict}) {note}".rstrip(),
            tokens=len(note) // 4,
            extra={"verdict": verdict},
        )

    def closing(self, request: RunRequest) -> RunRequest | None:
        """At the end of a conversation: what asks the member to write down what it has learned.

        None where that is not worth a model call: few turns since it was asked last, nobody in
        particular was spoken to, or that member cannot write skills.
        """
        member = request.team.member(request.target) if request.target else None
        every = self._house.settings.skill_nudge_turns
        if member is None or request.session is None or not every:
            return None
        staff = TeamStaff(self._house, request.team, model=None, rehearsal=None)
        if not staff.toolset(member).finds("skill_write"):
            return None
        said = self._said(request.team.name, member.profile)
        if said.turns(request.session) % every < _WORTH_ASKING:
            return None
        return replace(request, task=CLOSING, workflow=None)

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
            with suppress(RunBusyError), self._hold(record):
                lessons += await self._learn_from(record)
                self._ledger.learned(record.id)
            self._staffs.pop(record.id, None)
        return lessons

    def learner(self, team: str, profile: str) -> Learner:
        """What decides about the skills of a profile; names by rule, for no run has been made."""
        return self._house.learner(self._home.profile(team, profile), None)

    async def _learn_from(self, record: RunRecord) -> Sequence[Lesson]:
        members = self._ledger.members(record.id)
        staff = self._staffs.get(record.id)

        def said(profile: str) -> Conversations:
            return self._said(record.team, profile)

        lessons: list[Lesson] = []
        for experience in await asyncio.to_thread(experiences, record, members, said):
            profile = experience.author.partition("/")[2]
            home = self._home.profile(record.team, profile)
            try:
                writer = self._writer(record, staff, profile)
                lessons.append(await self._house.learner(home, writer).learn(experience))
                await asyncio.to_thread(self._house.shelf(home).embed_missing, _EMBED_AT_ONCE)
            except (RetinueError, OSError) as error:
                _log.warning("%s learns nothing from run %s: %s", home.address, record.id, error)
        return lessons

    def _writer(
        self, record: RunRecord, staff: TeamStaff | None, profile: str
    ) -> ModelWriter | None:
        if staff is None or record.rehearsal:
            return None
        account = Account(record.id, f"{record.team}/{profile}", RunMeter(staff.team.limits))

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            self._ledger.charge(record.id, usage, cost_usd)

        return ModelWriter(staff.model(profile), account, paid)

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
            for message in self._said(record.team, profile).of_run(record.id)
        ]
        said.sort(key=lambda pair: pair[0].at)
        return RunDetail(
            row=self._row(record),
            result=self._result(self._counted(record), self._seen(record, members)),
            history=[
                {
                    "at": message.at.isoformat(),
                    "profile": message.peer if message.key.startswith(_VERDICT) else profile,
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

    def first_request(self, team: Team, profile: str, task: str = "") -> FirstRequest:
        """The exact first request of a profile, and its size. Raises NotFoundError."""
        member = team.member(profile)
        if member is None and profile != CALL:
            names = [CALL, *(each.profile for each in team.members)]
            raise NotFoundError("member", profile, names, f"{team.name} has {', '.join(names)}")
        staff = TeamStaff(self._house, team, model=None, rehearsal=None)
        if member is None:
            system = supervisor_prompt(team)
            opening = request_text(task, team.members[: team.supervisor.shortlist])
        else:
            system = member_prompt(member, team.instructions)
            shelf = self._house.shelf(self._home.profile(team.name, profile))
            can_read = "skill_view" in staff.toolset(member).names
            skills = shelf.preview(task, member.skills) if task and can_read else ""
            opening = brief_text(Brief(task), today=datetime.now(UTC).date(), skills=skills)
        tools = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in first_schemas(staff, team, profile)
        ]
        sent = "\n".join([system, opening, json.dumps(tools, ensure_ascii=False)])
        return FirstRequest(
            messages=[
                {"role": "system", "content": system},
                {"role": "user", "content": opening},
            ],
            tools=tools,
            tokens=count_tokens(sent),
            tokenizer=TOKENIZER,
        )

    def _need_model(self, team: Team, target: str | None) -> None:
        """Raise PersonError naming the ways to get a model, before there is a run to fail."""
        member = team.member(target) if target else None
        if not (member.models if member else team.supervisor_models):
            self._house.default_model()

    def _team_run(
        self, run: str, team: Team, request: Request, exchange: Exchange, watch: Watcher
    ) -> TeamRun:
        rehearsal = None if request.rehearsal is None else Path(request.rehearsal)
        staff = TeamStaff(self._house, team, model=request.model, rehearsal=rehearsal)
        self._staffs[run] = staff
        return TeamRun(
            run,
            team,
            request,
            owner=request.target or CALL,
            staff=staff,
            ledger=self._ledger,
            exchange=exchange,
            watch=watch,
        )

    def _target(self, team: Team, name: str | None) -> str | None:
        if name is None or name == CALL:
            return None
        member = team.member(name)
        if member is None:
            names = [each.profile for each in team.members]
            raise NotFoundError("member", name, names, f"{team.name} has {', '.join(names)}")
        return member.profile

    def _row(self, record: RunRecord) -> RunRow:
        record = self._counted(record)
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

    def _counted(self, record: RunRecord) -> RunRecord:
        """The record with what the run has used by now, which is entered only when it is settled.

        A profile whose home cannot be read is left out.
        """
        if record.state not in ("queued", "running"):
            return record
        steps, spent = record.steps, Spent(record.usage, record.cost_usd)
        with suppress(HomeError):
            steps, spent = used(self._journals(record), record.id)
        return replace(record, steps=steps, usage=spent.usage, cost_usd=spent.cost_usd)

    def _journals(self, record: RunRecord) -> Sequence[Journal]:
        """Of all who have something of the run."""
        members = self._ledger.members(record.id)
        profiles = {record.owner, *(member.profile for member in members)}
        homes = [self._home.profile(record.team, profile) for profile in profiles]
        return [Journal(self._house.database(home)) for home in homes if home.memory_db.exists()]

    def _task(self, record: RunRecord) -> str:
        """One broken profile hides the tasks of its own runs only."""
        try:
            messages = self._conversations(record).of_run(record.id)
        except HomeError:
            return f"(the home of {record.team}/{record.owner} cannot be read)"
        return short(messages[0].text, 80) if messages else ""

    def _result(self, record: RunRecord, members: Sequence[MemberRecord]) -> RunResult:
        journal = self._journal(record)
        ending = journal.get(record.id, RUN, "outcome")
        said = self._conversations(record).of_run(record.id)
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
            artifacts=tuple(self._exchange(record).published()),
            error=ending.payload["error"] if ending else None,
            questions=tuple(open_questions(journal, record.id)),
            denied=bool(ending and ending.payload.get("denied")),
        )

    def _journal(self, record: RunRecord) -> Journal:
        return Journal(self._house.database(self._home.profile(record.team, record.owner)))

    def _conversations(self, record: RunRecord) -> Conversations:
        return self._said(record.team, record.owner)

    def _said(self, team: str, profile: str) -> Conversations:
        return Conversations(self._house.database(self._home.profile(team, profile)))

    def _sweep(self) -> None:
        """Forget what can no longer be resumed, and what a crash has kept from being forgotten."""
        for record in self._ledger.stale(self._house.settings.keep_unfinished_days):
            # A broken profile is in the way of its own runs only.
            with suppress(HomeError, RunBusyError), self._hold(record):
                self._forget(record)

    def _forget(self, record: RunRecord) -> None:
        """Drop what a resume would need; what was said stays with the profiles, and why it failed,
        too.
        """
        for journal in self._journals(record):
            ending = journal.get(record.id, RUN, "outcome")
            journal.drop(record.id)
            if ending is not None and ending.payload["error"]:
                journal.intend(record.id, RUN, "outcome", ending.payload)
        members = self._ledger.members(record.id)
        for profile in {record.owner, *(member.profile for member in members)}:
            home = self._home.profile(record.team, profile)
            shutil.rmtree(home.workspace / record.id, ignore_errors=True)
        self._exchange(record).drop_inputs()
        self._ledger.forget(record.id)

    def _exchange(self, record: RunRecord) -> Exchange:
        return Exchange(self._home.run_folder(record.team, record.id))

    def _hold(self, record: RunRecord) -> AbstractContextManager[None]:
        return lock.hold(self._home.run_folder(record.team, record.id), record.id)


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _workflow(team: Team, name: str) -> Workflow:
    if name not in team.workflows:
        raise NotFoundError("workflow", name, team.workflows, f"it is looked for in {team.source}")
    return team.workflows[name]


def _choose(run: str, questions: Sequence[Question], wanted: str | None) -> Question:
    if not questions:
        raise PersonError(f"run {run} asks nothing right now; see: retinue runs show {run}")
    if wanted is not None:
        for question in questions:
            if question.id == wanted:
                return question
        ids = [question.id for question in questions]
        raise NotFoundError("question", wanted, ids, f"run {run} asks {', '.join(ids)}")
    if len(questions) > 1:
        listed = "; ".join(f"{question.id}: {question.text}" for question in questions)
        raise PersonError(f"run {run} asks several things; choose with --question: {listed}")
    return questions[0]
