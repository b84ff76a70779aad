"""The agent loop: query the model, approve, run the tools, until the model answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from sqlite3 import DatabaseError
from typing import Any, Literal, TypedDict, cast

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import ToolCall

from orchestrator.agent.calls import Calls, malformed
from orchestrator.agent.compress import DECIDED
from orchestrator.agent.dialogue import Dialogue
from orchestrator.agent.figures import untraced
from orchestrator.agent.graph import walk
from orchestrator.agent.prompt import NUDGE, brief_text
from orchestrator.agent.remembered import Recollection, Remembered
from orchestrator.agent.seat import Assignment, Seat
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import LimitReached, Question, RetinueError, RunCancelled
from orchestrator.events import MemberState, PersonAsked, Warned
from orchestrator.memory import Turn
from orchestrator.tool.toolset import CallResult

_log = logging.getLogger(__name__)

Next = Literal["model", "approve", "tools", "end"]

_STUMBLES = 3
"""Unusable replies in a row after which the member gives up."""
_RECENT_TURNS = 4
"""Earlier turns that skills are looked for with."""
_REPEATS = 3
"""Times the very same calls may follow themselves."""


class _State(TypedDict):
    turn: _Turn
    next: Next


@cache
def _graph() -> Any:
    """The loop as a LangGraph graph, compiled once: recall, model, approve, tools, model, …"""
    from langgraph.graph import END, START, StateGraph

    async def recall(state: _State) -> dict[str, Next]:
        return {"next": await state["turn"].recall()}

    async def model(state: _State) -> dict[str, Next]:
        return {"next": await state["turn"].ask_model()}

    async def approve(state: _State) -> dict[str, Next]:
        return {"next": await state["turn"].approve()}

    async def tools(state: _State) -> dict[str, Next]:
        return {"next": await state["turn"].run_tools()}

    def following(state: _State) -> str:
        return END if state["next"] == "end" else state["next"]

    graph: Any = StateGraph(_State)
    graph.add_node("recall", recall)
    graph.add_node("model", model)
    graph.add_node("approve", approve)
    graph.add_node("tools", tools)
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "model")
    for node in ("model", "approve", "tools"):
        graph.add_conditional_edges(node, following, ["model", "approve", "tools", END])
    return graph.compile()


async def work(
    seat: Seat, assignment: Assignment, brief: Brief, call: str
) -> tuple[MemberResult, Sequence[str]]:
    """One member at one brief: its result, and the workspace files its tools wrote.

    Called again with the same `call` after a crash, it goes on where it was. Raises RunCancelled.
    """
    turn = _Turn(seat, assignment, brief, call)
    limits = seat.member.limits
    try:
        async with asyncio.timeout(limits.minutes * 60):
            rounds = 10 * limits.steps + 20
            await walk(_graph(), _State(turn=turn, next="model"), most_rounds=rounds)
    except TimeoutError:
        turn.stop(f"{seat.member.profile} ran out of time after {limits.minutes:g} minutes")
    except LimitReached as error:
        turn.stop(str(error))
    except RunCancelled:
        raise
    except RetinueError as error:
        turn.end("failed", str(error))
    except Exception as error:
        _log.exception("member %s failed in run %s", seat.member.address, assignment.run)
        turn.end("failed", f"internal error in {seat.member.address}: {error!r}")
    return turn.result(), turn.written()


class _Turn:
    """The state of one member call; the graph's nodes are its methods."""

    def __init__(self, seat: Seat, assignment: Assignment, brief: Brief, call: str) -> None:
        self._seat = seat
        self._in = assignment
        self._run = assignment.run
        self._brief = brief
        self._call = call
        self._calls = Calls(seat, assignment, call, brief.person)
        self._dialogue = Dialogue(
            seat.model,
            seat.window,
            seat.journal,
            run=assignment.run,
            call=call,
            address=seat.member.address,
            meter=assignment.meter,
            watch=assignment.watch,
            tokens=seat.member.limits.tokens,
        )
        self._denied: dict[int, CallResult] = {}
        self._results: list[CallResult] = []
        self._stumbles = 0
        self._same_calls: tuple[str, int] = ("", 0)
        """The last reply's calls as text, and how often they have followed themselves."""
        self._must_answer = False
        self._state: MemberState = "failed"
        self._text = "the member did not start"
        self._output: Mapping[str, Any] | None = None
        self._questions: Sequence[Question] = ()

    async def recall(self) -> Next:
        """Build the first messages; the same ones after a crash, whatever has changed since."""
        entry = self._seat.journal.get(self._run, self._call, "recall")
        payload: dict[str, Any]
        if entry is not None:
            payload = entry.payload
        else:
            remembered = await asyncio.to_thread(self._remember)
            payload = {**remembered.payload(), "brief": await self._opening(remembered)}
            await asyncio.to_thread(
                self._seat.journal.finish, self._run, self._call, "recall", payload
            )
        messages = Remembered.from_payload(payload).before(payload["brief"])
        self._dialogue.begin([SystemMessage(self._seat.system), *messages])
        return "model"

    async def _opening(self, remembered: Remembered) -> str:
        files, tables = "", ""
        names = set(self._seat.toolset.names)
        if self._in.workdir and names & {"read", "list", "grep", "query_table"}:
            entries = await self._seat.sandbox.list(self._in.workdir, recursive=True)
            prefix = f"{self._in.workdir}/"
            files = _file_line([e.path.removeprefix(prefix) for e in entries if not e.folder])
        if files and "query_table" in names:
            from orchestrator.tool.builtin.table import table_cards

            tables = await table_cards(self._seat.sandbox, self._in.workdir)
        return brief_text(
            self._brief,
            today=datetime.now(UTC).date(),
            files=files,
            tables=tables,
            recalled=remembered.recalled,
            skills=await asyncio.to_thread(self._skills, remembered.turns),
            nudge=NUDGE if self._is_time_to_write() else "",
        )

    def _skills(self, turns: Sequence[Turn]) -> str:
        """Cards of the skills that fit the brief and what was said before it."""
        shelf = self._seat.shelf
        if shelf is None or "skill_view" not in self._seat.toolset.names:
            return ""
        query = "\n".join(part for part in (self._brief.goal, self._brief.context) if part)
        recent = [turn.text for turn in turns[-_RECENT_TURNS:]]
        try:
            recalled = shelf.recall(
                query,
                recent,
                run=self._run,
                task=self._call,
                preferred=self._seat.member.skills,
            )
        except (RetinueError, OSError, DatabaseError) as error:
            told = f"its skills cannot be searched: {error}; mend it with retinue skill reindex"
            self._in.watch(Warned(self._run, self._seat.member.profile, told))
            return ""
        return recalled.text

    def _is_time_to_write(self) -> bool:
        """Whether this turn of the session is one of those that ask for a skill."""
        every = self._seat.nudge_turns
        if not every or not self._brief.direct or not self._seat.toolset.finds("skill_write"):
            return False
        turns = self._seat.conversations.turns(self._in.session)
        return turns > 0 and turns % every == 0

    def _remember(self) -> Remembered:
        """What of the memory goes into the prompt: of a person who speaks to this member, also the
        turns before; of one it works for, a few notes.
        """
        seat, brief = self._seat, self._brief
        if seat.memory is None:
            return Remembered()
        recollection = Recollection(
            seat.memory,
            seat.member.memory,
            brief.person,
            self._in.session,
            self._run,
            lambda told: self._in.watch(Warned(self._run, seat.member.profile, told)),
        )
        if brief.direct:
            return recollection.before_turn(brief.goal, seat.window)
        return recollection.for_work(f"{brief.goal}\n{brief.words}", seat.window)

    async def ask_model(self) -> Next:
        """One model call, then what follows from it."""
        self._in.control.check()
        limits = self._seat.member.limits
        if self._dialogue.steps >= limits.steps:
            return self.stop(f"stopped after {limits.steps} steps")
        message = await self._dialogue.ask(
            tool_choice="none" if self._must_answer else "auto", output=self._brief.output
        )
        if message.invalid_tool_calls:
            wrong = malformed(message.invalid_tool_calls[0])
            return self._stumble(f"{wrong}; make it again", why=wrong)
        if message.tool_calls and not self._must_answer:
            self._stumbles = 0
            return "approve"
        if message.tool_calls and not message.text.strip():
            return self._stumble(
                "no tool is called any more; answer now with what you have",
                why="it keeps calling tools after it was told to answer",
            )
        if not message.text.strip():
            return self._stumble(
                "your reply was empty; answer, or call a tool", why="its reply was empty"
            )
        return self._answer(message.text.strip())

    def _answer(self, text: str) -> Next:
        if self._brief.output is not None:
            parsed = _parse(text, self._brief.output)
            if isinstance(parsed, str):
                wrong = f"does not fit the schema: {parsed}"
                return self._stumble(f"your answer {wrong}; answer again", f"its answer {wrong}")
            self._output = parsed
        sources = [message.text for message in self._dialogue.messages[:-1]]
        missing = untraced(text, sources) if self._results else ()
        if missing:
            told = f"figures that no tool and no brief gave: {', '.join(missing)}"
            self._in.watch(Warned(self._run, self._seat.member.profile, told))
        return self.end("completed", text)

    def _stumble(self, told: str, why: str) -> Next:
        """Tell the model what was unusable in its reply, a few times; `why` is for the person."""
        self._stumbles += 1
        if self._stumbles >= _STUMBLES:
            self._dialogue.take_back()
            return self.end("failed", f"the model gave no usable reply {_STUMBLES} times: {why}")
        text = self._dialogue.last.text.strip() or "(no answer)"
        self._dialogue.messages[-1] = AIMessage(text)
        self._dialogue.messages.append(HumanMessage(f"({told[0].upper()}{told[1:]}.)"))
        return "model"

    async def approve(self) -> Next:
        """Decide every call of the reply before any of them runs."""
        self._denied.clear()
        questions: list[Question] = []
        for index, tool_call in enumerate(self._dialogue.last.tool_calls):
            judged = await self._calls.judge(f"{self._dialogue.steps}/{index}", tool_call)
            if isinstance(judged, Question):
                questions.append(judged)
            elif judged is not None:
                self._denied[index] = judged
        return self._wait(questions) if questions else "tools"

    async def run_tools(self) -> Next:
        """Run the calls of the reply and append their results, in order; in parallel, but for those
        that change a file another one needs.
        """
        self._in.control.check()
        calls = self._dialogue.last.tool_calls
        repeats = self._count_repeats(calls)
        try:
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[CallResult | Question | None]] = []
                for index, tool_call in enumerate(calls):
                    before = [tasks[place] for place in self._calls.before(index, calls)]
                    running = self._run_call(index, tool_call, repeats, before)
                    tasks.append(group.create_task(running))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        outcomes = [task.result() for task in tasks]
        questions = [outcome for outcome in outcomes if isinstance(outcome, Question)]
        if questions:
            return self._wait(questions)
        results = cast("list[CallResult]", outcomes)
        self._results += results
        for tool_call, result in zip(calls, results, strict=True):
            self._dialogue.messages.append(_tool_message(tool_call, result))
        if repeats >= _REPEATS:
            self._must_answer = True
            self._dialogue.messages.append(
                HumanMessage("(You repeat the same call. Answer now with what you have.)")
            )
        return "model"

    async def _run_call(
        self,
        index: int,
        tool_call: ToolCall,
        repeats: int,
        before: Sequence[asyncio.Task[CallResult | Question | None]],
    ) -> CallResult | Question | None:
        """None: it was not run, for one that must come before it waits for a person."""
        for earlier in before:
            if not isinstance(await earlier, CallResult):
                return None
        instead = self._denied.get(index)
        if instead is None and repeats > 1 and self._calls.idempotent(tool_call):
            instead = CallResult("retry", "the same call as before; its result stands above")
        return await self._calls.run(f"{self._dialogue.steps}/{index}", tool_call, instead)

    def _count_repeats(self, calls: Sequence[ToolCall]) -> int:
        """How often these very calls have now followed themselves, this time included."""
        text = json.dumps([(call["name"], call["args"]) for call in calls], sort_keys=True)
        before, count = self._same_calls
        self._same_calls = (text, count + 1 if text == before else 1)
        return self._same_calls[1]

    def _wait(self, questions: Sequence[Question]) -> Next:
        for question in questions:
            self._in.watch(
                PersonAsked(
                    run=self._run,
                    profile=question.profile,
                    question_id=question.id,
                    question=question.text,
                    asks_for=question.kind,
                    options=question.options,
                )
            )
        self._questions = questions
        return self.end("waiting", "; ".join(question.text for question in questions))

    def end(self, state: MemberState, text: str) -> Next:
        """Settle how the call ends."""
        self._state, self._text = state, text
        return "end"

    def stop(self, why: str) -> Next:
        """End at a limit, with what was done so far."""
        done = sum(result.outcome == "ok" for result in self._results)
        last = self._dialogue.last.text.strip() if self._dialogue.steps else ""
        told = f"{why}; {done} tool calls done" + (f"; last words: {last}" if last else "")
        return self.end("limited", told)

    def result(self) -> MemberResult:
        return MemberResult(
            profile=self._seat.member.profile,
            call=self._call,
            state=self._state,
            text=self._text,
            steps=self._dialogue.asked,
            output=self._output if self._state == "completed" else None,
            questions=tuple(self._questions) if self._state == "waiting" else (),
        )

    def written(self) -> Sequence[str]:
        """Workspace files that tools wrote on purpose."""
        return list(dict.fromkeys(file for result in self._results for file in result.files))


def _tool_message(tool_call: ToolCall, result: CallResult) -> ToolMessage:
    decided = tool_call["name"] == "ask_person" or result.outcome in ("denied", "unknown")
    return ToolMessage(
        content=result.text if result.outcome == "ok" else f"({result.outcome}) {result.text}",
        tool_call_id=tool_call["id"] or "",
        name=tool_call["name"],
        status="success" if result.outcome == "ok" else "error",
        artifact={"empty": result.empty},
        additional_kwargs={DECIDED: True} if decided else {},
    )


def _parse(text: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """The answer as an object of the schema, or what is wrong with it."""
    body = text.strip()
    if body.startswith("```"):
        body = body.strip("`").removeprefix("json").strip()
    try:
        value = json.loads(body)
    except ValueError as error:
        return f"not JSON ({error})"
    if not isinstance(value, dict):
        return "not a JSON object"
    data = cast("dict[str, Any]", value)
    missing = [name for name in schema.get("required", ()) if name not in data]
    return f"missing {', '.join(missing)}" if missing else data


def _file_line(paths: Sequence[str], most: int = 40) -> str:
    shown = ", ".join(paths[:most])
    return f"{shown}, and {len(paths) - most} more" if len(paths) > most else shown
