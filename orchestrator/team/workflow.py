"""Runs the workflows of a team: a graph of steps that can be killed anywhere and replayed.

Nothing is checkpointed. A replay goes through the graph from its start and asks for the same member
calls, approvals and routes under the same ids; what is finished answers from the run journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.agent.graph import walk
from orchestrator.errors import NotFoundError, PersonError, Question
from orchestrator.events import RunState, Watcher
from orchestrator.profile.template import Template, TemplateError, kind_of
from orchestrator.profile.workflow import Workflow, dependencies
from orchestrator.team.base import MemberCaller
from orchestrator.team.workflow_graph import State, compile_workflow
from orchestrator.team.workflow_result import UNFINISHED, Results, StepResult, to_values
from orchestrator.team.workflow_step import Ask, Route, StepRunner


@dataclass(frozen=True)
class WorkflowResult:
    """What a workflow came to."""

    state: RunState
    answer: str
    """The workflow's answer; where it is not completed, what there is so far."""
    steps: Mapping[str, StepResult]
    questions: tuple[Question, ...] = ()
    """Open questions, when `state` is `waiting`."""
    error: str | None = None
    denied: bool = False
    """It failed by nothing but a person's no."""


async def run_workflow(
    workflow: Workflow,
    inputs: Mapping[str, object],
    *,
    run: str,
    call: MemberCaller,
    ask: Ask,
    route: Route,
    watch: Watcher,
    person: str = "person",
    parallel: int = 4,
) -> WorkflowResult:
    """Run a workflow that `check` found sound, with the inputs `resolve_inputs` gave; `parallel`
    member calls at most at a time. To resume, run it again with callables that remember.
    """
    runner = StepRunner(
        workflow,
        inputs,
        run=run,
        call=call,
        ask=ask,
        route=route,
        watch=watch,
        person=person,
        parallel=parallel,
    )
    graph = compile_workflow(workflow, runner)
    most_rounds = 3 * len(workflow.steps) + 1
    state: State = await walk(graph, State(results={}, items={}), most_rounds=most_rounds)
    return _concluded(workflow, inputs, state["results"])


def resolve_inputs(workflow: Workflow, given: Mapping[str, object]) -> dict[str, object]:
    """The inputs of a run: what was given, else the defaults. Text given where the default is of
    another kind is read as JSON. Raises PersonError.
    """
    for name in given:
        if name not in workflow.inputs:
            raise NotFoundError("input", name, workflow.inputs, _list_inputs(workflow))
    missing = [
        name for name, default in workflow.inputs.items() if default is None and name not in given
    ]
    if missing:
        wanted = ", ".join(f"{name}=…" for name in missing)
        raise PersonError(f"the workflow needs {wanted}; give it with --input")
    return {
        name: _read_input(name, given[name], default) if name in given else default
        for name, default in workflow.inputs.items()
    }


def _read_input(name: str, value: object, default: object) -> object:
    if default is None:
        return value
    if isinstance(value, str) and not isinstance(default, str):
        try:
            read: object = json.loads(value)
        except ValueError:
            read = value
    else:
        read = value
    if kind_of(read) != kind_of(default):
        example = json.dumps(default, ensure_ascii=False)
        raise PersonError(
            f"input {name!r} must be {kind_of(default)}, like {example}; got {value!r}"
        )
    return read


def _list_inputs(workflow: Workflow) -> str:
    names = ", ".join(workflow.inputs)
    return f"the workflow takes {names}" if names else "the workflow takes no inputs"


def _concluded(
    workflow: Workflow, inputs: Mapping[str, object], results: Results
) -> WorkflowResult:
    steps = {step.id: results[step.id] for step in workflow.steps}
    state = _state(steps)
    reasons = [f"step {name!r}: {r.error}" for name, r in steps.items() if r.state == state]
    error = None if state in ("completed", "waiting") else "; ".join(reasons)
    answer = _last_answers(workflow, steps)
    if state == "completed" and workflow.answer is not None:
        try:
            answer = Template.parse(workflow.answer).render(to_values(inputs, steps))
        except TemplateError as unwritten:
            state, error = "failed", f"answer: {unwritten}"
    questions = tuple(question for result in steps.values() for question in result.questions)
    failed = [result for result in steps.values() if result.state == "failed"]
    denied = bool(failed) and all(result.denied for result in failed)
    return WorkflowResult(state, _with_losses(answer, steps), steps, questions, error, denied)


def _state(steps: Results) -> RunState:
    states = {result.state for result in steps.values()}
    for state in UNFINISHED:
        if state in states:
            return state
    return "failed" if "failed" in states else "completed"


def _last_answers(workflow: Workflow, steps: Results) -> str:
    """The answers of the last steps; for one that has none, those of the steps it needs."""
    needs = dependencies(workflow)
    asking = {step.id for step in workflow.steps if step.only_asks}
    looking = set(steps) - frozenset[str]().union(*needs.values())
    last: set[str] = set()
    seen: set[str] = set()
    while looking:
        name = looking.pop()
        seen.add(name)
        if steps[name].answer and name not in asking:
            last.add(name)
        else:
            looking |= needs[name] - seen
    return "\n\n".join(result.answer for name, result in steps.items() if name in last)


def _with_losses(answer: str, steps: Results) -> str:
    """The answer, and what it had to do without."""
    lost = [
        f"- {name}: {result.error}"
        for name, result in steps.items()
        if result.error and result.state in ("failed", "completed")
    ]
    return "\n".join([answer, "", "Not done:", *lost]).lstrip() if lost else answer
