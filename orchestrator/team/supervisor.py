"""The supervisor: gives work to members, in code where it is plain, by one model call where not."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from pydantic import ValidationError

from orchestrator.agent.calls import malformed
from orchestrator.agent.dialogue import Dialogue
from orchestrator.agent.graph import walk
from orchestrator.agent.remembered import Recollection, Remembered
from orchestrator.agent.seat import Control
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.engine.journal import Journal
from orchestrator.errors import LimitReached, Question, nearest
from orchestrator.events import PersonAsked, Routed, RunState, Watcher
from orchestrator.model.base import Meter, Model
from orchestrator.profile.schema import Member, Team
from orchestrator.team.base import MemberCaller
from orchestrator.team.limits import Hops
from orchestrator.team.routing import Candidate, Router, clear_winner
from orchestrator.team.supervisor_prompt import TOOLS, Ask, Assign, request_text, system_prompt

CALL = "supervisor"

_REFUSALS = 3
"""Hand-offs refused in a row after which the run ends."""
_EMPTY = 2
"""Empty replies in a row after which the run ends."""


@dataclass(frozen=True)
class Outcome:
    """How the team's work on one request ended."""

    state: RunState
    answer: str
    questions: tuple[Question, ...] = ()
    error: str | None = None
    """Why the work is not done, when it is not."""
    denied: bool = False
    """It is not done because a person said no; a resume would find the same."""


@dataclass(frozen=True)
class Desk:
    """What the supervisor works with in one run."""

    team: Team
    run: str
    person: str
    """Who asks."""
    model: Callable[[], Model]
    """Opened only when a model has to decide."""
    journal: Journal
    router: Callable[[], Router]
    caller: MemberCaller
    meter: Meter
    control: Control
    watch: Watcher
    follow_up: bool = False
    """Whether something was said in the session before."""
    recollection: Recollection | None = None


class _Handoff(TypedDict):
    lead: _Lead
    profile: str
    brief: Brief
    call: str


class _State(TypedDict):
    lead: _Lead
    results: Annotated[list[MemberResult], operator.add]
    handoffs: list[_Handoff]


@cache
def _graph() -> Any:
    """The supervisor as a LangGraph graph: decide, members in parallel, decide, …"""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def decide(state: _State) -> dict[str, Any]:
        return {"handoffs": await state["lead"].decide(state["results"])}

    async def member(handoff: _Handoff) -> dict[str, Any]:
        return {"results": [await handoff["lead"].hand_over(handoff)]}

    def fan_out(state: _State) -> Any:
        return [Send("member", handoff) for handoff in state["handoffs"]] or END

    graph: Any = StateGraph(_State)
    graph.add_node("decide", decide)
    graph.add_node("member", member)
    graph.add_edge(START, "decide")
    graph.add_conditional_edges("decide", fan_out, ["member", END])
    graph.add_edge("member", "decide")
    return graph.compile()


async def supervise(desk: Desk, task: str, target: str | None) -> Outcome:
    """Work on one request to its end; `target` is the profile the person addressed.

    Raises RunCancelled, and what the supervisor's model raises for lack of a model.
    """
    lead = _Lead(desk, task, target)
    rounds = 2 * desk.team.limits.hops + 2 * desk.team.limits.steps + 10
    try:
        await walk(_graph(), _State(lead=lead, results=[], handoffs=[]), most_rounds=rounds)
    except LimitReached as error:
        return Outcome("limited", lead.so_far(), error=str(error))
    return lead.outcome


class _Lead:
    """The state of one request: who has been asked what, and what came of it."""

    def __init__(self, desk: Desk, task: str, target: str | None) -> None:
        self.outcome = Outcome("failed", "the supervisor did not start")
        self._desk = desk
        self._task = task
        self._target = target
        self._hops = Hops(desk.team.limits)
        self._calls: Counter[str] = Counter()
        self._dialogue: Dialogue | None = None
        self._candidates: Sequence[Member] = ()
        self._remembered = Remembered()
        self._awaited: dict[str, ToolCall] = {}
        """The model's tool call behind each member call whose result is awaited."""
        self._results: Sequence[MemberResult] = ()
        self._refusals = 0
        self._empty = 0

    async def decide(self, results: Sequence[MemberResult]) -> list[_Handoff]:
        """Who works next; nobody once the outcome is settled."""
        self._desk.control.check()
        new, self._results = results[len(self._results) :], list(results)
        if not new:
            return await self._first()
        questions = tuple(question for result in new for question in result.questions)
        if questions:
            return self._end("waiting", "; ".join(q.text for q in questions), questions)
        if self._dialogue is None:
            return self._pass_on(new[0])
        await self._tell(self._dialogue, new)
        return await self._ask_model(self._dialogue)

    async def hand_over(self, handoff: _Handoff) -> MemberResult:
        """The member's result. A failure that the model has replied to stands after a crash too;
        any other is tried anew.
        """
        profile, call = handoff["profile"], handoff["call"]
        if self._dialogue is not None and self._dialogue.is_replaying:
            told = self._desk.journal.get(self._desk.run, CALL, f"told/{call}")
            if told is not None:
                files = tuple(told.payload.pop("artifacts"))
                return MemberResult(profile, call, **told.payload, artifacts=files)
        return await self._desk.caller(profile, handoff["brief"], call)

    async def _tell(self, dialogue: Dialogue, results: Sequence[MemberResult]) -> None:
        """Put the results before the model, in the order in which it asked for them."""
        awaited = list(self._awaited)
        for result in sorted(results, key=lambda result: awaited.index(result.call)):
            dialogue.messages.append(_result_message(self._awaited[result.call], result))
            if result.state != "completed" and not dialogue.is_replaying:
                payload = {
                    "state": result.state,
                    "text": result.text,
                    "steps": result.steps,
                    "artifacts": list(result.artifacts),
                }
                step = f"told/{result.call}"
                await asyncio.to_thread(
                    self._desk.journal.intend, self._desk.run, CALL, step, payload
                )

    def so_far(self) -> str:
        """The members' results up to now, for a run that ends early."""
        done = [result for result in self._results if result.state == "completed"]
        return "\n\n".join(f"{result.profile}: {result.text}" for result in done)

    def _pass_on(self, result: MemberResult) -> list[_Handoff]:
        """A member's own result as the outcome."""
        if result.state == "completed":
            return self._end("completed", result.text)
        self.outcome = Outcome(result.state, "", error=result.text)
        return []

    async def _first(self) -> list[_Handoff]:
        direct = await self._route()
        if direct is not None:
            brief = Brief(goal=self._task, person=self._desk.person, direct=True)
            self._hops.allow(direct, brief)
            return [self._handoff(direct, brief, self._number(direct))]
        return await self._ask_model(self._begin())

    async def _route(self) -> str | None:
        """The profile that plainly has to do it, by address or meaning; None: a model decides."""
        entry = self._desk.journal.get(self._desk.run, CALL, "route")
        payload: dict[str, Any]
        if entry is None:
            payload = await asyncio.to_thread(self._plain_route)
            if payload["profile"] is None:
                payload["remembered"] = await self._remember()
            await asyncio.to_thread(
                self._desk.journal.finish, self._desk.run, CALL, "route", payload
            )
            if payload["profile"] is not None:
                self._routed([payload["profile"]], payload["rule"], payload["reason"])
        else:
            payload = entry.payload
        if payload["profile"] is None:
            named = [self._desk.team.member(name) for name in payload["shortlist"]]
            self._candidates = [member for member in named if member is not None]
            self._remembered = Remembered.from_payload(payload.get("remembered", {}))
        return payload["profile"]

    def _plain_route(self) -> dict[str, Any]:
        team = self._desk.team
        if self._target is not None:
            return _decided(self._target, "addressed", "the person named it")
        if len(team.members) == 1:
            return _decided(team.members[0].profile, "only-member", "the team has one member")
        candidates: Sequence[Candidate] = [Candidate(member, 0) for member in team.members]
        decidable = team.supervisor.margin is not None and not self._desk.follow_up
        if decidable or len(team.members) > team.supervisor.shortlist:
            candidates = self._desk.router().shortlist(self._task, team.supervisor.shortlist)
        winner = clear_winner(self._task, candidates, team.supervisor.margin) if decidable else None
        if winner is not None:
            scores = ", ".join(f"{c.member.profile} {c.score:.2f}" for c in candidates[:3])
            return _decided(winner.profile, "margin", scores)
        shortlist = [candidate.member.profile for candidate in candidates]
        return {"profile": None, "rule": "model", "reason": "", "shortlist": shortlist}

    async def _remember(self) -> dict[str, Any]:
        """What goes before the request; kept with the route, the same after a crash."""
        recollection = self._desk.recollection
        if recollection is None:
            return {}
        window = self._desk.model().window
        remembered = await asyncio.to_thread(recollection.before_turn, self._task, window)
        return remembered.payload()

    def _begin(self) -> Dialogue:
        desk = self._desk
        model = desk.model()
        self._dialogue = Dialogue(
            model.bind(TOOLS),
            model.window,
            desk.journal,
            run=desk.run,
            call=CALL,
            address=f"{desk.team.name}/{CALL}",
            meter=desk.meter,
            watch=desk.watch,
        )
        request = request_text(self._task, self._candidates, self._remembered.recalled)
        messages = self._remembered.before(request)
        self._dialogue.begin([SystemMessage(system_prompt(desk.team)), *messages])
        return self._dialogue

    async def _ask_model(self, dialogue: Dialogue) -> list[_Handoff]:
        """Ask until the reply gives work to somebody or ends the request."""
        while True:
            self._desk.control.check()
            used_up = self._hops.used_up
            message = await dialogue.ask(tool_choice="none" if used_up else "auto")
            if message.tool_calls and not used_up:
                self._empty = 0
                handoffs, waiting = await self._take_calls(dialogue, message.tool_calls)
                if waiting or handoffs:
                    return handoffs
                if self._refusals >= _REFUSALS:
                    return self._stop("limited", "the supervisor keeps repeating itself")
                continue
            if message.text.strip():
                if not used_up:
                    return self._end("completed", message.text.strip())
                hops = self._desk.team.limits.hops
                error = f"the run has used its {hops} hand-offs"
                self.outcome = Outcome("limited", message.text.strip(), error=error)
                return []
            wrong = _unusable(message)
            self._empty += 1
            if self._empty >= _EMPTY:
                dialogue.take_back()
                why = f"the supervisor's model gave no usable reply, twice: {wrong}"
                return self._stop("failed", why)
            dialogue.messages[-1] = AIMessage("(no answer)")
            told = f"({wrong[0].upper()}{wrong[1:]}. Assign, or answer.)"
            dialogue.messages.append(HumanMessage(told))

    async def _take_calls(
        self, dialogue: Dialogue, calls: Sequence[ToolCall]
    ) -> tuple[list[_Handoff], bool]:
        """Turn the reply's calls into hand-offs; True when a person must answer first."""
        self._awaited = {}
        handoffs: list[_Handoff] = []
        questions: list[Question] = []
        for index, tool_call in enumerate(calls):
            if tool_call["name"] == "ask_person":
                question = await self._ask_person(f"{dialogue.steps}/{index}", tool_call)
                questions += [question] if question else []
                continue
            brief = self._read_brief(tool_call)
            if isinstance(brief, str):
                self._refusals += 1
                dialogue.messages.append(_tool_message(tool_call, brief, failed=True))
                continue
            profile, content = brief
            self._refusals = 0
            call = self._number(profile)
            self._awaited[call] = tool_call
            handoffs.append(self._handoff(profile, content, call))
        if questions:
            self._end("waiting", "; ".join(q.text for q in questions), tuple(questions))
            return [], True
        if handoffs:
            profiles = [handoff["profile"] for handoff in handoffs]
            self._routed(profiles, "model", "; ".join(h["brief"].goal for h in handoffs))
        return handoffs, False

    def _read_brief(self, tool_call: ToolCall) -> tuple[str, Brief] | str:
        """The member and its brief, or why this cannot be done."""
        names = [member.profile for member in self._desk.team.members]
        if tool_call["name"] != "assign":
            return f"there is no tool {tool_call['name']!r}; there are assign and ask_person"
        try:
            wanted = Assign.model_validate(tool_call["args"])
        except ValidationError as error:
            first = error.errors()[0]
            return f"assign: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        member = self._desk.team.member(wanted.member.strip().lstrip("@").lower())
        if member is None:
            near = nearest(wanted.member, names) or names[:8]
            return f"there is no member {wanted.member!r}; there are {', '.join(near)}"
        brief = Brief(
            goal=wanted.goal,
            context=wanted.context,
            constraints=wanted.constraints,
            expected=wanted.expected,
            person=self._desk.person,
            words=self._task[:1500],
        )
        if self._hops.used_up:
            return "no hand-offs are left; answer with what you have"
        if not self._hops.allow(member.profile, brief):
            return f"{member.profile} has had this very brief before; use its result, or answer"
        return member.profile, brief

    async def _ask_person(self, step: str, tool_call: ToolCall) -> Question | None:
        """Append the person's answer, or return the question that stands open."""
        assert self._dialogue is not None
        try:
            asked = Ask.model_validate(tool_call["args"])
        except ValidationError as error:
            self._refusals += 1
            text = f"ask_person: {error.errors()[0]['msg']}"
            self._dialogue.messages.append(_tool_message(tool_call, text, failed=True))
            return None
        desk = self._desk
        question = Question(f"{CALL}/ask/{step}", CALL, asked.question, "question", asked.options)
        entry = desk.journal.get(desk.run, CALL, f"ask/{step}")
        if entry is None:
            answer = desk.control.answer(question.id)
            if answer is None:
                desk.watch(
                    PersonAsked(
                        desk.run, CALL, question.id, question.text, "question", question.options
                    )
                )
                return question
            payload = {"text": answer.text or answer.decision or ""}
            await asyncio.to_thread(desk.journal.finish, desk.run, CALL, f"ask/{step}", payload)
        else:
            payload = entry.payload
        self._dialogue.messages.append(_tool_message(tool_call, payload["text"]))
        return None

    def _handoff(self, profile: str, brief: Brief, call: str) -> _Handoff:
        return {"lead": self, "profile": profile, "brief": brief, "call": call}

    def _number(self, profile: str) -> str:
        self._calls[profile] += 1
        return f"{profile}#{self._calls[profile]}"

    def _routed(self, profiles: Sequence[str], rule: str, reason: str) -> None:
        self._desk.watch(Routed(self._desk.run, tuple(profiles), rule, reason))

    def _stop(self, state: RunState, error: str) -> list[_Handoff]:
        """End without an answer of its own, with what members did."""
        self.outcome = Outcome(state, self.so_far(), error=error)
        return []

    def _end(
        self, state: RunState, answer: str, questions: tuple[Question, ...] = ()
    ) -> list[_Handoff]:
        self.outcome = Outcome(state, answer, questions)
        return []


def _unusable(message: AIMessage) -> str:
    """What is wrong with a reply that neither gives work to anybody nor answers."""
    if message.invalid_tool_calls:
        return malformed(message.invalid_tool_calls[0])
    if message.tool_calls:
        return "tools are called though no hand-off is left"
    return "the reply was empty"


def _decided(profile: str, rule: str, reason: str) -> dict[str, Any]:
    return {"profile": profile, "rule": rule, "reason": reason, "shortlist": []}


def _result_message(tool_call: ToolCall, result: MemberResult) -> ToolMessage:
    failed = result.state != "completed"
    text = f"({result.state}) {result.text}" if failed else result.text
    if result.artifacts:
        text += f"\nFiles: {', '.join(result.artifacts)}"
    return _tool_message(tool_call, text, failed=failed)


def _tool_message(tool_call: ToolCall, text: str, *, failed: bool = False) -> ToolMessage:
    return ToolMessage(
        content=text,
        tool_call_id=tool_call["id"] or "",
        name=tool_call["name"],
        status="error" if failed else "success",
        artifact={"empty": False},
    )
