"""The grammar: what can be typed fits the functions behind it, costs little, and is documented."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import subprocess
import sys

import pytest

from orchestrator.cli import main
from orchestrator.cli.grammar import COMMANDS, Command, WrongUse, parse
from orchestrator.cli.reference import PAGE, reference

HEAVY = ("pydantic", "rich", "langgraph", "langchain_core", "yaml", "asyncio", "sqlite3", "numpy")


@pytest.mark.parametrize("command", COMMANDS, ids=[each.words for each in COMMANDS])
def test_what_can_be_typed_is_what_the_function_takes(command: Command) -> None:
    parser = argparse.ArgumentParser()
    dests = {
        parser.add_argument(argument.name, **argument.options).dest
        for argument in command.arguments
    }
    module, _, function = command.target.partition(":")
    takes = inspect.signature(
        getattr(importlib.import_module(f"orchestrator.cli.{module}"), function)
    ).parameters
    assert dests == set(takes)


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["runs", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom orchestrator.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_options_may_stand_before_the_task() -> None:
    typed = parse(["run", "desk", "--model", "rehearsal", "count", "--json", "--input", "a=b"])
    assert typed["where"] == "desk"
    assert typed["task"] == "count"
    assert typed["model"] == "rehearsal"
    assert typed["inputs"] == ["a=b"]
    assert typed["as_json"] is True


def test_a_task_may_begin_with_a_dash_behind_two() -> None:
    assert parse(["run", "desk", "--", "-5 degrees?"])["task"] == "-5 degrees?"


@pytest.mark.parametrize(
    "words", [["rum"], ["run"], ["runs"], ["runs", "lst"], ["run", "a", "b", "c"], ["run", "--jsn"]]
)
def test_wrong_use_is_refused_with_the_right_one(words: list[str]) -> None:
    with pytest.raises(WrongUse, match="usage: retinue"):
        parse(words)


def test_wrong_use_ends_with_code_2_and_with_json_as_an_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["runs", "rate", "last", "meh", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == "WrongUse"
    assert "choose from 'good', 'bad'" in err


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m orchestrator.cli.reference"
    )
