"""Where the pieces are put together: the one door that front ends use."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from orchestrator.agent.prompt import brief_text
from orchestrator.agent.prompt import system_prompt as member_prompt
from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief
from orchestrator.chronicle import VERDICT, Chronicle, RunDetail, RunRow
from orchestrator.consulting import Consulting, Derived
from orchestrator.database import Database
from orchestrator.erasure import Erasure
from orchestrator.errors import (
    HomeError,
    NotFoundError,
    PersonError,
    Question,
    RunBusyError,
)
from orchestrator.events import Watcher
from orchestrator.home import Home, cache_folder
from orchestrator.index import TOKENIZER, count_tokens
from orchestrator.memory import AskAnswer, AskLevel
from orchestrator.model.providers import PROVIDERS
from orchestrator.profile import Vocabulary, Workflow, load_settings, load_team
from orchestrator.profile.schema import Team
from orchestrator.records import TeamRecords
from orchestrator.remembering import Remembering
from orchestrator.schooling import CLOSING, Schooling
from orchestrator.skill import Learner, Lesson, Libraries
from orchestrator.staff import House, TeamStaff, first_schemas
from orchestrator.team import lock
from orchestrator.team.audit import Audit
from orchestrator.team.base import RunResult
from orchestrator.team.files import Exchange
from orchestrator.team.ledger import Ledger, RunRecord
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
from orchestrator.text.unicode import well_formed
from orchestrator.tool.catalog import CORE, TOOLS

MOST_TASK_CHARS = 200_000
MOST_NAME_CHARS = 200

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
        self._chronicle = Chronicle(self._house, self._ledger)
        audit = Audit(database)
        self.erasure = Erasure(self._house, self._ledger, audit, self._chronicle)
        """Forgets for good what people want forgotten."""
        self._consulting = Consulting(self._house)
        self._remembering = Remembering(self._house, self._ledger, self.erasure)
        self._schooling = Schooling(self._house, self._ledger, self._chronicle)
        await asyncio.to_thread(self._sweep)
        await asyncio.to_thread(self.erasure.finish)
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
        _refuse_as_person(team, request.person)
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
        result = await entered.execute(warnings=warnings)
        await asyncio.to_thread(self.erasure.finish)
        return result

    async def resume(self, run: str, watch: Watcher, *, model: str | None = None) -> RunResult:
        """Go on with a run that was killed, waits, failed or hit a limit. Raises RunBusyError."""
        record = self._ledger.run(run)
        refuse_settled(record)
        request = read_request(self._chronicle.journal(record), record.id)
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
        taken_up = self._team_run(record.id, team, request, exchange, watch)
        result = await taken_up.execute(resumed=True)
        await asyncio.to_thread(self.erasure.finish)
        return result

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
        asked = _choose(
            record.id, open_questions(self._chronicle.journal(record), record.id), question
        )
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
            now = self._chronicle.counted(self._ledger.run(record.id))
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
        said = self._chronicle.conversations(record)
        messages = said.of_run(record.id)
        said.append(
            messages[0].session if messages else record.id,
            run=record.id,
            key=f"{VERDICT}{len(messages)}",
            peer="person",
            kind="said",
            text=f"({verdict}) {note}".rstrip(),
            tokens=len(note) // 4,
            extra={"verdict": verdict},
        )

    def closing(self, request: RunRequest) -> RunRequest | None:
        """At the end of a conversation: what asks the member to write down what it has learned;
        None where that is not worth a model call.
        """
        if request.target is None or request.session is None:
            return None
        if not self._schooling.is_worth_closing(request.team, request.target, request.session):
            return None
        return replace(request, task=CLOSING, workflow=None)

    async def remember(self) -> None:
        """See `Remembering.remember`."""
        await self._remembering.remember()

    async def derive(
        self, team: Team, profile: str, *, model: str | None, dream: bool, retry: bool
    ) -> Derived:
        """See `Consulting.derive`. Raises NotFoundError."""
        name = self._target(team, profile) or CALL
        return await self._consulting.derive(team, name, model=model, dream=dream, retry=retry)

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
        """See `Consulting.ask_about`. Raises NotFoundError."""
        name = self._target(team, profile) or CALL
        return await self._consulting.ask_about(
            team, name, person, question, level=level, model=model, evidence=evidence
        )

    async def learn(self, *, rehearsals: bool = False) -> Sequence[Lesson]:
        """See `Schooling.learn`."""
        return await self._schooling.learn(rehearsals=rehearsals)

    def learner(self, team: str, profile: str) -> Learner:
        """See `Schooling.learner`."""
        return self._schooling.learner(team, profile)

    def runs(self, *, team: str | None = None, state: str | None = None) -> Sequence[RunRow]:
        """See `Chronicle.runs`."""
        return self._chronicle.runs(team=team, state=state)

    def show(self, run: str) -> RunDetail:
        """See `Chronicle.show`."""
        return self._chronicle.show(run)

    def first_request(self, team: Team, profile: str, task: str = "") -> FirstRequest:
        """The exact first request of a profile, and its size. Raises NotFoundError."""
        member = team.member(profile)
        if member is None and profile != CALL:
            names = [CALL, *(each.profile for each in team.members)]
            raise NotFoundError("member", profile, names, f"{team.name} has {', '.join(names)}")
        staff = TeamStaff(self._house, team, model=None, rehearsal=None)
        home = self._home.profile(team.name, profile)
        known = self._house.memory(home).preview(task, team.memory(profile).context_tokens)
        if member is None:
            system = supervisor_prompt(team)
            some = team.members[: team.supervisor.shortlist]
            opening = request_text(task, some, known.recalled)
        else:
            system = member_prompt(member, team.instructions)
            shelf = self._house.shelf(home)
            can_read = "skill_view" in staff.toolset(member).names
            skills = shelf.preview(task, member.skills) if task and can_read else ""
            opening = brief_text(
                Brief(task),
                today=datetime.now(UTC).date(),
                recalled=known.recalled,
                skills=skills,
            )
        opening = "\n\n".join(text for text in (known.notes, opening) if text)
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

        def records(profile: str) -> TeamRecords:
            return TeamRecords(self._house, self.erasure, team, profile)

        staff = TeamStaff(
            self._house,
            team,
            model=request.model,
            rehearsal=rehearsal,
            forget=lambda profile: records(profile).forget_topic,
        )
        self._schooling.note(run, staff)
        self._remembering.note(run, staff)
        return TeamRun(
            run,
            team,
            request,
            owner=request.target or CALL,
            staff=staff,
            ledger=self._ledger,
            exchange=exchange,
            watch=watch,
            records=records(request.target or CALL),
        )

    def _target(self, team: Team, name: str | None) -> str | None:
        if name is None or name == CALL:
            return None
        member = team.member(name)
        if member is None:
            names = [each.profile for each in team.members]
            raise NotFoundError("member", name, names, f"{team.name} has {', '.join(names)}")
        return member.profile

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
        for journal in self._chronicle.journals(record):
            ending = journal.get(record.id, RUN, "outcome")
            journal.drop(record.id)
            if ending is not None and ending.payload["error"]:
                journal.intend(record.id, RUN, "outcome", ending.payload)
        members = self._ledger.members(record.id)
        for profile in {record.owner, *(member.profile for member in members)}:
            home = self._home.profile(record.team, profile)
            shutil.rmtree(home.workspace / record.id, ignore_errors=True)
        self._chronicle.exchange(record).drop_inputs()
        self._ledger.forget(record.id)

    def _hold(self, record: RunRecord) -> AbstractContextManager[None]:
        return lock.hold(self._home.run_folder(record.team, record.id), record.id)


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _refuse_as_person(team: Team, name: str) -> None:
    """Raise PersonError for a name that is none, or that would speak as one of the team."""
    if not name.strip() or len(name) > MOST_NAME_CHARS or name != well_formed(name):
        raise PersonError(f"{name[:50]!r} is no name of a person; give the id they have there")
    if name.casefold() in {f"{team.name}/{each}" for each in (CALL, *_profiles(team))}:
        raise PersonError(f"{name!r} is a member of the team; give the person another id")


def _profiles(team: Team) -> Sequence[str]:
    return [member.profile for member in team.members]


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
