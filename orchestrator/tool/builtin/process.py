"""`shell` and `python`: commands in the sandbox, told back with exit code, output and isolation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from orchestrator.sandbox.base import ExecResult
from orchestrator.tool.base import Arguments, ToolContext, ToolResult
from orchestrator.tool.builtin.text import redacted, shortened

_STDOUT_CHARACTERS = 16_000
_STDERR_CHARACTERS = 6_000

_BASH_OR_SH = 'if command -v bash >/dev/null; then exec bash -c "$0"; else exec sh -c "$0"; fi'


class ShellArguments(Arguments):
    whole_folder: ClassVar[bool] = True
    changes_files: ClassVar[bool] = True

    command: str
    timeout: int | None = None
    """Seconds."""


class Shell:
    """A command line in bash, or sh where that is missing."""

    name: ClassVar[str] = "shell"
    description: ClassVar[str] = (
        "Run a shell command in the working folder, where alone files are kept; no network. "
        "`timeout` in seconds."
    )
    arguments: ClassVar[type[Arguments]] = ShellArguments
    idempotent: ClassVar[bool] = False

    async def run(self, arguments: ShellArguments, context: ToolContext) -> ToolResult:
        """`data`: exit_code, isolation, timed_out, truncated."""
        command = ["sh", "-c", _BASH_OR_SH, arguments.command]
        return await _run(command, b"", arguments.timeout, context)


class PythonArguments(Arguments):
    whole_folder: ClassVar[bool] = True
    changes_files: ClassVar[bool] = True

    code: str
    timeout: int | None = None
    """Seconds."""


class Python:
    """A Python program; only what it prints is seen."""

    name: ClassVar[str] = "python"
    description: ClassVar[str] = "Run a Python program, standard library only; print what you need."
    arguments: ClassVar[type[Arguments]] = PythonArguments
    idempotent: ClassVar[bool] = False

    async def run(self, arguments: PythonArguments, context: ToolContext) -> ToolResult:
        """`data`: exit_code, isolation, timed_out, truncated."""
        code = arguments.code.encode("utf-8", "replace")
        return await _run(["python3", "-"], code, arguments.timeout, context)


async def _run(
    command: Sequence[str], stdin: bytes, seconds: int | None, context: ToolContext
) -> ToolResult:
    asked = context.timeout_seconds if seconds is None else max(seconds, 1)
    longest = min(asked, context.timeout_seconds)
    ended = await context.sandbox.exec(
        command,
        cwd=context.workdir or ".",
        within=context.workdir or ".",
        timeout=timedelta(seconds=longest),
        stdin=stdin,
        env=context.secrets,
    )
    return ToolResult(
        _told(ended, longest, context),
        {
            "exit_code": ended.code,
            "isolation": ended.isolation,
            "timed_out": ended.timed_out,
            "truncated": ended.truncated,
        },
        empty=not ended.stdout.strip() and not ended.stderr.strip(),
    )


def _told(ended: ExecResult, seconds: float, context: ToolContext) -> str:
    """Exit code and notes in one line, then the streams that are not empty."""
    notes = [f"exit code {ended.code}"]
    if ended.timed_out:
        notes.append(f"stopped after {seconds:g} s")
    if ended.out_of_memory:
        notes.append("ended by the memory limit")
    if ended.truncated:
        notes.append("output cut")
    if ended.isolation == "none":
        notes.append("isolation: none")
    stdout = redacted(ended.stdout, context.secrets).rstrip()
    stderr = redacted(ended.stderr, context.secrets).rstrip()
    if not stdout and not stderr:
        notes.append("nothing printed")
    parts = [", ".join(notes)]
    if stdout:
        parts.append(shortened(stdout, _STDOUT_CHARACTERS))
    if stderr:
        parts += ["stderr:", shortened(stderr, _STDERR_CHARACTERS)]
    return "\n".join(parts)
