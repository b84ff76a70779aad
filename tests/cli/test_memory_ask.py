"""`retinue memory ask` and `derive`, as a person types them."""

from __future__ import annotations

import pytest

from tests.cli.project import Project


@pytest.fixture
def told(project: Project) -> Project:
    project.play({"profile": "writer", "say": "Noted.", "repeat": True})
    project.rehearse(
        "run", "desk", "I live in Paris. On Sundays I hike.", "--to", "writer", "--session", "home"
    )
    return project


def test_without_a_model_the_evidence_is_shown_with_its_numbers(told: Project) -> None:
    shown = told.type("memory", "ask", "desk/writer", "Where does she live: Paris?", "--evidence")
    assert shown.code == 0
    assert "no synthesis: the evidence alone was asked for\n" in shown.out
    assert "person lives in Paris" in shown.out
    data = told.type("memory", "ask", "desk/writer", "Paris?", "--evidence", "--json").data
    assert (data["answer"], data["synthesis"], data["level"]) == ("", False, "low")
    assert {each["ref"][0] for each in data["cited"]} == {"c", "m"}
    least = told.type(
        "memory", "ask", "desk/writer", "Paris?", "--evidence", "--level", "minimal", "--json"
    ).data
    assert {each["ref"][0] for each in least["cited"]} == {"c"}


def test_why_there_is_no_answer_is_said(told: Project) -> None:
    note = told.type("memory", "ask", "desk/writer", "Paris?", "--json").data["note"]
    assert note.startswith("no synthesis: no model: no model is there; four ways to have one")


def test_what_nobody_told_is_not_known(told: Project) -> None:
    shown = told.type("memory", "ask", "desk/writer", "zebra", "--person", "bob", "--evidence")
    assert "nothing that is known of 'bob' fits" in shown.out


def test_a_script_answers_nothing(told: Project) -> None:
    typed = told.rehearse("memory", "ask", "desk/writer", "Paris?")
    assert typed.code == 2
    assert "plays a script" in typed.err
    assert told.type("memory", "derive", "desk/writer", "--model", "nobody/x").code == 2


def test_what_waits_for_a_model_is_told(told: Project) -> None:
    data = told.type("memory", "derive", "desk/writer", "--json").data
    assert (data["understood"], data["model"], data["queue"]["pending"]) == (0, None, 1)
    assert data["dream"]["why"] == "no model"
    shown = told.type("memory", "derive", "desk/writer", "--dream", "--retry")
    assert shown.code == 0
    assert "\n1 message waits for a model\n" in shown.out
    assert "the rules alone have read: no model is there" in shown.out
    assert "not gone over what is known: no model" in shown.out
