"""What a person writes under `workflows:` and what can be wrong in it; `team.workflow` runs it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.errors import nearest
from orchestrator.profile.template import Path, Template, TemplateError


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(Frozen):
    """`repeat:` runs the step again until the condition holds, at most `most` times."""

    until: str | None = None
    """An expression over `inputs`, `steps` and `result` (this attempt), e.g.
    `{{ result.output.verdict == "pass" }}`. None: only a person's no repeats the step.
    """
    most: int = Field(default=3, ge=1, le=20)


class Step(Frozen):
    """One step. Templates `{{ … }}` read `inputs.<name>`, `steps.<id>.answer`,
    `steps.<id>.output.<field>`, `item`.
    """

    id: str = Field(pattern=r"^[a-z0-9_-]{1,63}$")
    agent: str | None = None
    """A profile of the team; None: the supervisor chooses, as it would for a message."""
    prompt: str = ""
    needs: tuple[str, ...] = ()
    """Steps that must be finished first; references in templates count by themselves."""
    for_each: str | None = None
    """A template that gives a list; the step runs once per `item`, in parallel."""
    when: str | None = None
    """A condition; when it is false the step is skipped."""
    repeat: Repeat | None = None
    approve: str | None = None
    """What a person is asked before the steps that need this one go on; with `prompt` empty the
    step only asks.
    """
    output: Mapping[str, Any] | None = None
    """JSON schema of the answer (type object); the member must return it, else the step fails."""

    @property
    def only_asks(self) -> bool:
        return not self.prompt.strip()

    def templates(self) -> Iterator[tuple[str, str]]:
        """Key and text of every template of the step."""
        places = [
            ("for_each", self.for_each),
            ("when", self.when),
            ("prompt", self.prompt),
            ("repeat.until", self.repeat.until if self.repeat else None),
            ("approve", self.approve),
        ]
        return ((key, text) for key, text in places if text is not None)


class Workflow(Frozen):
    description: str = ""
    inputs: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    """Names and default values; null means the person must give it."""
    steps: tuple[Step, ...]
    answer: str | None = None
    """Template of the run's answer; None: the answers of the last steps."""


Finding = tuple[str, str, str]
"""Key below the workflow (`steps.2.prompt`), the problem, a hint (may be empty)."""

CONDITIONS = frozenset({"for_each", "when", "repeat.until"})
"""Templates that must be one expression, since their value counts and not their text."""


def dependencies(workflow: Workflow) -> dict[str, frozenset[str]]:
    """For each step the steps it waits for: those it needs and those its templates read."""
    known = {step.id for step in workflow.steps}
    return {step.id: frozenset(_referred(step)) & known for step in workflow.steps}


def check(workflow: Workflow, members: frozenset[str]) -> list[Finding]:
    """Everything wrong with the workflow; `members` are the names a step's `agent` may have."""
    return list(_Check(workflow, members).findings())


def _referred(step: Step) -> Iterator[str]:
    yield from step.needs
    for _, text in step.templates():
        try:
            paths = Template.parse(text).paths
        except TemplateError:
            continue
        for path in paths:
            if path[0] == "steps" and len(path) > 1 and path[1] != step.id:
                yield path[1]


@dataclass(frozen=True)
class _Check:
    workflow: Workflow
    members: frozenset[str]

    def findings(self) -> Iterator[Finding]:
        yield from self._inputs()
        if not self.workflow.steps:
            yield "steps", "a workflow needs at least one step", ""
        yield from self._ids()
        for position, step in enumerate(self.workflow.steps):
            for key, problem, hint in (*self._shape(step), *self._names(step)):
                yield f"steps.{position}.{key}", problem, hint
        if self.workflow.answer is not None:
            for problem, hint in self._template("answer", self.workflow.answer, None):
                yield "answer", problem, hint
        yield from self._cycle()

    def _inputs(self) -> Iterator[Finding]:
        for name, default in self.workflow.inputs.items():
            try:
                json.dumps(default)
            except (TypeError, ValueError):
                yield f"inputs.{name}", f"{default!r} is not plain data", "put it in quotes"

    def _ids(self) -> Iterator[Finding]:
        first: dict[str, int] = {}
        for position, step in enumerate(self.workflow.steps):
            if first.setdefault(step.id, position) != position:
                hint = f"step {first[step.id] + 1} has it already"
                yield f"steps.{position}.id", f"the id {step.id!r} is used twice", hint

    def _shape(self, step: Step) -> Iterator[Finding]:
        """Keys that do not go together."""
        if step.only_asks:
            if step.agent is not None:
                yield "prompt", f"{step.agent!r} is not told what to do", "give the step a prompt"
            elif step.approve is None:
                hint = "give it a prompt, or something to approve"
                yield "id", f"step {step.id!r} has nothing to do", hint
            for key in ("for_each", "repeat", "output"):
                if getattr(step, key) is not None:
                    yield key, "a step without a prompt only asks a person", "give it a prompt"
        if step.repeat and step.repeat.until is None and (step.approve is None or step.for_each):
            yield "repeat", "nothing says when to stop", 'add `until: "{{ … }}"`'
        if step.repeat and step.for_each and step.approve is not None:
            hint = "ask in a step of its own that needs this one"
            yield "approve", "cannot be combined with both `for_each` and `repeat`", hint
        if step.output is not None and step.output.get("type") != "object":
            hint = "list the fields under `properties:`"
            yield "output", "the schema must have `type: object`", hint
        elif step.output is not None and not isinstance(step.output.get("properties", {}), Mapping):
            yield "output.properties", "must be a mapping of fields to their schemas", ""

    def _names(self, step: Step) -> Iterator[Finding]:
        if step.agent == "supervisor":
            yield "agent", "the supervisor only chooses", "leave `agent` out and it will"
        elif step.agent is not None and step.agent not in self.members:
            yield "agent", f"no member {step.agent!r}", _near(step.agent, self.members)
        known = {other.id for other in self.workflow.steps}
        for number, need in enumerate(step.needs):
            if need not in known:
                yield f"needs.{number}", f"no step {need!r}", _near(need, known)
        for key, text in step.templates():
            for problem, hint in self._template(key, text, step):
                yield key, problem, hint

    def _template(self, key: str, text: str, step: Step | None) -> Iterator[tuple[str, str]]:
        try:
            template = Template.parse(text)
        except TemplateError as error:
            yield error.problem, error.hint
            return
        if key in CONDITIONS and not template.is_expression:
            yield "must be one expression and nothing else", 'write "{{ … }}"'
        known = _variables(key, step)
        for name in sorted(template.names - known):
            yield f"no name {name!r} here", _unknown_name(name, known)
        for path in dict.fromkeys(template.paths):
            yield from self._path(key, path, step)

    def _path(self, key: str, path: Path, step: Step | None) -> Iterator[tuple[str, str]]:
        match path:
            case ("inputs", name, *_) if name not in self.workflow.inputs:
                yield f"no input {name!r}", _near(name, self.workflow.inputs)
            case ("steps",):
                yield "`steps` needs the id of a step", "write steps.<id>.answer"
            case ("steps", name, *_) if step is not None and name == step.id:
                yield (
                    f"step {name!r} reads its own result",
                    "`until` and `approve` have it as `result`",
                )
            case ("steps", name, *fields):
                found = next((other for other in self.workflow.steps if other.id == name), None)
                if found is None:
                    yield f"no step {name!r}", self._near_step(name)
                else:
                    yield from _field(f"steps.{name}", found, fields, whole=True)
            case ("result", *fields) if step is not None:
                yield from _field("result", step, fields, whole=key == "approve")
            case _:
                pass

    def _near_step(self, name: str) -> str:
        known = [step.id for step in self.workflow.steps]
        dashed = next((step for step in known if step.startswith(f"{name}-")), None)
        return f'write steps["{dashed}"], as "-" is minus' if dashed else _near(name, known)

    def _cycle(self) -> Iterator[Finding]:
        try:
            TopologicalSorter(dependencies(self.workflow)).prepare()
        except CycleError as error:
            ring = cast("list[str]", error.args[1])
            position = [step.id for step in self.workflow.steps].index(ring[0])
            yield f"steps.{position}.needs", f"steps wait in a circle: {' → '.join(ring)}", ""


def _variables(key: str, step: Step | None) -> frozenset[str]:
    """The names a template may read, by where it stands."""
    names = {"inputs", "steps"}
    if step is not None and key in ("prompt", "repeat.until"):
        names |= {"item", "index"} if step.for_each else set()
        names |= {"result"} if step.repeat else set()
    if step is not None and key == "approve" and not step.only_asks:
        names |= {"result"}
    return frozenset(names)


def _unknown_name(name: str, known: Iterable[str]) -> str:
    match name:
        case "item" | "index":
            return "only a step with `for_each` has it, in `prompt` and `until`"
        case "result":
            return "only `until`, `approve`, and the prompt of a step with `repeat` have it"
        case _:
            return _near(name, known)


def _field(prefix: str, step: Step, fields: list[str], *, whole: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with reading `fields` of a step's result; `whole`: of all items together."""
    if not fields:
        return
    all_items = whole and step.for_each is not None
    has = {"state", "answer", "artifacts"}
    has |= {"comment"} if step.approve is not None else set()
    has |= {"results", "failed"} if all_items else set()
    has |= {"output"} if step.output is not None and not all_items else set()
    properties = cast("Mapping[str, Any]", (step.output or {}).get("properties", {}))
    field, below = fields[0], fields[1:2]
    if field not in has:
        yield f"{prefix} has no {field!r}", _why_no_field(prefix, field, has, properties, all_items)
    elif field == "output" and below and properties and below[0] not in properties:
        yield f"{prefix}.output has no {below[0]!r}", _near(below[0], properties)


def _why_no_field(
    prefix: str, field: str, has: Iterable[str], properties: Mapping[str, Any], all_items: bool
) -> str:
    if all_items and (field == "output" or field in properties):
        return f"the step runs for each item; {prefix}.results lists them"
    if field in properties:
        return f"write {prefix}.output.{field}"
    needed = {"output": "output", "results": "for_each", "failed": "for_each", "comment": "approve"}
    return f"the step has no `{needed[field]}`" if field in needed else _near(field, has)


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    if near := nearest(name, names):
        return "did you mean " + " or ".join(repr(one) for one in near) + "?"
    return "there is " + ", ".join(names[:12]) if names else ""
