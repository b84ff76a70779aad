"""What is found wrong with a workflow before it runs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml

from orchestrator.profile.workflow import Finding, Workflow, check, dependencies

MEMBERS = frozenset({"researcher", "writer"})


def findings(text: str) -> list[Finding]:
    return check(Workflow.model_validate(yaml.safe_load(text)), MEMBERS)


def test_a_sound_workflow_has_nothing_wrong_with_it() -> None:
    assert (
        findings(
            """
            inputs: {topics: [a], audience: null}
            steps:
              - id: look-up
                agent: researcher
                for_each: "{{ inputs.topics }}"
                prompt: "{{ index }} {{ item.n }} {% if result %}{{ result.output.gap }}{% endif %}"
                output: {type: object, properties: {gap: {type: string}}}
                repeat: {until: "{{ not result.output.gap and item }}"}
              - id: write
                agent: writer
                prompt: |
                  {{ inputs }}
                  {% for item in steps["look-up"].results %}{{ item.output.gap }}{% endfor %}
                  {% if result %}{{ result.comment }}{% endif %}
                approve: "{{ result.answer }}"
                repeat: {most: 2}
              - {id: ok, approve: "Sure? {{ steps.write.comment }}", needs: [write]}
              - {id: any, prompt: do it, when: "{{ steps.ok.answer == '' }}"}
            answer: "{{ steps.write.answer }} {{ steps.any.state }}"
            """
        )
        == []
    )


ONE = "steps: [{id: a, agent: writer, prompt: go, %s}]"
TWO = "steps: [{id: one, agent: writer, prompt: go}, {id: two, agent: writer, prompt: go, %s}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps: []", ("steps", "a workflow needs at least one step", "")),
        (
            "steps: [{id: a, prompt: go}, {id: b, prompt: go}, {id: a, prompt: go}]",
            ("steps.2.id", "the id 'a' is used twice", "step 1 has it already"),
        ),
        (
            "steps: [{id: a, agent: writter, prompt: go}]",
            ("steps.0.agent", "no member 'writter'", "did you mean 'writer'?"),
        ),
        (
            "steps: [{id: a, agent: supervisor, prompt: go}]",
            ("steps.0.agent", "the supervisor only chooses", "leave `agent` out and it will"),
        ),
        (
            "steps: [{id: a, agent: writer}]",
            ("steps.0.prompt", "'writer' is not told what to do", "give the step a prompt"),
        ),
        (
            "steps: [{id: a}]",
            (
                "steps.0.id",
                "step 'a' has nothing to do",
                "give it a prompt, or something to approve",
            ),
        ),
        (
            "steps: [{id: a, approve: ok, for_each: '{{ [1] }}'}]",
            ("steps.0.for_each", "a step without a prompt only asks a person", "give it a prompt"),
        ),
        (TWO % "needs: [ona]", ("steps.1.needs.0", "no step 'ona'", "did you mean 'one'?")),
        (
            ONE % "repeat: {most: 2}",
            ("steps.0.repeat", "nothing says when to stop", 'add `until: "{{ … }}"`'),
        ),
        (
            ONE % "approve: ok, for_each: '{{ [1] }}', repeat: {until: '{{ true }}'}",
            (
                "steps.0.approve",
                "cannot be combined with both `for_each` and `repeat`",
                "ask in a step of its own that needs this one",
            ),
        ),
        (
            ONE % "output: {properties: {a: {type: string}}}",
            (
                "steps.0.output",
                "the schema must have `type: object`",
                "list the fields under `properties:`",
            ),
        ),
        (
            ONE % "output: {type: object, properties: [a]}",
            ("steps.0.output.properties", "must be a mapping of fields to their schemas", ""),
        ),
        (
            "inputs: {day: 2024-05-01}\nsteps: [{id: a, prompt: go}]",
            ("inputs.day", "datetime.date(2024, 5, 1) is not plain data", "put it in quotes"),
        ),
        (
            "steps: [{id: a, prompt: 'x {{ oops'}]",
            (
                "steps.0.prompt",
                "unexpected end of template, expected 'end of print statement'.",
                "",
            ),
        ),
        (
            ONE % "when: inputs.x",
            ("steps.0.when", "must be one expression and nothing else", 'write "{{ … }}"'),
        ),
        (
            ONE % "for_each: 'all {{ [1] }}'",
            ("steps.0.for_each", "must be one expression and nothing else", 'write "{{ … }}"'),
        ),
        (
            "inputs: {topic: x}\nsteps: [{id: a, prompt: '{{ inputs.topics }}'}]",
            ("steps.0.prompt", "no input 'topics'", "did you mean 'topic'?"),
        ),
        (
            "steps: [{id: a, prompt: '{{ input.topic }}'}]",
            ("steps.0.prompt", "no name 'input' here", "did you mean 'inputs'?"),
        ),
        (
            "steps: [{id: a, prompt: '{{ item }}'}]",
            (
                "steps.0.prompt",
                "no name 'item' here",
                "only a step with `for_each` has it, in `prompt` and `until`",
            ),
        ),
        (
            "steps: [{id: a, prompt: '{{ result.answer }}'}]",
            (
                "steps.0.prompt",
                "no name 'result' here",
                "only `until`, `approve`, and the prompt of a step with `repeat` have it",
            ),
        ),
        (
            "steps: [{id: a, prompt: '{{ steps.a.answer }}'}]",
            (
                "steps.0.prompt",
                "step 'a' reads its own result",
                "`until` and `approve` have it as `result`",
            ),
        ),
        (
            TWO % "when: '{{ steps.on.answer }}'",
            ("steps.1.when", "no step 'on'", "did you mean 'one'?"),
        ),
        (
            "steps: [{id: a, prompt: go}]\nanswer: '{{ steps.b.answer }}'",
            ("answer", "no step 'b'", "there is a"),
        ),
        (
            "steps: [{id: a, prompt: '{{ steps | json }}'}]",
            ("steps.0.prompt", "`steps` needs the id of a step", "write steps.<id>.answer"),
        ),
        (
            TWO % "when: '{{ steps.one.answr }}'",
            ("steps.1.when", "steps.one has no 'answr'", "did you mean 'answer'?"),
        ),
        (
            TWO % "when: '{{ steps.one.output.ok }}'",
            ("steps.1.when", "steps.one has no 'output'", "the step has no `output`"),
        ),
        (
            TWO % "for_each: '{{ steps.one.results }}'",
            ("steps.1.for_each", "steps.one has no 'results'", "the step has no `for_each`"),
        ),
        (
            ONE
            % "output: {type: object, properties: {ok: {}}}, repeat: {until: '{{ result.ok }}'}",
            ("steps.0.repeat.until", "result has no 'ok'", "write result.output.ok"),
        ),
        (
            ONE
            % "output: {type: object, properties: {ok: {}}}, approve: '{{ result.output.okay }}'",
            ("steps.0.approve", "result.output has no 'okay'", "did you mean 'ok'?"),
        ),
        (
            "steps: [{id: a, for_each: '{{ [1] }}', prompt: go, output: {type: object}},"
            " {id: b, prompt: '{{ steps.a.output.x }}'}]",
            (
                "steps.1.prompt",
                "steps.a has no 'output'",
                "the step runs for each item; steps.a.results lists them",
            ),
        ),
    ],
)
def test_a_problem_is_named_with_its_place_and_what_to_do(text: str, expected: Finding) -> None:
    assert findings(text) == [expected]


def test_an_id_with_a_dash_is_explained() -> None:
    found = findings(
        """
        steps:
          - {id: fact-check, agent: writer, prompt: go}
          - {id: end, agent: writer, prompt: "{{ steps.fact-check.answer }}"}
        """
    )
    assert (
        "steps.1.prompt",
        "no step 'fact'",
        'write steps["fact-check"], as "-" is minus',
    ) in found


@pytest.mark.parametrize(
    ("steps", "ring"),
    [
        (
            [
                {"id": "write", "prompt": "{{ steps.check.answer }}"},
                {"id": "check", "prompt": "go", "needs": ["read"]},
                {"id": "read", "prompt": "go", "when": "{{ steps.write.answer == 'x' }}"},
            ],
            {"write", "check", "read"},
        ),
        ([{"id": "a", "prompt": "go", "needs": ["a"]}], {"a"}),
    ],
)
def test_steps_that_wait_in_a_circle_are_named_in_order(
    steps: list[dict[str, Any]], ring: set[str]
) -> None:
    flow = Workflow.model_validate({"steps": steps})
    [(key, problem, _)] = check(flow, MEMBERS)
    assert key.endswith(".needs")
    path = problem.removeprefix("steps wait in a circle: ").split(" → ")
    assert path[0] == path[-1]
    assert set(path) == ring
    needs = dependencies(flow)
    assert all(before in needs[after] for before, after in pairwise(path))


def test_every_problem_is_found_at_once() -> None:
    found = findings(
        """
        inputs: {topic: null}
        steps:
          - {id: a, agent: nobody, prompt: "{{ inputs.tropic }} {{ steps.c.answer }} {{ foo }}"}
          - {id: b, agent: writer, needs: [z], repeat: {until: "{{ (" }, prompt: go}
        answer: "{{ item }}"
        """
    )
    assert sorted(key for key, _, _ in found) == [
        "answer",
        "steps.0.agent",
        "steps.0.prompt",
        "steps.0.prompt",
        "steps.0.prompt",
        "steps.1.needs.0",
        "steps.1.repeat.until",
    ]
