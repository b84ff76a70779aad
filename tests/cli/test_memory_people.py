"""`retinue memory card`, `conclusions`, `link`, `observe` and `status`: what a member knows."""

from __future__ import annotations

from contextlib import closing

import pytest

from orchestrator.database import Database
from orchestrator.home import Home
from tests.cli.project import Project


@pytest.fixture
def talked(project: Project) -> Project:
    project.play({"profile": "writer", "say": "Noted.", "repeat": True})
    for text in ("I live in Paris. Never use semicolons.", "I have moved to Lyon, my dog died."):
        project.rehearse("run", "desk", text, "--to", "writer")
    return project


def test_the_card_holds_what_is_so_now_and_the_history_both_with_dates(talked: Project) -> None:
    card = talked.type("memory", "card", "desk/writer", "--json").data
    assert card["card"] == ["IDENTITY: lives in Lyon", "INSTRUCTION: asks: never use semicolons"]
    now = talked.type("memory", "conclusions", "desk/writer", "--json").data
    assert "person lives in Paris" not in [each["text"] for each in now]
    rows = talked.type("memory", "conclusions", "desk/writer", "--history", "--json").data
    old = next(each for each in rows if each["text"] == "person lives in Paris")
    new = next(each for each in rows if each["text"] == "person lives in Lyon")
    assert old["replaced_by"] == new["id"]
    assert old["valid_from"] < old["invalidated_at"] <= new["valid_from"]
    assert len(new["sources"]) == 1
    shown = talked.type("memory", "conclusions", "desk/writer", "--history").out
    assert f"replaced by c{new['id']}" in shown


def test_conclusions_are_found_by_what_they_say(talked: Project) -> None:
    found = talked.type("memory", "conclusions", "desk/writer", "punctuation style", "--json").data
    assert [each["text"] for each in found] == ["person asks: never use semicolons"]


def test_another_member_knows_nothing_of_it(talked: Project) -> None:
    assert talked.type("memory", "card", "desk/analyst", "--json").data["card"] == []
    assert "nothing is known" in talked.type("memory", "card", "desk/analyst").out


def test_two_names_are_joined_only_by_a_link_and_can_be_parted(talked: Project) -> None:
    asked = ("memory", "card", "desk/writer", "--person", "matrix:@ann", "--json")
    assert talked.type(*asked).data["card"] == []
    talked.type("memory", "link", "desk/writer", "person", "matrix:@ann")
    assert talked.type(*asked).data["card"][0] == "IDENTITY: lives in Lyon"
    listed = talked.type("memory", "link", "desk/writer", "--json").data
    assert listed == [{"name": "matrix:@ann", "person": "person"}]
    talked.type("memory", "link", "desk/writer", "matrix:@ann", "--remove")
    assert talked.type(*asked).data["card"] == []


def test_nothing_more_is_concluded_of_who_is_not_observed(talked: Project) -> None:
    talked.type("memory", "link", "desk/writer", "matrix:@ann", "person")
    off = talked.type("memory", "observe", "desk/writer", "person", "--off", "--json").data
    assert off == {"unobserved": ["matrix:@ann"]}
    waiting = talked.type("memory", "status", "desk/writer", "--json").data["queue"]["pending"]
    talked.rehearse("run", "desk", "I live in Oslo. I am vegan.", "--to", "writer")
    card = talked.type("memory", "card", "desk/writer", "--json").data["card"]
    assert card[0] == "IDENTITY: lives in Lyon"
    assert not any("vegan" in line for line in card)
    assert (
        talked.type("memory", "status", "desk/writer", "--json").data["queue"]["pending"] == waiting
    )
    assert "matrix:@ann is not observed" in talked.type("memory", "observe", "desk/writer").out
    talked.type("memory", "observe", "desk/writer", "person")
    assert "everybody is observed" in talked.type("memory", "observe", "desk/writer").out
    talked.rehearse("run", "desk", "I live in Rome.", "--to", "writer")
    card = talked.type("memory", "card", "desk/writer", "--json").data["card"]
    assert card[0] == "IDENTITY: lives in Rome"


def test_whom_not_to_observe_must_be_named(talked: Project) -> None:
    refused = talked.type("memory", "observe", "desk/writer", "--off")
    assert (refused.code, "name whom" in refused.err) == (2, True)


def test_what_was_said_under_one_name_is_found_under_the_other(talked: Project) -> None:
    asked = ("memory", "search", "desk/writer", "Lyon", "--person", "matrix:@ann", "--json")
    assert talked.type(*asked).data == []
    talked.type("memory", "link", "desk/writer", "person", "matrix:@ann")
    found = talked.type(*asked).data[0]
    assert found["text"] == "I have moved to Lyon, my dog died."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("one",), "two names"),
        (("one", "one"), "one name"),
        (("desk/writer", "one"), "'desk/writer' is the member itself"),
        (("one", "two", "desk/writer"), "'desk/writer' is the member itself"),
        (("nobody", "--remove"), "linked to nothing"),
        (("person", "nobody", "--remove"), "linked to nothing"),
        (("--remove",), "name what"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused(
    talked: Project, words: tuple[str, ...], told: str
) -> None:
    refused = talked.type("memory", "link", "desk/writer", *words)
    assert refused.code == 2
    assert told in refused.err
    assert talked.type("memory", "link", "desk/writer", "--json").data == []


@pytest.mark.parametrize("names", [("person", "matrix:@ann"), ("matrix:@ann", "person")])
def test_what_was_linked_is_parted_by_the_same_words(
    talked: Project, names: tuple[str, str]
) -> None:
    talked.type("memory", "link", "desk/writer", "person", "matrix:@ann", "discord:1")
    left = talked.type("memory", "link", "desk/writer", *names, "--remove", "--json").data
    assert left == [{"name": "discord:1", "person": "person"}]
    alone = talked.type("memory", "link", "desk/writer", "person", "--remove")
    assert alone.code == 2
    assert "'person' is the name that others are linked to; name those" in alone.err


def test_the_status_says_what_waits_for_a_model(talked: Project) -> None:
    status = talked.type("memory", "status", "desk/writer", "--json").data
    assert status["queue"]["unread"] == 0
    assert status["queue"]["pending"] == 2  # only rules have read it: a script plays the model
    assert status["conclusions"] == {"explicit": 2, "past": 1}
    shown = talked.type("memory", "status", "desk/writer").out
    assert "waiting for a model: 2, about" in shown


def test_a_damaged_index_of_conclusions_is_built_anew(talked: Project, home: Home) -> None:
    asked = ("memory", "conclusions", "desk/writer", "semicolons", "--json")
    before = talked.type(*asked).data
    with closing(Database(home.profile("desk", "writer").memory_db)) as database:
        database.execute("DELETE FROM conclusion_words_data")
    broken = talked.type(*asked)
    assert "retinue memory reindex" in broken.err
    assert talked.type("memory", "reindex", "desk/writer").code == 0
    assert talked.type(*asked).data == before
