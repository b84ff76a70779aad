"""One step of a workflow: when it runs, what its member is told, when it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol, cast

from orchestrator.agent.seat import Answer
from orchestrator.agent.state import Brief
from orchestrator.errors import Question, RetinueError
from orchestrator.events import Routed, StepFinished, StepStarted, Watcher
from orchestrator.profile.template import Template, TemplateError, kind_of
from orchestrator.profile.workflow import Repeat, Step, Workflow, dependencies
from orchestrator.team.base import MemberCaller
from orchestrator.team.workflow_result import (
    ItemResult,
    Results,
    StepResult,
    Values,
    blocked,
    ended,
    joined,
    to_values,
)

MOST_ITEMS = 1_000
"""Items of one `for_each`."""


class Ask(Protocol):
    """What a person has said to a question; None: nothing yet. It tells of it, and remembers."""

    async def __call__(self, question: Question) -> Answer | None: ...


class Route(Protocol):
    """The profile that shall do what the prompt says; the same again for the same `call`."""

    async def __call__(self, prompt: str, call: str) -> str: ...


class StepRunner:
    """Runs the steps of one run of a workflow. Every failure is a `StepResult`, nothing is raised
    but cancellation; whatever has an effect goes through the callables it is given, under ids that
    are the same in every replay.
    """

    def __init__(
        self,
        workflow: Workflow,
        inputs: Mapping[str, object],
        *,
        run: str,
        call: MemberCaller,
        ask: Ask,
        route: Route,
        watch: Watcher,
        person: str,
        parallel: int,
    ) -> None:
        self._needs = dependencies(workflow)
        self._inputs = dict(inputs)
        self._run = run
        self._call = call
        self._ask = ask
        self._route = route
        self._watch = watch
        self._person = person
        self._places = asyncio.Semaphore(parallel)

    async def run(self, step: Step, results: Results) -> StepResult:
        """A step without `for_each`, from its condition to a person's approval."""
        early = self._begin(step, results)
        done = early or await self._repeat(step, step.id, self._values(results))
        return self._finish(step, done)

    def items(self, step: Step, results: Results) -> Sequence[object] | StepResult:
        """What a step with `for_each` goes over; a result where it does not run."""
        if early := self._begin(step, results):
            return self._finish(step, early)
        try:
            return _items(step.for_each or "", self._values(results))
        except TemplateError as error:
            return self._finish(step, ended(error))

    async def run_item(self, step: Step, index: int, item: object, results: Results) -> ItemResult:
        self._watch(StepStarted(self._run, step.id, index))
        values = {**self._values(results), "item": item, "index": index}
        result = await self._repeat(step, f"{step.id}[{index}]", values)
        self._watch(StepFinished(self._run, step.id, result.state, index))
        return ItemResult(index, item, result)

    async def join(self, step: Step, items: tuple[ItemResult, ...], results: Results) -> StepResult:
        """The result of a step with `for_each`, out of those of its items in their order."""
        result = joined(items)
        if result.state == "completed" and step.approve is not None:
            values = {**self._values(results), "result": result.values}
            try:
                result = await self._approve(step, step.id, result, values)
            except RetinueError as error:
                result = ended(error)
        return self._finish(step, result)

    def _begin(self, step: Step, results: Results) -> StepResult | None:
        """None when the step is to run now, else how it ends without."""
        if early := blocked({need: results[need] for need in sorted(self._needs[step.id])}):
            return early
        if step.when is not None:
            try:
                with _reading("when"):
                    wanted = Template.parse(step.when).holds(self._values(results))
            except TemplateError as error:
                return ended(error)
            if not wanted:
                return StepResult("skipped")
        self._watch(StepStarted(self._run, step.id))
        if step.agent is not None:
            self._watch(Routed(self._run, (step.agent,), "workflow", f"step {step.id}"))
        return None

    def _finish(self, step: Step, result: StepResult) -> StepResult:
        if result.state != "pending":
            self._watch(StepFinished(self._run, step.id, result.state))
        return result

    async def _repeat(self, step: Step, key: str, values: Values) -> StepResult:
        """Attempts until one is good, or fails in a way that another would not mend."""
        if step.repeat is None:
            return await self._attempt(step, key, values)
        result = StepResult("pending")
        for attempt in range(1, step.repeat.most + 1):
            last = result.values if attempt > 1 else None
            result = await self._attempt(step, f"{key}~{attempt}", {**values, "result": last})
            if not result.again:
                return result
        return replace(result, error=f"{result.error} (attempts: {step.repeat.most})")

    async def _attempt(self, step: Step, call: str, values: Values) -> StepResult:
        """The member's work, held against `until`, then put to a person."""
        try:
            result = await self._work(step, call, values)
            if result.state != "completed":
                return result
            values = {**values, "result": result.values}
            if step.repeat and not _good_enough(step.repeat, values):
                return replace(result, state="failed", error="`until` did not hold", again=True)
            if step.approve is None or step.for_each is not None:
                return result
            return await self._approve(step, call, result, values)
        except RetinueError as error:
            return ended(error)

    async def _work(self, step: Step, call: str, values: Values) -> StepResult:
        if step.only_asks:
            return StepResult("completed")
        with _reading("prompt"):
            prompt = Template.parse(step.prompt).render(values).strip()
            if not prompt:
                raise TemplateError("gives no text")
        profile = step.agent or await self._route(prompt, call)
        brief = Brief(prompt, person=self._person, output=step.output)
        async with self._places:
            result = await self._call(profile, brief, call)
        if result.state != "completed":
            return StepResult(result.state, error=result.text, questions=result.questions)
        if step.output is not None and result.output is None:
            return StepResult(
                "failed", result.text, error="the answer is not of the form asked for"
            )
        return StepResult(
            "completed", result.text, output=result.output, artifacts=result.artifacts
        )

    async def _approve(
        self, step: Step, call: str, result: StepResult, values: Values
    ) -> StepResult:
        """Completed when a person says yes; a no, with their words in `comment`, fails."""
        with _reading("approve"):
            text = Template.parse(step.approve or "").render(values)
        asker = step.agent or "supervisor"
        question = Question(f"{call}/approve", asker, text, "approval", ("approve", "deny"))
        answer = await self._ask(question)
        if answer is None:
            return replace(result, state="waiting", questions=(question,))
        said = answer.text.strip()
        result = replace(result, comment=said, answer=said if step.only_asks else result.answer)
        if answer.decision == "approve":
            return result
        error = f"not approved: {said}" if said else "not approved"
        return replace(result, state="failed", error=error, again=True, denied=True)

    def _values(self, results: Results) -> Values:
        return to_values(self._inputs, results)


@contextmanager
def _reading(place: str) -> Generator[None]:
    """Says in which template of the step an error is."""
    try:
        yield
    except TemplateError as error:
        raise TemplateError(f"{place}: {error.problem}", error.hint) from error


def _good_enough(repeat: Repeat, values: Values) -> bool:
    with _reading("repeat.until"):
        return repeat.until is None or Template.parse(repeat.until).holds(values)


def _items(text: str, values: Values) -> list[object]:
    with _reading("for_each"):
        value = Template.parse(text).evaluate(values)
        if not isinstance(value, list):
            raise TemplateError(f"needs a list, not {kind_of(value)}")
        items = cast("list[object]", value)
        if len(items) > MOST_ITEMS:
            raise TemplateError(f"{len(items):,} items; at most {MOST_ITEMS:,}")
        return items
