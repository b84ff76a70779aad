"""A workflow as a LangGraph graph: which step follows which, and the fan-out of `for_each`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, TypeVar

from orchestrator.profile.workflow import Step, Workflow, dependencies
from orchestrator.team.workflow_result import ItemResult, StepResult
from orchestrator.team.workflow_step import StepRunner

if TYPE_CHECKING:
    from langgraph.types import Command

K = TypeVar("K")
V = TypeVar("V")


def merged(one: Mapping[K, V], other: Mapping[K, V]) -> dict[K, V]:
    return {**one, **other}


class State(TypedDict):
    results: Annotated[dict[str, StepResult], merged]
    items: Annotated[dict[tuple[str, int], ItemResult], merged]


class ItemState(TypedDict):
    """What one item of a `for_each` is sent."""

    index: int
    item: object
    results: dict[str, StepResult]


def compile_workflow(workflow: Workflow, runner: StepRunner) -> Any:
    """The workflow as a graph: a step follows the steps it needs or reads, and those that do not
    need each other run side by side. Every step has its turn, so that no edge waits for ever; one
    that cannot run says so in its result.
    """
    from langgraph.graph import START, StateGraph

    graph: Any = StateGraph(State)
    needs = dependencies(workflow)
    last = {
        step.id: _add_step(graph, step, runner)
        if step.for_each is None
        else _add_for_each(graph, step, runner)
        for step in workflow.steps
    }
    for step in workflow.steps:
        before = [last[need] for need in sorted(needs[step.id])]
        graph.add_edge(before or START, f"step/{step.id}")
    return graph.compile()


def _add_step(graph: Any, step: Step, runner: StepRunner) -> str:
    async def work(state: State) -> dict[str, Any]:
        return {"results": {step.id: await runner.run(step, state["results"])}}

    graph.add_node(f"step/{step.id}", work)
    return f"step/{step.id}"


def _add_for_each(graph: Any, step: Step, runner: StepRunner) -> str:
    from langgraph.types import Command, Send

    first, each, last = (f"{node}/{step.id}" for node in ("step", "item", "join"))

    async def fan_out(state: State) -> Command[str]:
        items = runner.items(step, state["results"])
        if isinstance(items, StepResult):
            return Command(update={"results": {step.id: items}}, goto=last)
        sends = [
            Send(each, ItemState(index=index, item=item, results=state["results"]))
            for index, item in enumerate(items)
        ]
        return Command(goto=sends or last)

    async def work(state: ItemState) -> dict[str, Any]:
        result = await runner.run_item(step, state["index"], state["item"], state["results"])
        return {"items": {(step.id, result.index): result}}

    async def join(state: State) -> dict[str, Any]:
        if step.id in state["results"]:
            return {}
        items = [item for (owner, _), item in state["items"].items() if owner == step.id]
        items.sort(key=lambda item: item.index)
        return {"results": {step.id: await runner.join(step, tuple(items), state["results"])}}

    graph.add_node(first, fan_out, destinations=(each, last))
    graph.add_node(each, work, input_schema=ItemState)
    graph.add_node(last, join)
    graph.add_edge(each, last)
    return last
