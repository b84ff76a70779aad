"""Running one tool call so that a crash never runs it twice, and a person can decide about it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from langchain_core.messages import InvalidToolCall
from langchain_core.messages.tool import ToolCall

from orchestrator.agent.seat import Answer, Assignment, Seat, Think
from orchestrator.agent.spending import ASIDE, Spent
from orchestrator.errors import PersonNeeded, Question
from orchestrator.events import PersonAnswered, ToolFinished, ToolStarted
from orchestrator.memory import Thinker
from orchestrator.model.base import Account, Usage
from orchestrator.text.unicode import well_formed
from orchestrator.tool.base import ToolContext
from orchestrator.tool.toolset import Call, CallResult

_RESULT_CHARS = 12_000
"""What of one result the model reads; the middle of a longer one is left out."""


class Calls:
    """The tool calls of one member call. A step is `<number of the reply>/<index of the call>`."""

    def __init__(self, seat: Seat, assignment: Assignment, call: str, person: str) -> None:
        self._seat = seat
        self._in = assignment
        self._run = assignment.run
        self._call = call
        self._context = ToolContext(
            address=seat.member.address,
            run=assignment.run,
            workdir=assignment.workdir,
            sandbox=seat.sandbox,
            timeout_seconds=seat.member.sandbox.timeout_seconds,
            allowed_hosts=seat.member.allowed_hosts,
            secrets=seat.secrets,
            search_url=seat.search_url,
            cache=seat.cache,
            call=call,
            changing=seat.changing,
            shelf=seat.shelf,
            conversations=seat.past,
            people=seat.people,
            person=person,
            message=seat.conversations.number(assignment.run, f"{call}/brief"),
            forget=partial(seat.forget, person, assignment.run) if seat.forget else None,
            thinker=partial(self._thinker, seat.think) if seat.think else None,
        )

    def _thinker(self, think: Think) -> Thinker:
        """The member's model, on the account of the run."""
        account = Account(self._run, self._seat.member.address, self._in.meter)

        def paid(usage: Usage, cost_usd: Decimal | None) -> None:
            step = f"{ASIDE}{secrets.token_hex(8)}"
            spent = Spent(usage, cost_usd).to_dict()
            self._seat.journal.finish(self._run, self._call, step, spent)

        return think(account, paid)

    async def judge(self, step: str, tool_call: ToolCall) -> CallResult | Question | None:
        """Before it runs: None to go on, a denial, or the question a person must answer first."""
        call = self._unwrap(tool_call)
        verdict = self._seat.policy.decide(
            call.tool, call.arguments, self._seat.toolset.paths(call, self._context)
        )
        if verdict == "allow":
            return None
        if verdict == "deny":
            return CallResult("denied", f"{call.tool} is not allowed by this profile's approvals")
        profile = self._seat.member.profile
        question = Question(
            f"{self._call}/approve/{step}",
            profile,
            f"May {profile} run {call.tool}({_clip(_listed(call.arguments))})?",
            "approval",
            ("approve", "deny"),
        )
        answer = await self._decision(f"approve/{step}", question)
        if answer is None:
            return question
        if answer.decision == "approve":
            return None
        comment = f": {answer.text}" if answer.text else ""
        return CallResult("denied", f"a person said no{comment}")

    async def run(
        self, step: str, tool_call: ToolCall, instead: CallResult | None = None
    ) -> CallResult | Question:
        """The call's committed result; `instead` is committed in place of running it."""
        call = self._unwrap(tool_call)
        entry = self._seat.journal.get(self._run, self._call, f"tool/{step}")
        if entry is not None and entry.done:
            return CallResult.from_dict(entry.payload)
        if instead is None and entry is not None and not self._seat.toolset.idempotent(call):
            resolved = await self._resolve_unknown(step, call)
            if isinstance(resolved, Question):
                return resolved
            instead = resolved
        if instead is not None:
            return await self._commit(step, call, instead)
        what = {"tool": call.tool, "arguments": dict(call.arguments)}
        await asyncio.to_thread(
            self._seat.journal.intend, self._run, self._call, f"tool/{step}", what
        )
        self._in.watch(
            ToolStarted(
                run=self._run,
                profile=self._seat.member.profile,
                call_id=f"{self._call}/tool/{step}",
                tool=call.tool,
                summary=one_line(call.arguments),
            )
        )
        try:
            result = await self._seat.toolset.run(call, self._context)
        except PersonNeeded as needed:
            asked = needed.questions[0]
            question = Question(
                f"{self._call}/tool/{step}",
                self._seat.member.profile,
                asked.text,
                asked.kind,
                asked.options,
            )
            answer = await self._decision(f"ask/{step}", question)
            if answer is None:
                return question
            result = CallResult("ok", answer.text or answer.decision or "")
        return await self._commit(step, call, result)

    def idempotent(self, tool_call: ToolCall) -> bool:
        return self._seat.toolset.idempotent(self._unwrap(tool_call))

    def before(self, index: int, tool_calls: Sequence[ToolCall]) -> Sequence[int]:
        """Which calls of a reply must have ended before that one begins."""
        prints = [
            self._seat.toolset.footprint(self._unwrap(each), self._context)
            for each in tool_calls[: index + 1]
        ]
        return [place for place in range(index) if prints[place].clashes(prints[index])]

    def _unwrap(self, tool_call: ToolCall) -> Call:
        return self._seat.toolset.unwrap(tool_call["name"], tool_call["args"])

    async def _resolve_unknown(self, step: str, call: Call) -> CallResult | Question | None:
        """A crash cut the call off; None once a person has said to run it again."""
        question = Question(
            f"{self._call}/unknown/{step}",
            self._seat.member.profile,
            f"{call.tool}({_clip(_listed(call.arguments))}) was running when the process died; "
            "nobody knows whether it took effect. Approve to run it again, deny to go on without "
            "it, or say what came of it.",
            "unknown",
            ("approve", "deny"),
        )
        answer = await self._decision(f"unknown/{step}", question)
        if answer is None:
            return question
        if answer.decision == "approve":
            return None
        said = f"; a person says: {answer.text}" if answer.text else ""
        return CallResult("unknown", f"cut off by a crash and not run again{said}")

    async def _decision(self, step: str, question: Question) -> Answer | None:
        """The person's answer, committed to the journal once it is there."""
        entry = self._seat.journal.get(self._run, self._call, step)
        if entry is not None:
            return Answer(entry.payload["text"], entry.payload["decision"])
        answer = self._in.control.answer(question.id)
        if answer is None:
            return None
        payload = {"text": answer.text, "decision": answer.decision}
        await asyncio.to_thread(self._seat.journal.finish, self._run, self._call, step, payload)
        said = answer.decision or answer.text
        self._in.watch(PersonAnswered(self._run, question.profile, question.id, said))
        return answer

    async def _commit(self, step: str, call: Call, result: CallResult) -> CallResult:
        """Make the result part of the history and of the journal, then show it."""
        text = _clip(well_formed(result.text))
        result = CallResult(result.outcome, text, result.data, result.empty, result.files)
        await asyncio.to_thread(self._record, step, call, result)
        self._in.watch(
            ToolFinished(
                run=self._run,
                profile=self._seat.member.profile,
                call_id=f"{self._call}/tool/{step}",
                tool=call.tool,
                outcome=result.outcome,
                preview=short(text),
            )
        )
        return result

    def _record(self, step: str, call: Call, result: CallResult) -> None:
        self._seat.conversations.append(
            self._in.session,
            run=self._run,
            key=f"{self._call}/tool/{step}",
            peer=call.tool,
            kind="tool",
            text=result.text,
            tokens=len(result.text) // 4,
            extra=_facts(call, result),
        )
        self._seat.journal.finish(self._run, self._call, f"tool/{step}", result.to_dict())


def malformed(call: InvalidToolCall) -> str:
    """What is wrong with a call that cannot even be read."""
    if not call["name"]:
        return "a tool call names no tool"
    what = f"the arguments of the call of {call['name']}"
    try:
        json.loads(call["args"] or "")
    except ValueError as error:
        return f"{what} are not JSON ({error})"
    return f"{what} must be a JSON object, not {short(call['args'] or '', 40)}"


def _facts(call: Call, result: CallResult) -> dict[str, Any]:
    """What of a call is remembered beside its text."""
    told = {} if call.tool == "forget" else dict(call.arguments)  # else it would stay after all
    facts: dict[str, Any] = {"arguments": told, "outcome": result.outcome}
    if "exit_code" in result.data:
        facts["exit_code"] = result.data["exit_code"]
    return facts


def one_line(arguments: Mapping[str, Any]) -> str:
    """Arguments for a person's eyes."""
    return short(_listed(arguments))


def _listed(arguments: Mapping[str, Any]) -> str:
    """Every argument in full: what a person decides about must not hide behind an ellipsis."""
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())


def short(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _clip(text: str) -> str:
    if len(text) <= _RESULT_CHARS:
        return text
    half = _RESULT_CHARS // 2
    return f"{text[:half]}\n… {len(text) - _RESULT_CHARS} characters left out …\n{text[-half:]}"
