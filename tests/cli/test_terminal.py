"""A person sits at both ends."""

from __future__ import annotations

import pytest

from tests.cli.project import ASKS, Project
from tests.cli.terminal import sit_at

pytestmark = pytest.mark.slow

REHEARSAL = ("--model", "rehearsal")
ANSWERED = {"profile": "writer", "match": "1999", "say": "Then 1999."}
SLEEPS = {
    "profile": "analyst",
    "calls": [{"tool": "shell", "arguments": {"command": "sleep 60"}}],
}
INTERRUPT = "\x03"


def test_a_question_is_asked_where_the_run_is_watched(project: Project) -> None:
    project.play(ASKS, ANSWERED)
    code, shown = sit_at(["run", "desk/writer", "write", *REHEARSAL], ("your answer", "1999\n"))
    assert code == 0
    assert "Then 1999." in shown


def test_an_empty_line_leaves_the_question_for_later(project: Project) -> None:
    project.play(ASKS)
    code, shown = sit_at(["run", "desk/writer", "write", *REHEARSAL], ("your answer", "\n"))
    assert code == 3
    assert "retinue runs answer" in shown


def test_an_approval_asks_until_it_is_yes_or_no(project: Project) -> None:
    lists = {"profile": "analyst", "calls": [{"tool": "list", "arguments": {"path": "."}}]}
    says = {"profile": "analyst", "say": "Nothing there."}
    project.play(lists, says, team={"defaults": {"approvals": {"ask": ["list"]}}})
    code, shown = sit_at(
        ["run", "desk/analyst", "look", *REHEARSAL],
        ("[y/n", "perhaps\n"),
        ("neither yes nor no", ""),
        ("[y/n", "y\n"),
    )
    assert code == 0
    assert "Nothing there." in shown


def test_an_interrupted_run_says_how_to_go_on_and_can(project: Project) -> None:
    project.play(SLEEPS)
    code, shown = sit_at(["run", "desk/analyst", "sleep", *REHEARSAL], ("sleep 60'", INTERRUPT))
    assert code == 130
    run = project.type("runs", "list", "--json").data[0]["run_id"]
    assert f"retinue runs resume {run}" in shown
    resumed = project.type("runs", "resume", run)
    assert resumed.code == 3  # nobody knows what became of the command
    assert "runs answer" in resumed.out
    assert "--approve" in resumed.out


def test_a_yes_at_the_terminal_runs_what_was_cut_off_once_more(project: Project) -> None:
    naps = {"tool": "shell", "arguments": {"command": "sleep 2; echo slept"}}
    project.play(
        {"profile": "analyst", "calls": [naps]}, {"profile": "analyst", "say": "It {{ tool }}"}
    )
    sit_at(["run", "desk/analyst", "sleep", *REHEARSAL], ("sleep 2", INTERRUPT))
    code, shown = sit_at(["runs", "resume", "last"], ("your answer", "yes\n"))
    assert code == 0
    assert "It exit code 0" in shown


def test_interrupting_a_message_does_not_end_the_chat(project: Project) -> None:
    project.play(SLEEPS, {"profile": "writer", "say": "I am here."})
    code, shown = sit_at(
        ["chat", "desk", *REHEARSAL],
        ("you> ", "@analyst sleep\n"),
        ("sleep 60'", INTERRUPT),
        ("stopped", ""),
        ("you> ", "@writer are you there?\n"),
        ("I am here.", ""),
        ("you> ", "/quit\n"),
    )
    assert code == 0
    assert "Traceback" not in shown


def test_interrupting_the_prompt_ends_the_chat(project: Project) -> None:
    project.play(SLEEPS)
    code, shown = sit_at(["chat", "desk", *REHEARSAL], ("you> ", INTERRUPT))
    assert code == 130
    assert "Traceback" not in shown
