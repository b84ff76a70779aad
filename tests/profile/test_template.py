"""What a template gives, and what it is kept from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.profile.template import Template, TemplateError

VALUES: dict[str, object] = {
    "inputs": {
        "topic": "tides & <storms>",
        "years": [2023, 2024],
        "none": None,
        "big": "x" * 9_999,
    },
    "steps": {
        "look": {"answer": "it rose", "output": {"items": [{"t": "a"}, {"t": "b"}], "keys": 2}},
        "fact-check": {"answer": "fine"},
        "trim": {"state": "skipped"},
    },
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("About {{ inputs.topic }}.", "About tides & <storms>."),
        ("{{ inputs.years }} {{ inputs.none }} {{ 1 == 1 }}", "[2023, 2024] null true"),
        ("{{ inputs.years | join(' and ') }}", "2023 and 2024"),
        ("{{ inputs.years | json }}", "[2023, 2024]"),
        ('{{ steps["fact-check"].answer }}', "fine"),
        ("{{ steps.look.output.items | map('t') | join }}", "a\nb"),
        ("{{ steps.look.output.keys + 1 }}", "3"),
        (
            "{{ inputs.years[0] }} {{ inputs.years | last }} {{ inputs.topic[:5] }}",
            "2023 2024 tides",
        ),
        ("{{ steps.trim.output.title | default('none') }}", "none"),
        ("{{ inputs.none | default('unset') }}", "unset"),
        ("{% if inputs.years | length > 1 %}many{% else %}one{% endif %}", "many"),
        (
            "{% for y in inputs.years %}\n{{ loop.index }}: {{ y }}\n{% endfor %}",
            "1: 2023\n2: 2024\n",
        ),
        ("no template", "no template"),
        ("", ""),
    ],
)
def test_a_template_writes_text_as_it_is_and_all_else_as_json(source: str, text: str) -> None:
    assert Template.parse(source).render(VALUES) == text


def test_an_expression_keeps_its_value() -> None:
    items = Template.parse(" {{ steps.look.output.items }} ")
    assert items.is_expression
    assert items.evaluate(VALUES) == [{"t": "a"}, {"t": "b"}]
    assert Template.parse("{{ '7' }}").evaluate(VALUES) == "7"
    assert not Template.parse("{{ inputs.topic }}!").is_expression


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("{{ 'tides' in inputs.topic and not inputs.none }}", True),
        ("{{ steps.trim.state == 'skipped' }}", True),
        ("{{ inputs.years }}", True),
        ("{{ [] }}", False),
        ("{{ steps.trim.answer is defined }}", False),
    ],
)
def test_a_condition_holds_or_not(source: str, holds: bool) -> None:
    assert Template.parse(source).holds(VALUES) is holds


def test_text_is_refused_as_a_condition() -> None:
    with pytest.raises(TemplateError, match="gives the text 'no', not true or false"):
        Template.parse("{{ 'no' }}").holds(VALUES)


def test_what_a_template_reads_is_known_before_it_runs() -> None:
    template = Template.parse(
        "{% for found in steps.look.results[0].items %}{{ found.t }}{{ other }}{% endfor %}"
        '{{ inputs["topic"] }}'
    )
    assert template.names == {"steps", "inputs", "other"}
    assert set(template.paths) == {("steps", "look", "results"), ("inputs", "topic"), ("other",)}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ inputs.topik }}", "there is no 'topik' here, only 'topic', 'years'"),
        ("{{ steps.trim.answer }}", "there is no 'answer' here, only 'state'"),
        ("{{ inputs.years[5] }}", "there is no 5 in a list"),
        ("{{ inputs.none.name }}", "there is no 'name' in nothing"),
        ("{{ nobody }}", "'nobody' is undefined"),
        ("{{ inputs.topic | join }}", "'join' needs a list, not text"),
        ("{% for c in inputs.topic %}{% endfor %}", "'for' needs a list, not text"),
        ("{{ inputs.topic < 3 }}", "not supported between"),
    ],
)
def test_a_value_that_is_not_there_is_an_error_that_names_it(source: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        Template.parse(source).render(VALUES)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ inputs.topic ", "unexpected end of template"),
        ("a\nb\n{{ | }}", "line 3 of the text: unexpected"),
        ("{{ inputs.topic | uper }}", "no filter 'uper' (there is upper)"),
        ("{{ inputs.topic is definde }}", "no test 'definde' (there is defined"),
        ("{{ inputs.topic.upper() }}", "nothing can be called"),
        ("{{ range(9) }}", "nothing can be called"),
        ("{% set x = 1 %}", "`assign` is not part of the template language"),
        ("{% include 'passwd' %}", "`include` is not part"),
        ("{% import 'os' as os %}", "`import` is not part"),
        ("{% macro m() %}{% endmacro %}", "`macro` is not part"),
        ("{{ 'a' * 1000000000 }}", "`mul` is not part"),
        ("{{ 9 ** 9 ** 9 }}", "`pow` is not part"),
        ("{{ '%1000000000d' % 1 }}", "`mod` is not part"),
        ("{% for steps in inputs.years %}{% endfor %}", "a loop cannot use the name 'steps'"),
        ("{{ " + "(" * 50_000 + " }}", "longer than 50,000 characters"),
        ("{{ " + "(" * 9_000 + "1" + ")" * 9_000 + " }}", "nested too deeply"),
        ("{{ " + "-" * 500 + "1 }}", "nested too deeply"),
    ],
)
def test_what_cannot_be_a_template_is_refused_unrendered(source: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template.parse(source)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ inputs.__class__.__mro__ }}",
        "{{ inputs.topic['__class__'] }}",
        "{{ inputs.topic.format }}",
        "{{ inputs.items }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ [inputs] | map('__class__') | join }}",
        "{{ inputs.years.append }}",
        "{% for y in inputs.years %}{{ loop }}{% endfor %}",
        "{% for y in inputs.years %}{{ loop.__class__ }}{% endfor %}",
        "{% for y in inputs.years %}{{ loop.changed }}{% endfor %}",
    ],
)
def test_nothing_but_data_can_be_reached(source: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(source).render(VALUES)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
            "rounds",
        ),
        ("{% for a in l %}{{ inputs.big }}{% endfor %}", "characters"),
        ("{{ l | join(inputs.big) | length }}", "characters"),
        ("{{ [" + "inputs.big, " * 200 + "] | json | length }}", "characters"),
        ("{{ " + " + ".join(["b"] * 30) + " }}", "characters"),
    ],
)
def test_a_template_cannot_grow_or_loop_without_bounds(source: str, problem: str) -> None:
    values = {**VALUES, "l": list(range(200)), "b": "x" * 50_000}
    with pytest.raises(TemplateError, match=problem):
        Template.parse(source).render(values)


def test_a_team_without_workflows_does_not_pay_for_the_template_library() -> None:
    code = "import sys, orchestrator.profile.workflow as w; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
