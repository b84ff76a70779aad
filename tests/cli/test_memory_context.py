"""`retinue memory context`: what a member would be given from its memory, and why."""

from __future__ import annotations

import pytest

from tests.cli.project import Project


@pytest.fixture
def talked(project: Project) -> Project:
    project.play({"profile": "writer", "say": "The cello is in the cellar.", "repeat": True})
    for text, session in (
        ("I live in Lyon. Where is the cello?", "home"),
        ("Paint the garden fence!", "garden"),
    ):
        project.rehearse("run", "desk", text, "--to", "writer", "--session", session)
    return project


def test_every_part_says_what_went_in_its_tokens_and_why(talked: Project) -> None:
    shown = talked.type(
        "memory", "context", "desk/writer", "Where did we put that cello?", "--json"
    ).data
    parts = {part["name"]: part for part in shown["parts"]}
    assert parts["card"]["items"][0]["text"] == "IDENTITY: lives in Lyon"
    assert "> IDENTITY: lives in Lyon" in shown["notes"]
    [recalled] = parts["recalled"]["items"][:1]
    assert recalled["ref"].startswith("m")
    assert "cello" in recalled["why"]
    assert shown["tokens"] == sum(part["tokens"] for part in shown["parts"]) <= shown["most"]
    assert all(part["tokens"] <= part["share"] for part in shown["parts"])


def test_a_session_comes_with_its_turns_and_title(talked: Project) -> None:
    shown = talked.type(
        "memory", "context", "desk/writer", "Hello", "--session", "garden", "--json"
    ).data
    assert [turn["text"] for turn in shown["turns"]] == [
        "Paint the garden fence!",
        "The cello is in the cellar.",
    ]
    assert shown["title"] == "Paint the garden fence!"


def test_people_read_it_too(talked: Project) -> None:
    shown = talked.type("memory", "context", "desk/writer", "Where is the cello?").out
    assert "of 3000 tokens" in shown
    assert "card: " in shown
    assert "lives in Lyon" in shown
    nothing = talked.type("memory", "context", "desk/analyst", "Where is the cello?").out
    assert "nothing is known" in nothing


def test_the_budget_can_be_made_smaller(talked: Project) -> None:
    asked = ("memory", "context", "desk/writer", "Where is the cello?")
    assert talked.type(*asked, "--tokens", "40", "--json").data["tokens"] <= 40
    refused = talked.type(*asked, "--tokens", "0")
    assert refused.code == 2
    assert "leaves no room" in refused.err


def test_another_person_is_given_nothing_of_it(talked: Project) -> None:
    shown = talked.type(
        "memory", "context", "desk/writer", "Where is the cello?", "--person", "ann", "--json"
    ).data
    assert (shown["notes"], shown["recalled"], shown["turns"]) == ("", "", [])
