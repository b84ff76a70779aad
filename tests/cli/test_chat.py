"""`retinue chat`: lines in, answers out, and nothing but `/quit` ends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from orchestrator.database import Database
from orchestrator.home import Home
from tests.cli.project import ASKS, Project, Typed

Talk = Callable[..., Typed]

ROWS = {"profile": "analyst", "match": "rows", "say": "There are 12 rows."}
SHORT = {"profile": "writer", "match": "shorter", "say": "Shorter it is."}


@contextmanager
def stdin(text: str) -> Generator[None]:
    """The text as what comes in at file descriptor 0."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reader)


@pytest.fixture
def talk(project: Project) -> Talk:
    def say(*lines: str, where: str = "desk") -> Typed:
        with stdin("\n".join(lines)):
            return project.rehearse("chat", where)

    return say


def test_each_line_is_answered_by_whom_it_names(project: Project, talk: Talk) -> None:
    project.play(ROWS, SHORT)
    said = talk("@data how many rows?", "", "writer: shorter")
    assert said.code == 0
    assert said.out.count("There are 12 rows.") == 1
    assert said.out.count("Shorter it is.") == 1


def test_a_chat_with_a_member_goes_to_that_member(project: Project, talk: Talk) -> None:
    project.play(ROWS, SHORT)
    said = talk("shorter", "@analyst rows?", where="desk/writer")
    assert "Shorter it is." in said.out
    assert "There are 12 rows." in said.out


def test_an_unknown_name_is_no_run_and_the_chat_goes_on(project: Project, talk: Talk) -> None:
    project.play(ROWS)
    said = talk("@analist rows?", "@data rows?")
    assert "did you mean 'analyst'" in said.out
    assert "There are 12 rows." in said.out
    assert len(project.type("runs", "list", "--json").data) == 1


def test_a_message_that_fails_does_not_end_the_chat(project: Project, talk: Talk) -> None:
    project.play(ROWS)
    said = talk("@writer something", "@analyst rows?")
    assert "There are 12 rows." in said.out
    assert [row["state"] for row in project.type("runs", "list", "--json").data] == [
        "completed",
        "failed",
    ]


def test_the_last_message_decides_the_code_of_a_piped_chat(project: Project, talk: Talk) -> None:
    project.play(ROWS)
    assert talk("@analyst rows?", "@nobody rows?").code == 2


def test_a_question_is_answered_by_the_next_line(project: Project, talk: Talk) -> None:
    project.play(ASKS, {"profile": "writer", "match": "1999", "say": "Then 1999."})
    said = talk("@writer write", "1999")
    assert said.code == 0
    assert "asks: Which year?" in said.out
    assert "Then 1999." in said.out


def test_a_question_left_open_shows_how_to_answer_it_later(project: Project, talk: Talk) -> None:
    project.play(ASKS)
    said = talk("@writer write")
    assert said.code == 3
    assert said.command("runs answer")


def test_messages_of_a_chat_are_one_conversation_until_a_new_one(
    project: Project, talk: Talk, home: Home
) -> None:
    project.play({**ROWS, "repeat": True})
    talk("@analyst rows?", "@analyst more rows?", "/new", "@analyst rows again?")
    database = Database(home.profile("desk", "analyst").memory_db)
    sessions = [
        row["session"]
        for row in database.all(
            "SELECT session FROM messages WHERE peer = 'desk/analyst' ORDER BY id"
        )
    ]
    database.close()
    assert len(sessions) == 3
    assert sessions[0] == sessions[1] != sessions[2]


def test_commands_are_told_from_messages(project: Project, talk: Talk) -> None:
    project.play(ROWS)
    said = talk("/help", "/nwe", "@analyst rows?", "/quit", "@analyst rows?")
    assert "/new      begin a new conversation" in said.out
    assert "there is no '/nwe'" in said.out
    assert len(project.type("runs", "list", "--json").data) == 1


def test_a_name_alone_says_nothing(project: Project, talk: Talk) -> None:
    project.play(ROWS)
    assert "say something to analyst" in talk("@analyst").out
