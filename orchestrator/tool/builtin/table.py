"""`query_table`: SQL over the table files of the working folder, computed inside the sandbox."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from orchestrator.errors import SandboxUnavailable, ToolFailed, ToolRetry
from orchestrator.sandbox.base import ExecResult, Sandbox
from orchestrator.tool.base import Arguments, ToolContext, ToolResult
from orchestrator.tool.builtin.table_worker import DATABASE, DELIMITED, JSON, shown
from orchestrator.tool.builtin.text import redacted

_MOST_FILES = 100
_MOST_PROBLEMS = 5
_CARDS_SECONDS = 30
_LONGEST_QUERY_SECONDS = 60

_MODULES = ("kinds", "column", "source", "survey", "store", "card", "query", "main")
"""Of the worker, each after those it imports."""

_START = """
import json, sys, types
request = json.load(sys.stdin)
for name, source in request["modules"].items():
    module = sys.modules[name] = types.ModuleType(name)
    module.__package__, module.__path__ = "table_worker", []
    exec(compile(source, name, "exec"), module.__dict__)
answer = getattr(module, request["call"])(**request["arguments"])
json.dump(answer, sys.stdout)
"""


class QueryTableArguments(Arguments):
    whole_folder: ClassVar[bool] = True

    sql: str


class QueryTable:
    """SQLite's SELECT over CSV, TSV, JSON and SQLite files; files are never written."""

    name: ClassVar[str] = "query_table"
    description: ClassVar[str] = (
        "Run one SQLite SELECT over the table files (CSV, TSV, JSON, SQLite) of the working "
        "folder. Also there: median, stddev, year, month, day."
    )
    arguments: ClassVar[type[Arguments]] = QueryTableArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: QueryTableArguments, context: ToolContext) -> ToolResult:
        """`data`: columns, rows, row_count, isolation. Raises ToolRetry for SQL that is wrong."""
        files = await _table_files(context.sandbox, context.workdir)
        if not files:
            raise ToolFailed(
                "there is no table file (CSV, TSV, JSON, SQLite) in the working folder"
            )
        seconds = min(context.timeout_seconds * 0.8, _LONGEST_QUERY_SECONDS)
        ended, answer = await _work(
            context.sandbox,
            context.workdir,
            context.timeout_seconds,
            "answer_query",
            {"files": files, "sql": arguments.sql, "seconds": seconds},
        )
        if answer.get("timed_out"):
            raise ToolFailed(f"the query was stopped after {seconds:g} s; ask for less")
        if "error" in answer:
            raise ToolRetry(str(answer["error"]))
        return _result(answer, ended, context.secrets)


async def table_cards(sandbox: Sandbox, workdir: str) -> str:
    """What a model must know of each table file of the folder; empty, and nothing is started, where
    there is none.
    """
    files = await _table_files(sandbox, workdir)
    if not files:
        return ""
    try:
        _, answer = await _work(sandbox, workdir, _CARDS_SECONDS, "describe", {"files": files})
    except ToolFailed as error:
        return f"(not described: {error})"
    lines = [*answer["cards"], *answer["problems"][:_MOST_PROBLEMS]]
    if answer["left"]:
        lines.append(f"More tables: {', '.join(answer['left'])}")
    return "\n".join(lines)


async def _table_files(sandbox: Sandbox, workdir: str) -> list[str]:
    """Relative to the folder, the ones nearest to its top first."""
    try:
        entries = await sandbox.list(workdir or ".", recursive=True)
    except ToolRetry:
        return []
    paths = [
        PurePosixPath(entry.path).relative_to(workdir)
        for entry in entries
        if not entry.folder and entry.path.lower().endswith((*DELIMITED, *JSON, *DATABASE))
    ]
    visible = [str(path) for path in paths if not any(map(_is_hidden, path.parts))]
    return sorted(visible, key=lambda path: (path.count("/"), path))[:_MOST_FILES]


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part in ("node_modules", "__pycache__")


async def _work(
    sandbox: Sandbox, workdir: str, seconds: float, call: str, arguments: dict[str, Any]
) -> tuple[ExecResult, dict[str, Any]]:
    """Let the sandbox's Python answer. Raises ToolFailed and SandboxUnavailable."""
    request = {"modules": _sources(), "call": call, "arguments": arguments}
    ended = await sandbox.exec(
        ["python3", "-I", "-S", "-c", _START],
        cwd=workdir or ".",
        within=workdir or ".",
        timeout=timedelta(seconds=seconds),
        stdin=json.dumps(request).encode(),
    )
    if ended.timed_out:
        raise ToolFailed(f"reading the tables was stopped after {seconds:.0f} s")
    if ended.out_of_memory:
        raise ToolFailed("the tables are too large for the sandbox's memory")
    if ended.code in (126, 127):
        raise SandboxUnavailable(f"no python3 in the sandbox: {ended.stderr.strip()}")
    if ended.truncated:
        raise ToolFailed("the result is larger than the sandbox's output_kb lets through")
    if ended.code != 0:
        why = ended.stderr.strip().rpartition("\n")[2] or f"exit code {ended.code}"
        raise ToolFailed(f"the tables could not be read: {why[:300]}")
    return ended, json.loads(ended.stdout)


@functools.cache
def _sources() -> dict[str, str]:
    folder = Path(__file__).parent / "table_worker"
    package = {"table_worker": (folder / "__init__.py").read_text()}
    return package | {
        f"table_worker.{name}": (folder / f"{name}.py").read_text() for name in _MODULES
    }


def _result(answer: Mapping[str, Any], ended: ExecResult, secrets: Mapping[str, str]) -> ToolResult:
    columns: Sequence[str] = answer["columns"]
    rows = [[_redacted(value, secrets) for value in row] for row in answer["rows"]]
    empty = all(value is None for row in rows for value in row) and len(rows) <= 1
    lines = (
        ["(empty) The query is valid and found nothing."]
        if empty
        else [" | ".join(columns), *(" | ".join(map(shown, row)) for row in rows)]
    )
    if (left := answer["row_count"] - len(rows)) > 0:
        lines.append(f"({left} more rows)")
    lines += [f"Note: {note}" for note in answer["notes"]]
    if ended.isolation == "none":
        lines.append("(isolation: none)")
    facts = {
        "columns": columns,
        "rows": rows,
        "row_count": answer["row_count"],
        "isolation": ended.isolation,
    }
    return ToolResult("\n".join(lines), facts, empty=empty)


def _redacted(value: Any, secrets: Mapping[str, str]) -> Any:
    return redacted(value, secrets) if isinstance(value, str) else value
