"""`retinue runs …`, on runs a script has played."""

from __future__ import annotations

import pytest

from orchestrator.database import Database
from orchestrator.home import Home
from tests.cli.project import ASKS, Project

SAYS = {"profile": "analyst", "say": "There are 12 rows.", "repeat": True}


def run_once(project: Project, *words: str) -> str:
    done = project.rehearse("run", *(words or ("desk/analyst", "how many rows?")), "--json")
    return str(done.data["run_id"])


def test_list_shows_runs_newest_first_and_by_team_and_state(project: Project) -> None:
    project.play(SAYS)
    runs = [run_once(project), run_once(project)]
    assert [row["run_id"] for row in project.type("runs", "list", "--json").data] == runs[::-1]
    table = project.type("runs", "list").lines
    assert table[0].split()[:3] == ["RUN", "STATE", "TEAM"]
    assert table[1].endswith("how many rows?")
    assert project.type("runs", "list", "--state", "failed", "--json").data == []
    assert project.type("runs", "list", "--team", "other").out == "no runs\n"


def test_a_run_goes_by_its_first_letters_or_as_last(project: Project) -> None:
    project.play(SAYS)
    first, second = run_once(project), run_once(project)
    assert project.type("runs", "show", first[:-1], "--json").data["run_id"] == first
    assert project.type("runs", "show", "last", "--json").data["run_id"] == second
    assert project.type("runs", "show", "nope").code == 2
    both = project.type("runs", "show", first[:2])
    assert both.code == 2
    assert "2 runs begin with" in both.err


def test_show_tells_what_was_said_and_what_it_cost(project: Project) -> None:
    project.play(SAYS)
    run = run_once(project)
    shown = project.type("runs", "show", run)
    assert "how many rows?" in shown.out
    assert shown.out.count("There are 12 rows.") == 1
    assert f"run {run}" in shown.lines[-1]
    data = project.type("runs", "show", run, "--json").data
    assert data["state"] == "completed"
    assert any("There are 12 rows." in entry["text"] for entry in data["history"])


def test_show_names_the_tools_that_were_used(project: Project) -> None:
    lists = {"profile": "analyst", "calls": [{"tool": "list", "arguments": {"path": "."}}]}
    project.play(lists, SAYS)
    run_once(project)
    shown = project.type("runs", "show", "last")
    assert any(line.startswith("analyst      list: ") for line in shown.lines)


def test_a_verdict_is_kept(project: Project) -> None:
    project.play(SAYS)
    run_once(project)
    assert project.type("runs", "rate", "last", "good", "--note", "right").code == 0
    assert project.type("runs", "show", "last", "--json").data["verdict"] == "good"


def test_each_verdict_is_kept_in_its_order_as_the_persons(project: Project) -> None:
    project.play(SAYS)
    run = run_once(project)
    before = len(project.type("runs", "show", run, "--json").data["history"])
    project.type("runs", "rate", run, "good", "--note", "fine")
    project.type("runs", "rate", run, "bad")
    project.type("runs", "rate", run, "bad", "--note", "no units")
    shown = project.type("runs", "show", run, "--json").data
    told = [(each["profile"], each["verdict"], each["text"]) for each in shown["history"][before:]]
    assert told == [
        ("person", "good", "(good) fine"),
        ("person", "bad", "(bad)"),
        ("person", "bad", "(bad) no units"),
    ]
    assert shown["verdict"] == "bad"


def test_a_cancelled_run_says_why_it_failed_and_that_its_work_is_gone(project: Project) -> None:
    project.play({"profile": "analyst", "say": "Other things.", "match": "weather"})
    run = run_once(project)
    failed = project.type("runs", "show", run, "--json").data
    assert failed["error"]
    project.type("runs", "cancel", run)
    shown = project.type("runs", "show", run, "--json").data
    assert (shown["state"], shown["error"]) == ("cancelled", failed["error"])
    assert shown["steps"] == failed["steps"]
    assert failed["error"] in project.type("runs", "show", run).out
    refused = project.type("runs", "resume", run)
    assert refused.code == 2
    assert "what it had done was dropped then; start a new run" in refused.err


@pytest.mark.parametrize("decision", ["--approve", "--deny"])
def test_a_plain_question_takes_no_yes_or_no(project: Project, decision: str) -> None:
    project.play(ASKS, {"profile": "writer", "match": "2014", "say": "Then 2014."})
    run = run_once(project, "desk/writer", "write")
    refused = project.type("runs", "answer", run, "2014", decision)
    assert refused.code == 2
    assert f"give the answer as text, without {decision}" in refused.err
    assert project.type("runs", "answer", run, "2014", "--json").data["answer"] == "Then 2014."


def test_a_workflow_that_a_person_denied_promises_no_resume(project: Project) -> None:
    project.play(SAYS)
    asks = {"steps": [{"id": "sure", "approve": "Go on?"}]}
    project.play(SAYS, team={"workflows": {"check": asks}})
    run = str(project.rehearse("run", "desk", "--workflow", "check", "--json").data["run_id"])
    denied = project.type("runs", "answer", run, "--deny")
    assert denied.code == 1
    assert "not approved" in denied.out
    assert "runs resume" not in denied.out
    shown = project.type("runs", "show", run)
    assert "runs resume" not in shown.out


def test_a_waiting_run_can_be_cancelled_and_is_then_over(project: Project) -> None:
    project.play(ASKS)
    run = run_once(project, "desk/writer", "write")
    assert project.type("runs", "cancel", run).out == f"run {run} is cancelled\n"
    assert project.type("runs", "show", run, "--json").data["state"] == "cancelled"
    for verb in ("cancel", "resume"):
        assert project.type("runs", verb, run).code == 2


def test_an_answer_may_come_from_a_file(project: Project) -> None:
    project.play(ASKS, {"profile": "writer", "match": "from 1999", "say": "Then 1999."})
    run = run_once(project, "desk/writer", "write")
    (project.folder / "answer.txt").write_text("from 1999", encoding="utf-8")
    answered = project.type("runs", "answer", run, "@answer.txt", "--json")
    assert answered.data["answer"] == "Then 1999."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give the answer as text"),
        (["--approve", "--deny"], "not both"),
        ([" "], "the answer is empty"),
        (["1999", "--question", "other"], "no question 'other'"),
    ],
)
def test_an_answer_that_is_none_is_refused(
    project: Project, words: list[str], message: str
) -> None:
    project.play(ASKS)
    run = run_once(project, "desk/writer", "write")
    refused = project.type("runs", "answer", run, *words)
    assert refused.code == 2
    assert message in refused.err


def test_an_approval_takes_a_yes_or_a_no(project: Project) -> None:
    reads = {"profile": "analyst", "calls": [{"tool": "list", "arguments": {"path": "."}}]}
    ask = {"defaults": {"approvals": {"ask": ["list"]}}}
    project.play(reads, SAYS, team=ask)
    waiting = project.rehearse("run", "desk/analyst", "how many rows?")
    assert waiting.code == 3
    command = waiting.command("runs answer")
    assert command[-1] == "--approve"
    assert project.type(*command).code == 0


def test_a_failed_run_goes_on_where_it_was(project: Project) -> None:
    project.play({"profile": "analyst", "say": "Other things.", "match": "weather"})
    run = run_once(project)
    assert project.type("runs", "show", run, "--json").data["state"] == "failed"
    project.play(SAYS)
    resumed = project.type("runs", "resume", run)
    assert resumed.code == 0
    assert "resumed" in resumed.lines[0]


def test_a_run_whose_process_has_ended_says_how_to_go_on(project: Project, home: Home) -> None:
    project.play(ASKS)
    project.rehearse("run", "desk/writer", "write")
    ledger = Database(home.ledger_db)
    ledger.execute("UPDATE runs SET state = 'running'")
    ledger.close()
    shown = project.type("runs", "show", "last")
    assert "another process" not in shown.out
    assert project.type(*shown.command("runs resume")).code == 3
    project.type("runs", "list")


def test_an_interrupted_run_is_found_by_that_word_with_what_it_has_used(
    project: Project, home: Home
) -> None:
    project.play(ASKS)
    asked = project.rehearse("run", "desk/writer", "write", "--json").data
    ledger = Database(home.ledger_db)
    ledger.execute("UPDATE runs SET state = 'running', steps = 0, input_tokens = 0")
    ledger.execute("UPDATE run_members SET state = 'running', steps = 0")
    ledger.close()
    assert project.type("runs", "list", "--state", "running", "--json").data == []
    (row,) = project.type("runs", "list", "--state", "interrupted", "--json").data
    assert row["interrupted"] is True
    assert (row["steps"], row["tokens"]) == (1, sum(asked["usage"].values()))
    shown = project.type("runs", "show", "last", "--json").data
    assert (shown["steps"], shown["members"][0]["steps"]) == (1, 1)


def test_a_broken_profile_hides_its_own_runs_only(project: Project, home: Home) -> None:
    project.play({"profile": "writer", "say": "1"}, {"profile": "analyst", "say": "2"})
    project.rehearse("run", "desk/writer", "write")
    project.rehearse("run", "desk/analyst", "count")
    folder = home.profile("desk", "writer").root
    folder.chmod(0o755)
    listed = project.type("runs", "list")
    assert listed.code == 0
    assert "count" in listed.out
    assert "the home of desk/writer cannot be read" in listed.out
    shown = project.type("runs", "show", project.type("runs", "list", "--json").data[1]["run_id"])
    assert shown.code == 2
    assert "can be read by others" in shown.err


def test_a_question_that_is_not_asked_is_refused_with_those_that_are(project: Project) -> None:
    project.play(ASKS)
    project.rehearse("run", "desk/writer", "write")
    refused = project.type("runs", "answer", "last", "1999", "--question", "x")
    assert refused.code == 2
    assert "asks writer#1/tool/1/0" in refused.err
