"""What becomes of errors: one clear message and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.cli.boundary import execute, refuse
from orchestrator.errors import (
    HomeError,
    LimitReached,
    ModelUnavailable,
    PersonError,
    PersonNeeded,
    Question,
    RunCancelled,
)
from orchestrator.events import RunState
from orchestrator.team.ledger import Ledger
from tests.cli.project import Project

Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PersonError("no"), 2),
        (PersonNeeded([Question("q", "writer", "which?", "question")]), 3),
        (LimitReached("steps", "no steps left"), 4),
        (ModelUnavailable("down"), 1),
        (RunCancelled("stop"), 1),
        (OSError(28, "No space left on device", "/home/x"), 1),
    ],
)
def test_each_kind_of_error_has_its_code(error: Exception, code: int, capsys: Out) -> None:
    assert refuse(error, as_json=True) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == type(error).__name__
    assert err.startswith("retinue: ")


def test_a_mistake_of_ours_is_one_sentence_and_a_traceback_only_when_asked_for(
    capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute("nothing:here", {"debug": False}) == 1
    err = capsys.readouterr().err
    assert "this should not have happened: ModuleNotFoundError" in err
    assert err.count("\n") == 1
    assert execute("nothing:here", {"debug": True}) == 1
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("RETINUE_DEBUG", "1")
    assert execute("nothing:here", {"debug": False}) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_message_cannot_steer_the_terminal(capsys: Out) -> None:
    refuse(PersonError("no team '\x1b[2J'"), as_json=False)
    assert capsys.readouterr().err == "retinue: no team '␛[2J'\n"


def test_a_home_that_others_can_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    monkeypatch.setenv("RETINUE_HOME", str(home))
    assert main(["runs", "list"]) == 2
    assert "chmod -R go-rwx" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "version"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""


def test_output_that_cannot_be_written_is_one_message() -> None:
    line = f"{sys.executable} -m orchestrator.cli version --json > /dev/full"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("json", ["", "--json"])
def test_a_run_whose_answer_cannot_be_written_has_failed(project: Project, json: str) -> None:
    project.play({"profile": "analyst", "say": "There are 12 rows."})
    words = f"run desk/analyst 'how many rows?' --model rehearsal {json}"
    done = typed(f"{words} > /dev/full", project)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == "retinue: the output could not be written: No space left on device"
    assert "should not have happened" not in done.stderr


@pytest.mark.parametrize("json", ["", "--json"])
def test_a_run_whose_reader_goes_away_says_nothing(project: Project, json: str) -> None:
    project.play({"profile": "analyst", "say": "There are 12 rows."})
    words = f"run desk/analyst 'how many rows?' --model rehearsal {json}"
    done = typed(f"{words} 2>&1 | head -c 1 > /dev/null", project)
    assert done.stderr == ""


def test_a_disk_that_is_full_in_mid_run_is_a_failure_and_no_wrong_use(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.play({"profile": "analyst", "say": "There are 12 rows."})
    words = ("run", "desk/analyst", "how many rows?", "--json")
    settle = Ledger.settle

    def full(self: Ledger, run: str, state: RunState, **used: Any) -> None:
        if state == "completed":
            raise HomeError("cannot write ledger.db: disk full; free some disk space")
        settle(self, run, state, **used)

    monkeypatch.setattr(Ledger, "settle", full)
    failed = project.rehearse(*words)
    assert failed.code == 1
    assert failed.data["error"]["kind"] == "HomeError"
    assert "free some disk space" in failed.err

    def full_before(self: Ledger, run: str, team: str, owner: str) -> None:
        raise HomeError("cannot write ledger.db: disk full; free some disk space")

    monkeypatch.setattr(Ledger, "open_run", full_before)
    assert project.rehearse(*words).code == 2


def typed(line: str, project: Project) -> subprocess.CompletedProcess[str]:
    """What comes of a line given to a shell, `retinue` left out."""
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -m orchestrator.cli {line}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.folder,
    )


def test_closed_streams_are_no_error() -> None:
    line = f"{sys.executable} -m orchestrator.cli version <&- >&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_text_that_the_encoding_lacks_is_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "team", "show", "größe", "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 2
    assert "größe" in json.loads(done.stdout)["error"]["message"]
    assert b"gr\\xf6\\xdfe" in done.stderr
