"""`retinue model …` and `retinue doctor`, without any model."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orchestrator.cli.model import download_progress
from orchestrator.home import Home
from tests.cli.project import Project


def test_list_names_every_provider_and_what_it_needs(project: Project) -> None:
    listed = project.type("model", "list", "--json").data
    rows = {row["provider"]: row for row in listed["providers"]}
    assert rows["openai"]["missing"] == "set OPENAI_API_KEY"
    assert {"anthropic", "openrouter", "ollama", "local", "rehearsal"} <= set(rows)
    assert "OPENAI_API_KEY" in project.type("model", "list").out


def test_list_says_which_one_serves_and_why(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    default = project.type("model", "list", "--json").data["default"]
    assert default["spec"].startswith("openai/")
    assert default["how"] == "OPENAI_API_KEY in the environment"
    assert default["spends"] is True
    assert "sk-none" not in project.type("model", "list").out


def test_a_model_that_cannot_be_called_fails_the_test_with_the_reason(project: Project) -> None:
    tested = project.type("model", "test", "openai", "--json")
    assert tested.code == 1
    assert "OPENAI_API_KEY" in tested.data["error"]
    unknown = project.type("model", "test", "opnai/x")
    assert unknown.code == 2
    assert "did you mean 'openai'" in unknown.err


def test_a_download_prints_some_twenty_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with download_progress(out) as progress:
        for here in range(0, 1_000_001, 1_000):
            progress(here, 1_000_000)
    lines = out.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("0 %")
    assert lines[-1].startswith("100 %")


def test_doctor_checks_everything_and_says_what_is_broken_with_the_fix(
    project: Project, home: Home
) -> None:
    told = project.type("doctor", "--json")
    checks = {check["name"]: check for check in told.data}
    assert list(checks) == [*("python", "home", "settings", "disk", "sandbox", "embedder", "model")]
    assert checks["python"]["ok"]
    assert checks["home"]["ok"]
    broken = [check for check in checks.values() if not check["ok"] and check["needed"]]
    assert all(check["problem"] and check["fix"] for check in broken)
    assert told.code == (1 if broken else 0)


def test_doctor_says_what_the_model_would_cost(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-none")
    model = next(
        check for check in project.type("doctor", "--json").data if check["name"] == "model"
    )
    assert model["ok"]
    assert "ANTHROPIC_API_KEY in the environment" in model["found"]
    assert "per million tokens" in model["found"]


def test_doctor_finds_secrets_that_others_can_read_and_broken_settings(
    project: Project, home: Home
) -> None:
    home.create()
    profile = home.profile("desk", "analyst")
    profile.create()
    profile.env_file.write_text("KEY=value", encoding="utf-8")
    profile.env_file.chmod(0o644)
    (home.root / "settings.yaml").write_text("modle: x", encoding="utf-8")
    told = project.type("doctor", "--json")
    checks = {check["name"]: check for check in told.data}
    assert told.code == 1
    assert checks["home"]["fix"] == f"run: chmod 600 {profile.env_file}"
    assert "modle" in checks["settings"]["problem"]


@pytest.mark.parametrize("kind", ["file", "closed"])
def test_doctor_blames_an_unusable_home_and_not_the_sandbox(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place = tmp_path / "no home"
    if kind == "file":
        place.write_text("")
    else:
        place.mkdir(mode=0o755)
    monkeypatch.setenv("RETINUE_HOME", str(place))
    told = project.type("doctor", "--json")
    checks = {check["name"]: check for check in told.data}
    assert told.code == 1
    assert "no home" in checks["home"]["problem"]
    assert "cannot be checked until the home is usable" in checks["sandbox"]["problem"]
    assert "should not have happened" not in told.out


def test_doctor_leaves_nothing_behind(project: Project, home: Home) -> None:
    project.type("doctor")
    assert [path.name for path in home.state.iterdir()] == []


def test_no_home_can_be_made_in_a_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RETINUE_HOME", str(tmp_path / "file" / "home"))
    told = project.type("doctor", "--json")
    checks = {check["name"]: check for check in told.data}
    assert told.code == 1
    assert "RETINUE_HOME" in checks["home"]["fix"]
