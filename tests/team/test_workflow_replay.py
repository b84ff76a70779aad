"""A workflow killed anywhere and run again ends as if nothing had happened, with nothing redone."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief, MemberResult
from orchestrator.errors import Question
from orchestrator.profile.workflow import Workflow, check
from orchestrator.team.workflow import WorkflowResult, run_workflow
from tests.team.workflow_cast import MEMBERS

IDS = "abcdef"


@dataclass
class World:
    """Members and a person whose finished work outlives the process, and a killer."""

    kills: list[int] = field(default_factory=list[int])
    """At which event of each process it is killed: a call begins, a call's result is stored, a
    route is chosen, a question is asked.
    """
    journal: dict[str, MemberResult] = field(default_factory=dict[str, MemberResult])
    routes: dict[str, str] = field(default_factory=dict[str, str])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    worked: Counter[str] = field(default_factory=Counter[str])
    """Finished member calls."""
    left: int | None = None
    process: asyncio.Task[WorkflowResult] | None = None

    async def call(self, profile: str, brief: Brief, call: str) -> MemberResult:
        await self.event()
        if call not in self.journal:
            score = sum(map(ord, brief.goal)) % 7
            state = "failed" if score == 0 else "completed"
            text = f"{call}: {len(brief.goal)}"
            self.journal[call] = MemberResult(profile, call, state, text, output={"n": score})
            self.worked[call] += 1
            await self.event()
        assert self.journal[call].profile == profile
        return self.journal[call]

    async def route(self, prompt: str, call: str) -> str:
        await self.event()
        return self.routes.setdefault(call, "writer")

    async def ask(self, question: Question) -> Answer | None:
        await self.event()
        return self.answers.get(question.id)

    async def event(self) -> None:
        await asyncio.sleep(0)
        if self.left is not None and self.process is not None:
            self.left -= 1
            if self.left < 0:
                if not self.process.cancelling():
                    self.process.cancel()
                await asyncio.Event().wait()

    async def run(self, flow: Workflow) -> WorkflowResult:
        """Processes, one after the other, until one is not killed."""
        for kill in [*self.kills, None]:
            self.left = kill
            self.process = asyncio.create_task(
                run_workflow(
                    flow,
                    flow.inputs,
                    run="r1",
                    call=self.call,
                    ask=self.ask,
                    route=self.route,
                    watch=lambda event: None,
                )
            )
            await asyncio.wait([self.process])
            if not self.process.cancelled():
                return self.process.result()
        raise AssertionError("the last process is never killed")

    async def finish(self, flow: Workflow) -> WorkflowResult:
        """Run, and answer what is asked, until nothing waits."""
        result = await self.run(flow)
        while result.state == "waiting":
            for question in result.questions:
                decision = "deny" if len(question.text) % 5 == 0 else "approve"
                self.answers[question.id] = Answer(f"{decision}: {question.id}", decision)
            result = await self.run(flow)
        return result


@st.composite
def flows(draw: st.DrawFn) -> Workflow:
    """Sound workflows of up to six steps, each reading some of those before it."""
    steps: list[dict[str, Any]] = []
    for position, name in enumerate(IDS[: draw(st.integers(2, 6))]):
        needs = draw(st.lists(st.sampled_from(IDS[:position]), unique=True)) if position else []
        reads = "".join(f"{{{{ steps.{need}.answer | default('-') }}}} " for need in needs)
        step: dict[str, Any] = {"id": name, "prompt": f"{name} {reads}"}
        step |= draw(st.sampled_from([{"agent": "writer"}, {"agent": "checker"}, {}]))
        extra = draw(st.sampled_from(["", "", "each", "when", "repeat", "approve", "ask", "back"]))
        output = {"type": "object", "properties": {"n": {"type": "integer"}}}
        match extra:
            case "each":
                step |= {"for_each": "{{ [1, 2, 3] }}", "prompt": f"{name}{{{{ item }}}} {reads}"}
            case "when" if needs:
                step["when"] = f"{{{{ steps.{needs[0]}.state == 'skipped' }}}}"
            case "repeat":
                until = {"until": "{{ result.output.n > 2 }}"}
                step |= {
                    "output": output,
                    "repeat": until,
                    "prompt": f"{name} {{{{ result }}}} {reads}",
                }
            case "approve":
                step["approve"] = "{{ result.answer }}?"
            case "ask":
                step = {"id": name, "needs": needs, "approve": f"go on to {name}?"}
            case "back":
                step |= {
                    "approve": "{{ result.answer }}?",
                    "repeat": {"most": 2},
                    "prompt": f"{name} {{{{ result }}}} {reads}",
                }
            case _:
                pass
        steps.append(step)
    return Workflow.model_validate({"steps": steps})


@settings(max_examples=60, deadline=None)
@given(flow=flows(), kills=st.lists(st.integers(0, 12), max_size=6))
def test_killed_anywhere_it_ends_the_same_and_does_nothing_twice(
    flow: Workflow, kills: list[int]
) -> None:
    assert check(flow, MEMBERS) == []
    undisturbed, killed = World(), World(kills)
    expected = asyncio.run(undisturbed.finish(flow))
    result = asyncio.run(killed.finish(flow))
    assert result == expected
    assert killed.journal == undisturbed.journal
    assert set(killed.worked.values()) <= {1}
