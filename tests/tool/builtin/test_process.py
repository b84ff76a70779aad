"""`shell` and `python`, in a real sandbox."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.errors import ToolRetry
from orchestrator.home import Home
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.tool.base import ToolContext, ToolResult
from orchestrator.tool.builtin.process import Python, PythonArguments, Shell, ShellArguments
from orchestrator.tool.builtin.text import redacted, shortened
from tests.sandbox.conftest import cannot

SECRET = "tok-0123456789"


@pytest.fixture(params=["full", "none"])
async def context(
    home: Home, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[ToolContext]:
    isolation: Literal["full", "none"] = request.param
    if isolation == "full" and shutil.which("bwrap") is None:
        cannot("bubblewrap is not installed")
    home.create()
    profile = home.profile("team", "worker")
    profile.create()
    (tmp_path / "run").mkdir()
    async with open_sandbox(SandboxConfig(isolation=isolation), profile) as sandbox:
        await sandbox.put(tmp_path / "run", "run1")
        yield ToolContext(
            "team/worker", "r1", "run1", sandbox, secrets={"TOKEN": SECRET}, timeout_seconds=20
        )


async def shell(context: ToolContext, command: str, **more: Any) -> ToolResult:
    arguments = ShellArguments.model_validate({"command": command} | more)
    return await Shell().run(arguments, context)


async def python(context: ToolContext, code: str) -> ToolResult:
    return await Python().run(PythonArguments(code=code), context)


def first_line(context: ToolContext, start: str, *rest: str) -> str:
    walls = ["isolation: none"] if context.sandbox.isolation == "none" else []
    return ", ".join([start, *walls, *rest])


async def test_behind_walls_only_the_folder_of_the_run_is_there(context: ToolContext) -> None:
    await context.sandbox.write("run2/x", b"other")
    result = await shell(context, "echo a > a; cat a; ls ..; cat ../run2/x; echo mine > ../run2/x")
    assert "\na\nrun1\n" in result.text or context.sandbox.isolation == "none"
    kept = await context.sandbox.read("run2/x")
    assert (kept == b"other") is (context.sandbox.isolation != "none")


async def test_a_command_tells_code_and_streams(context: ToolContext) -> None:
    result = await shell(context, "echo out; echo err >&2; exit 3")
    assert result.text == first_line(context, "exit code 3") + "\nout\nstderr:\nerr"
    assert result.data["exit_code"] == 3
    assert result.data["isolation"] == context.sandbox.isolation
    assert not result.empty


async def test_silence_is_empty(context: ToolContext) -> None:
    result = await shell(context, "true")
    assert result.text == first_line(context, "exit code 0", "nothing printed")
    assert result.empty


async def test_a_command_is_bash_where_there_is_one(context: ToolContext) -> None:
    result = await shell(context, "set -o pipefail; [[ a == a ]] && x=(1 2) && echo ${x[1]}")
    assert result.text.splitlines()[1:] == ["2"]


async def test_it_works_in_the_working_folder(context: ToolContext) -> None:
    await shell(context, "echo 1 >made")
    assert await context.sandbox.read("run1/made") == b"1\n"


async def test_python_prints(context: ToolContext) -> None:
    code = "import statistics\nprint(statistics.mean([1, 2, 6]))\nopen('made', 'w').write('x')"
    assert (await python(context, code)).text.splitlines()[1:] == ["3"]
    assert await context.sandbox.read("run1/made") == b"x"


async def test_a_program_imports_the_files_beside_it(context: ToolContext) -> None:
    await context.sandbox.write("run1/helper.py", b"answer = 42")
    result = await python(context, "import helper\nprint(helper.answer)")
    assert "42" in result.text


async def test_a_failing_program_shows_its_traceback(context: ToolContext) -> None:
    result = await python(context, "print('before')\n1 / 0")
    assert result.data["exit_code"] == 1
    assert "before\nstderr:\nTraceback" in result.text
    assert result.text.endswith("ZeroDivisionError: division by zero")


async def test_a_long_program_is_no_problem(context: ToolContext) -> None:
    code = "x = 0\n" + "x += 1\n" * 60_000 + "print(x)"
    assert "60000" in (await python(context, code)).text


async def test_a_command_beyond_the_systems_length_may_be_retried(context: ToolContext) -> None:
    with pytest.raises(ToolRetry, match="too long"):
        await shell(context, "true " + "x" * 200_000)


async def test_a_timeout_is_told(context: ToolContext) -> None:
    result = await shell(context, "echo begun; sleep 100", timeout=1)
    assert result.text.splitlines()[0].startswith("exit code 137, stopped after 1 s")
    assert "begun" in result.text
    assert result.data["timed_out"]


async def test_long_output_keeps_both_ends(context: ToolContext) -> None:
    result = await shell(context, "seq 100000")
    assert len(result.text) < 17_000
    assert "\n1\n2\n" in result.text
    assert result.text.endswith("\n99999\n100000")
    assert "characters left out" in result.text


async def test_secrets_reach_the_command_and_not_the_model(context: ToolContext) -> None:
    for result in (
        await shell(context, "echo ${#TOKEN} $TOKEN; echo $TOKEN >&2"),
        await python(context, "import os\nprint(len(os.environ['TOKEN']), os.environ['TOKEN'])"),
    ):
        assert "14 [secret TOKEN]" in result.text
        assert SECRET not in repr(result)


def test_a_secret_within_another_is_hidden_whole() -> None:
    secrets = {"SHORT": "abcd", "LONG": "abcdefgh", "TINY": "a"}
    assert redacted("abcdefgh abcd a", secrets) == "[secret LONG] [secret SHORT] a"


def test_shortening_says_how_much_is_missing() -> None:
    assert shortened("x" * 30, 30) == "x" * 30
    assert shortened("x" * 90, 30) == "x" * 20 + "\n[... 60 characters left out ...]\n" + "x" * 10


def test_neither_may_run_twice_unasked() -> None:
    assert not Shell.idempotent
    assert not Python.idempotent
