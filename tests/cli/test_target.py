"""What a person means by TEAM, by a task, and by an input."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orchestrator.cli.target import choose_workflow, find, read_inputs, read_text
from orchestrator.errors import NotFoundError, PersonError
from tests.cli.teams import desk


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_name_is_a_team_of_this_project_and_may_name_a_member(project: Path) -> None:
    assert find("desk").team == "desk"
    assert find("desk").project == project
    assert (find("desk/analyst").team, find("desk/analyst").profile) == ("desk", "analyst")


def test_a_folder_with_a_team_file_is_an_example(project: Path) -> None:
    example = project / "examples" / "quick"
    (example / "inputs").mkdir(parents=True)
    for name in ("team.yaml", "rehearsal.yaml"):
        (example / name).touch()
    for where in ("examples/quick", "examples/quick/", "examples/quick/team.yaml", str(example)):
        target = find(where)
        assert target.project == example
        assert target.team == str(example / "team.yaml")
        assert target.inputs == example / "inputs"
        assert target.rehearsal == example / "rehearsal.yaml"


def test_a_teams_file_leaves_the_project_where_it_is(project: Path) -> None:
    (project / "other.yaml").touch()
    (project / "inputs").mkdir()
    target = find("other.yaml")
    assert (target.project, target.team) == (project, str(project / "other.yaml"))
    assert target.inputs is None


def test_a_folder_that_merely_has_a_teams_name_is_not_taken_for_it(project: Path) -> None:
    (project / "desk").mkdir()
    assert find("desk").team == "desk"
    with pytest.raises(PersonError, match=r"no team\.yaml"):
        find("./desk")


def test_a_task_comes_from_the_line_a_file_or_stdin(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "task.txt").write_text("from a file", encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("vom Rohr, ö".encode())))
    assert read_text("from the line") == "from the line"
    assert read_text("@task.txt") == "from a file"
    assert read_text("-") == "vom Rohr, ö"
    assert read_text("@writer make it shorter") == "@writer make it shorter"


def test_a_task_of_a_megabyte_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = "x" * 1_000_000
    (project / "huge.txt").write_text(huge, encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(huge.encode())))
    for text in (huge, "@huge.txt", "-"):
        with pytest.raises(PersonError, match="longer than 200 kB"):
            read_text(text)


def test_a_task_that_is_nothing_or_no_text_is_refused(project: Path) -> None:
    (project / "binary").write_bytes(b"ab\xff")
    for text, message in (
        (" \n", "empty"),
        ("@binary", "not UTF-8 text: byte 2"),
        ("typed \udcff", "not UTF-8 text"),
        ("@missing.txt", "cannot read 'missing.txt'"),
        ("@.", "cannot read"),
    ):
        with pytest.raises(PersonError, match=message):
            read_text(text)


def test_the_only_workflow_is_the_default_unless_a_task_is_given() -> None:
    assert choose_workflow(desk("report"), None, "") == "report"
    assert choose_workflow(desk("report"), None, "count") is None
    assert choose_workflow(desk("report", "digest"), "digest", "") == "digest"


def test_what_to_do_must_be_said() -> None:
    with pytest.raises(PersonError, match="one of: report, digest"):
        choose_workflow(desk("report", "digest"), None, "")
    with pytest.raises(PersonError, match="give a task"):
        choose_workflow(desk(), None, "")
    with pytest.raises(PersonError, match="not both"):
        choose_workflow(desk("report"), "report", "count")
    with pytest.raises(NotFoundError, match="did you mean 'report'"):
        choose_workflow(desk("report"), "reprt", "")


def test_inputs_are_pairs_and_may_come_from_files(project: Path) -> None:
    (project / "topic.txt").write_text("bees", encoding="utf-8")
    assert read_inputs(["topic=@topic.txt", "sum=1+1=2", "empty="]) == {
        "topic": "bees",
        "sum": "1+1=2",
        "empty": "",
    }
    with pytest.raises(PersonError, match="not KEY=VALUE"):
        read_inputs(["topic"])
