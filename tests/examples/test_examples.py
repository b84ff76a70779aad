"""The examples do what they are for: their tools run for real, and what comes out is held against
figures and tests that are computed here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.figures import untraced
from orchestrator.cli.grammar import parse
from orchestrator.home import cache_folder
from orchestrator.model.weights import weights_path

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "team.yaml").exists())

TOLD = ("tool", "brief")
"""Kinds of messages that figures may come from."""

REGRESSION = "test_int_convert_stateless_base"


def retinue(*words: str, code: int = 0) -> str:
    """What the command prints; it must end with that exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def run(example: str, *words: str, model: str = "rehearsal", code: int = 0) -> Mapping[str, Any]:
    """The result of running an example."""
    folder = str(EXAMPLES / example)
    return json.loads(retinue("run", folder, "--model", model, *words, "--json", code=code))


def files(result: Mapping[str, Any]) -> Mapping[str, Path]:
    """The published files by their path below the run's artifacts, their hashes checked."""
    found: dict[str, Path] = {}
    for artifact in result["artifacts"]:
        path = Path(artifact["path"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact["sha256"]
        found[path.as_posix().partition("/artifacts/")[2]] = path
    return found


def weather() -> list[dict[str, str]]:
    with (EXAMPLES / "quickstart/inputs/seattle-weather.csv").open(newline="") as table:
        return list(csv.DictReader(table))


def expected_answers() -> list[str]:
    """What the answer to each question of the quickstart must hold, computed from the inputs."""
    days = weather()
    most = max((day["precipitation"] for day in days), key=float)
    snow = sum(day["weather"] == "snow" for day in days)
    document = (EXAMPLES / "quickstart/inputs/ghcn-daily-elements.txt").read_text()
    units = re.findall(r"PRCP = Precipitation \((.+)\)", document)
    assert len(units) == 1
    return [most, str(snow), units[0]]


def assert_answered(text: str) -> None:
    assert [answer for answer in expected_answers() if answer not in text] == [], text


@pytest.mark.parametrize("example", NAMES)
def test_every_input_has_its_licence_named(example: str) -> None:
    notes = (EXAMPLES / example / "LICENSES.md").read_text(encoding="utf-8")
    inputs = [path.name for path in (EXAMPLES / example / "inputs").iterdir()]
    covered = [
        name
        for name in inputs
        if f"`inputs/{name}`" in notes
        or "`inputs/`" in notes
        or ("`inputs/tz-*.txt`" in notes and name.startswith("tz-"))
    ]
    assert covered == inputs
    assert inputs


@pytest.mark.parametrize("example", NAMES)
def test_its_readme_shows_commands_that_can_be_typed(example: str) -> None:
    page = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^retinue (.+)$", page, re.MULTILINE)
    assert f"run examples/{example}" in lines
    assert [parse(shlex.split(line)) for line in lines]


def test_every_example_is_sound() -> None:
    folders = [str(EXAMPLES / name) for name in NAMES]
    assert json.loads(retinue("team", "validate", *folders, "--json")) == []
    assert NAMES == ["engineering", "newsroom", "quickstart"]


def test_quickstart_answers_with_the_true_figures_and_writes_them_down() -> None:
    result = run("quickstart")
    assert result["state"] == "completed"
    assert result["rehearsal"] is True
    assert_answered(result["answer"])
    published = files(result)
    assert set(published) == {"report.md"}
    assert_answered(published["report.md"].read_text())


def test_quickstart_answers_other_questions_with_other_figures() -> None:
    coldest = min(weather(), key=lambda day: float(day["temp_min"]))
    question = "How low did the temperature fall?"
    questions = json.dumps([question])
    words = ("--input", f"table_questions={questions}", "--input", "document_questions=[]")
    script = f"""
- profile: analyst
  match: {question[:-1]}
  calls:
    - {{tool: query_table, arguments: {{sql: SELECT min(temp_min) AS low FROM seattle_weather}}}}
- {{profile: analyst, match: 'low\\n(\\S+)', say: 'To {{{{ match }}}} degrees.'}}
- {{profile: writer, say: 'There is nothing to write.'}}
"""
    folder = Path(os.environ["RETINUE_HOME"]).parent / "quickstart"
    shutil.copytree(EXAMPLES / "quickstart", folder)
    (folder / "rehearsal.yaml").write_text(script)
    result = run(str(folder), *words)
    assert f"To {coldest['temp_min']} degrees." in result["answer"]


def test_a_rehearsal_says_so_in_every_line() -> None:
    printed = retinue("run", str(EXAMPLES / "quickstart"), "--model", "rehearsal")
    lines = printed.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if not line.startswith("REHEARSAL | ")] == []


def unittest(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "unittest", "test_parse"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_engineering_mends_the_bug_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "parse"
    shutil.copytree(EXAMPLES / "engineering/inputs", folder)
    before = unittest(folder)
    assert "FAILED (failures=1)" in before.stderr
    assert f"FAIL: {REGRESSION} " in before.stderr

    result = run("engineering")
    assert result["state"] == "completed"
    assert "Tests: 78 run, 0 failed." in result["answer"]
    assert "Review: approve." in result["answer"]
    published = files(result)
    assert set(published) == {"parse.py"}
    shutil.copy(published["parse.py"], folder)
    after = unittest(folder)
    assert after.returncode == 0, after.stderr
    assert "Ran 78 tests" in after.stderr


def test_newsroom_publishes_what_a_person_has_approved() -> None:
    waiting = run("newsroom", code=3)
    assert waiting["state"] == "waiting"
    assert set(files(waiting)) == {"story.md"}
    [question] = waiting["questions"]
    assert question["kind"] == "approval"

    done = json.loads(retinue("runs", "answer", waiting["run_id"], "--approve", "--json"))
    assert done["state"] == "completed"
    published = files(done)
    story = published["published/story.md"].read_text()
    assert story == published["story.md"].read_text()
    sources = set(re.findall(r"\[(tz-\w+\.txt)\]", story))
    assert sources == {path.name for path in (EXAMPLES / "newsroom/inputs").iterdir()}
    assert len(story.split()) <= 150
    assert "6 October 2024" in story, "the checker corrects what the sources do not say"
    assert "15 January 2025" not in story


def test_newsroom_publishes_nothing_that_a_person_denies() -> None:
    waiting = run("newsroom", code=3)
    denied = json.loads(retinue("runs", "answer", waiting["run_id"], "--deny", "--json", code=1))
    assert denied["state"] == "failed"
    assert "not approved" in denied["error"]
    assert set(files(denied)) == {"story.md"}


@pytest.mark.slow
@pytest.mark.local_model
@pytest.mark.xdist_group("local_model")
def test_quickstart_on_the_local_model_answers_from_what_its_tools_gave() -> None:
    """How many answers are right is measured by `python -m benchmarks.quickstart`."""
    if weights_path(cache_folder(os.environ)) is None:
        assert not os.environ.get("CI"), "the local model's weights are missing: retinue model pull"
        pytest.skip("the local model's weights are missing: retinue model pull")
    result = run("quickstart", model="local")
    assert result["state"] == "completed", result
    assert result["rehearsal"] is False
    assert result["answer"].count("?\n  ") == 3, result["answer"]
    shown = json.loads(retinue("runs", "show", result["run_id"], "--json"))
    called = {message["peer"] for message in shown["history"] if message["kind"] == "tool"}
    assert {"query_table", "write"} <= called
    assert called & {"grep", "read"}
    given = [message["text"] for message in shown["history"] if message["kind"] in TOLD]
    assert not untraced(result["answer"], given)
    report = files(result)["report.md"].read_text()
    assert report.startswith("# Report")
    assert report.count("?") >= 3
