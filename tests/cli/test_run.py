"""`retinue run`, played by a script."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.memory.conversations import Conversations
from tests.cli.project import ASKS, WRITES, Project

SAYS = {"profile": "analyst", "say": "There are 12 rows.\n\nThat is all."}
REPORT = {
    "report": {
        "inputs": {"year": "2000"},
        "steps": [{"id": "page", "agent": "writer", "prompt": "Write about {{ inputs.year }}"}],
    }
}


def test_a_task_shows_who_works_and_ends_with_answer_steps_tokens_and_cost(
    project: Project,
) -> None:
    project.play(SAYS)
    done = project.rehearse("run", "desk", "how many rows?", "--to", "analyst")
    assert done.code == 0
    assert "begins: how many rows?" in done.out
    assert "There are 12 rows." in done.out
    assert "1 step, " in done.lines[-1]
    assert "cost 0 USD" in done.lines[-1]
    assert done.err == ""


def test_the_supervisor_gives_work_to_members_and_joins_what_they_say(project: Project) -> None:
    work = [
        {"tool": "assign", "arguments": {"member": name, "goal": f"be a {name}"}}
        for name in ("analyst", "writer")
    ]
    project.play(
        {"profile": "supervisor", "calls": work},
        SAYS,
        {"profile": "writer", "say": "Written."},
        {"profile": "supervisor", "match": "12 rows", "say": "12 rows, written down."},
    )
    done = project.rehearse("run", "desk", "how many rows? write it down")
    assert done.code == 0
    for line in ("analyst      begins: be a analyst", "writer       begins: be a writer"):
        assert line in done.out
    assert "12 rows, written down." in done.out


def test_every_line_of_a_rehearsal_says_so(project: Project) -> None:
    project.play(SAYS)
    done = project.rehearse("run", "desk/analyst", "how many rows?")
    assert all(line.startswith("REHEARSAL |") for line in done.lines)


def test_json_is_one_object_on_stdout_and_progress_goes_to_stderr(project: Project) -> None:
    project.play(SAYS)
    done = project.rehearse("run", "desk", "@data how many rows?", "--json")
    assert done.code == 0
    assert "analyst" in done.err
    assert set(done.data) >= {
        *("run_id", "state", "answer", "members", "steps", "usage", "cost_usd"),
        *("artifacts", "rehearsal", "error"),
    }
    assert done.data["rehearsal"] is True
    assert done.data["members"] == [{"profile": "analyst", "state": "completed", "steps": 1}]
    assert done.data["answer"] == "There are 12 rows.\n\nThat is all."


def test_escape_sequences_of_a_model_do_not_reach_the_terminal(project: Project) -> None:
    project.play({"profile": "analyst", "say": "\x1b]0;owned\x07red \x1b[31m[bold]row[/bold]"})
    done = project.rehearse("run", "desk/analyst", "how many?")
    assert "\x1b" not in done.out
    assert "\x07" not in done.out
    assert "red ␛[31m[bold]row[/bold]" in done.out


def test_an_example_runs_its_only_workflow_on_its_inputs_and_prints_its_files(
    project: Project,
) -> None:
    project.play(WRITES, {"profile": "writer", "say": "See report.md."})
    folder = project.example("example", REPORT)
    done = project.rehearse("run", str(folder), "--input", "year=1999", "--json")
    assert done.code == 0, done.err
    assert done.data["answer"] == "See report.md."
    (artifact,) = done.data["artifacts"]
    assert Path(artifact["path"]).name == "report.md"
    assert Path(artifact["path"]).read_text(encoding="utf-8") == "# 1999"
    assert len(artifact["sha256"]) == 64
    assert "Write about 1999" in done.err


def test_an_examples_members_find_its_inputs(project: Project) -> None:
    project.play(
        {
            "profile": "writer",
            "calls": [{"tool": "read", "arguments": {"path": "facts.txt"}}],
        },
        {"profile": "writer", "match": "1999", "say": "It was 1999."},
    )
    folder = project.example("example", REPORT)
    assert "It was 1999." in project.rehearse("run", str(folder)).out


def test_a_task_given_to_an_example_goes_to_its_team(project: Project) -> None:
    project.play(SAYS)
    folder = project.example("example", REPORT)
    done = project.rehearse("run", str(folder), "how many rows?", "--to", "analyst")
    assert "There are 12 rows." in done.out


def test_a_question_ends_a_run_with_code_3_and_the_command_that_answers_it(
    project: Project,
) -> None:
    project.play(ASKS, {"profile": "writer", "match": "1999", "say": "Then 1999."})
    asked = project.rehearse("run", "desk/writer", "write the report")
    assert asked.code == 3
    assert "writer" in asked.out
    command = [word.replace("your answer", "1999") for word in asked.command("runs answer")]
    answered = project.type(*command)
    assert answered.code == 0
    assert "Then 1999." in answered.out


def test_a_waiting_runs_json_holds_its_questions(project: Project) -> None:
    project.play(ASKS)
    asked = project.rehearse("run", "desk/writer", "write the report", "--json")
    assert asked.code == 3
    assert asked.data["state"] == "waiting"
    assert asked.data["questions"][0]["text"] == "Which year?"


def test_a_run_that_fails_ends_with_code_1_and_says_why(project: Project) -> None:
    project.play(SAYS)
    done = project.rehearse("run", "desk/writer", "write the report", "--json")
    assert done.code == 1
    assert done.data["state"] == "failed"
    assert done.data["error"]


def test_a_run_that_hits_a_limit_ends_with_code_4(project: Project) -> None:
    reads = {"profile": "analyst", "calls": [{"tool": "list", "arguments": {"path": "."}}]}
    project.play(reads, reads, SAYS, team={"limits": {"steps": 1}})
    done = project.rehearse("run", "desk/analyst", "how many rows?")
    assert done.code == 4
    assert "runs resume" in done.out


def test_an_unknown_member_is_refused_before_there_is_a_run(project: Project) -> None:
    project.play(SAYS)
    for words in (["@analist how many?"], ["how many?", "--to", "analist"]):
        done = project.rehearse("run", "desk", *words)
        assert done.code == 2
        assert "did you mean 'analyst'" in done.err
        assert "Traceback" not in done.err
    assert project.type("runs", "list", "--json").data == []


def test_an_unknown_provider_is_refused_before_there_is_a_run(project: Project) -> None:
    project.play(SAYS)
    refused = project.type("run", "desk", "how many rows?", "--model", "opnai/x")
    assert refused.code == 2
    assert "openai" in refused.err
    assert project.type("runs", "list", "--json").data == []


def test_a_task_of_a_megabyte_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.play(SAYS)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x" * 1_000_000)))
    done = project.rehearse("run", "desk", "-", "--json")
    assert done.code == 2
    assert "longer than 200 kB" in done.data["error"]["message"]


def test_inputs_and_members_do_not_go_with_what_they_cannot_belong_to(project: Project) -> None:
    project.play(SAYS, team={"workflows": REPORT})
    assert (
        "--input belongs to a workflow"
        in project.type("run", "desk", "how many?", "--input", "year=1999").err
    )
    assert "names its own members" in project.type("run", "desk/analyst").err
    assert "is not a folder" in project.type("run", "desk", "x", "--files", "nowhere").err


def test_a_conversation_goes_on_in_the_next_run(project: Project, home: Home) -> None:
    project.play(SAYS, SAYS)
    for task in ("how many rows?", "and now?"):
        project.rehearse("run", "desk/analyst", task, "--session", "mine")
    database = Database(home.profile("desk", "analyst").memory_db)
    said = Conversations(database).recent("mine", most=9, kinds=("said", "brief", "result"))
    database.close()
    assert len({message.run for message in said}) == 2


def test_without_any_model_the_ways_to_have_one_are_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.play(SAYS)
    done = project.type("run", "desk/analyst", "how many rows?")
    assert done.code in (1, 2)
    assert "retinue model pull" in done.out + done.err
