"""`retinue init` and `retinue team …`: from an empty folder to a team that can be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.home import Home

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Bee Farm!"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_init_writes_a_team_without_problems_and_says_what_to_type_next(
    project: Path, home: Home, capsys: Out
) -> None:
    assert main(["init", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["team"] == "bee-farm"
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert main(["team", "validate", "bee-farm", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    for step in made["next"]:
        assert step.startswith("retinue ")
    assert {Path(file) for file in made["files"]} == {
        project / "profiles" / "bee-farm.yaml",
        project / "agents" / "analyst.md",
        project / "agents" / "writer.md",
        project / "AGENTS.md",
    }


def test_init_overwrites_nothing(project: Path, capsys: Out) -> None:
    (project / "agents").mkdir()
    writer = project / "agents" / "writer.md"
    writer.write_text("mine", encoding="utf-8")
    assert main(["init"]) == 2
    assert "writer.md" in capsys.readouterr().err
    assert writer.read_text(encoding="utf-8") == "mine"
    assert not (project / "profiles").exists()


def test_init_keeps_the_instructions_a_project_has(project: Path) -> None:
    (project / "AGENTS.md").write_text("mine", encoding="utf-8")
    assert main(["init", ".", "--name", "bees"]) == 0
    assert (project / "AGENTS.md").read_text(encoding="utf-8") == "mine"
    assert (project / "profiles" / "bees.yaml").exists()


@pytest.mark.parametrize("name", ["supervisor", "Bees", "a/b", "x" * 64])
def test_init_refuses_a_name_no_team_can_have(name: str, capsys: Out) -> None:
    assert main(["init", "--name", name]) == 2
    assert repr(name) in capsys.readouterr().err


def test_list_names_teams_members_and_broken_files(project: Path, capsys: Out) -> None:
    main(["init", "--name", "bees"])
    (project / "profiles" / "wasps.yaml").write_text("name: [", encoding="utf-8")
    capsys.readouterr()
    assert main(["team", "list", "--json"]) == 0
    teams = {team["name"]: team for team in json.loads(capsys.readouterr().out)}
    assert teams["bees"]["members"] == ["analyst", "writer"]
    assert teams["bees"]["workflows"] == ["report"]
    assert teams["wasps"]["problems"]
    assert main(["team", "list"]) == 0
    assert "analyst, writer" in capsys.readouterr().out


def test_show_tells_roles_tools_models_sandbox_and_problems(project: Path, capsys: Out) -> None:
    main(["init", "--name", "bees"])
    file = project / "profiles" / "bees.yaml"
    text = file.read_text(encoding="utf-8")
    broken = "  - profile: smoker\n    agent: nobody\n\n# A workflow"
    file.write_text(text.replace("# A workflow", broken, 1), encoding="utf-8")
    capsys.readouterr()
    assert main(["team", "show", "bees"]) == 0
    shown = capsys.readouterr().out
    for part in ("analyst (also @data)", "query_table", "512 MB", "no network", "facts → page"):
        assert part in shown
    assert "left out" in shown
    assert "nobody" in shown
    assert main(["team", "show", "bees/data", "--json"]) == 0
    assert [each["address"] for each in json.loads(capsys.readouterr().out)["members"]] == [
        "bees/analyst"
    ]


def test_validate_prints_every_problem_and_ends_with_code_2(project: Path, capsys: Out) -> None:
    bad = project / "bad.yaml"
    bad.write_text("name: bees\nmembres: []\nmembers:\n  - profile: a b\n", encoding="utf-8")
    assert main(["team", "validate", "bad.yaml", "missing.yaml", "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)
    assert {"file", "line", "key", "problem", "hint"} == set(problems[0])
    assert {Path(problem["file"]).name for problem in problems} == {"bad.yaml", "missing.yaml"}
    assert len(problems) > 2


def test_an_unknown_team_is_refused_with_the_nearest_and_as_json_too(capsys: Out) -> None:
    main(["init", "--name", "bees"])
    capsys.readouterr()
    assert main(["team", "show", "bee", "--json"]) == 2
    out, err = capsys.readouterr()
    assert "did you mean 'bees'" in err
    error = json.loads(out)["error"]
    assert error["kind"] == "NotFoundError"
    assert "Traceback" not in err


def test_every_problem_of_a_broken_team_is_in_the_error_object(project: Path, capsys: Out) -> None:
    (project / "bad.yaml").write_text("nme: x\nmembres: []\n", encoding="utf-8")
    assert main(["team", "show", "bad.yaml", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "ConfigError"
    assert {problem["key"] for problem in error["problems"]} >= {"nme", "membres"}


def test_the_first_request_of_a_member_is_shown_with_its_tokens(capsys: Out) -> None:
    main(["init", "--name", "bees"])
    capsys.readouterr()
    words = ["team", "show", "bees/data", "--prompt", "--task", "how many hives?"]
    assert main([*words, "--json"]) == 0
    request = json.loads(capsys.readouterr().out)
    assert "how many hives?" in request["messages"][-1]["content"]
    assert 0 < request["tokens"] <= 1500
    assert "query_table" in {tool["name"] for tool in request["tools"]}
    assert main(words) == 0
    assert f"tokens, counted with {request['tokenizer']}" in capsys.readouterr().out
    assert main(["team", "show", "bees", "--prompt"]) == 2
    assert "name TEAM/PROFILE" in capsys.readouterr().err
