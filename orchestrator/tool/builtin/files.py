"""`read write edit list glob grep`: the files of the workspace, from the working folder."""

from __future__ import annotations

import asyncio
import codecs
import difflib
import json
import mimetypes
import posixpath
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from orchestrator.errors import SandboxUnavailable, ToolRetry
from orchestrator.sandbox.base import ExecResult, FileEntry
from orchestrator.tool.base import Arguments, ToolContext, ToolResult
from orchestrator.tool.builtin import pattern
from orchestrator.tool.builtin.paths import located, named, shown
from orchestrator.tool.builtin.text import redacted

_READ_LINES = 400
_READ_CHARACTERS = 24_000
_LINE_CHARACTERS = 2_000
_MOST_ENTRIES = 200
_MOST_MATCHES = 100
_MATCH_CHARACTERS = 300
_PREFIX_BYTES = 8_192
_MOST_PLACES = 5
_MOST_COMPARED = 3_000
_COMPARED_CHARACTERS = 120

_SEARCH = Path(__file__).with_name("search_inside.py")


class ReadArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("path",)

    path: str
    offset: int | None = None
    """First line, from 1."""
    limit: int | None = None
    """Lines."""


class Read:
    name: ClassVar[str] = "read"
    description: ClassVar[str] = (
        f"Read a text file: `limit` ({_READ_LINES}) lines from line `offset`."
    )
    arguments: ClassVar[type[Arguments]] = ReadArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: ReadArguments, context: ToolContext) -> ToolResult:
        """`data`: path, first, last, lines. Raises ToolRetry for a file that is no text."""
        path = located(arguments.path, context)
        with named(arguments.path, path):
            data = await context.sandbox.read(path)
        text, encoding = _decoded(data, arguments.path)
        lines = text.splitlines()
        first = max(arguments.offset or 1, 1)
        if first > max(len(lines), 1):
            raise ToolRetry(f"{arguments.path!r} has {len(lines)} lines; offset {first} is beyond")
        wanted = lines[first - 1 : first - 1 + max(arguments.limit or _READ_LINES, 1)]
        kept = _within([_cut(line) for line in wanted], _READ_CHARACTERS)
        last = first - 1 + len(kept)
        facts = {"path": path, "first": first, "last": last, "lines": len(lines)}
        notes: list[str] = []
        if encoding != "utf-8":
            notes.append(f"[read as {encoding}]")
        if last < len(lines):
            notes.append(f"[lines {first}-{last} of {len(lines)}; next: offset={last + 1}]")
        if not data:
            return ToolResult("The file is empty.", facts, empty=True)
        return ToolResult("\n".join([redacted("\n".join(kept), context.secrets), *notes]), facts)


class WriteArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("path",)
    changes_files: ClassVar[bool] = True

    path: str
    content: str


class Write:
    name: ClassVar[str] = "write"
    description: ClassVar[str] = "Write a file, replacing it if it exists."
    arguments: ClassVar[type[Arguments]] = WriteArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: WriteArguments, context: ToolContext) -> ToolResult:
        """`data`: path, bytes."""
        path = located(arguments.path, context)
        data = arguments.content.encode("utf-8", "replace")
        async with context.changing:
            with named(arguments.path, path):
                await context.sandbox.write(path, data)
        return ToolResult(
            f"Wrote {shown(path, context)} ({len(data):,} bytes).",
            {"path": path, "bytes": len(data)},
            files=(path,),
        )


class EditArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("path",)
    changes_files: ClassVar[bool] = True

    path: str
    old: str
    new: str
    all: bool | None = None


class Edit:
    name: ClassVar[str] = "edit"
    description: ClassVar[str] = "Replace the exact text `old`, which must occur once unless `all`."
    arguments: ClassVar[type[Arguments]] = EditArguments
    idempotent: ClassVar[bool] = False

    async def run(self, arguments: EditArguments, context: ToolContext) -> ToolResult:
        """`data`: path, replaced. Raises ToolRetry when `old` does not fit."""
        path = located(arguments.path, context)
        async with context.changing:
            found = await self._replace(arguments, path, context)
        times = "once" if found == 1 else f"{found} times"
        return ToolResult(
            f"Edited {shown(path, context)}: replaced {times}.",
            {"path": path, "replaced": found},
            files=(path,),
        )

    async def _replace(self, arguments: EditArguments, path: str, context: ToolContext) -> int:
        """How many places were replaced."""
        with named(arguments.path, path):
            data = await context.sandbox.read(path)
        old = arguments.old.encode("utf-8", "replace")
        new = arguments.new.encode("utf-8", "replace")
        found = data.count(old)
        if not old or old == new:
            raise ToolRetry("`old` must be some text, and `new` another")
        if found == 0:
            raise ToolRetry(await asyncio.to_thread(_not_found, arguments, data))
        if found > 1 and not arguments.all:
            raise ToolRetry(
                f"`old` occurs {found} times in {arguments.path!r}, in lines "
                f"{_line_numbers(data, old)}; give more of the text around it, or all=true"
            )
        with named(arguments.path, path):
            await context.sandbox.write(path, data.replace(old, new))
        return found


class ListArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("path",)

    path: str | None = None


class List:
    name: ClassVar[str] = "list"
    description: ClassVar[str] = "List a folder."
    arguments: ClassVar[type[Arguments]] = ListArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: ListArguments, context: ToolContext) -> ToolResult:
        """`data`: entries. Folders end in `/`, files are shown with their size in bytes."""
        path = located(arguments.path or ".", context)
        with named(arguments.path or ".", path):
            entries = await context.sandbox.list(path)
        names = [posixpath.basename(entry.path) for entry in entries]
        lines = [
            f"{name}/" if entry.folder else f"{name}  {entry.size:,}"
            for name, entry in zip(names, entries, strict=True)
        ]
        return _listing(lines, {"entries": len(entries)}, "The folder is empty.")


class GlobArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("pattern",)
    whole_folder: ClassVar[bool] = True

    pattern: str


class Glob:
    name: ClassVar[str] = "glob"
    description: ClassVar[str] = "Find files by name, e.g. `src/**/*.py`."
    arguments: ClassVar[type[Arguments]] = GlobArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: GlobArguments, context: ToolContext) -> ToolResult:
        """`data`: matches. `*` and `?` stay within a folder, `**` crosses folders."""
        wanted = located(arguments.pattern, context).split("/")
        base = "/".join(pattern.fixed(wanted)) or "."
        with named(arguments.pattern, base):
            entries = await context.sandbox.list(base, recursive=True)
        found = await asyncio.to_thread(_matching, entries, wanted)
        lines = [shown(path, context) for path in found]
        return _listing(lines, {"matches": len(found)}, f"Nothing matches {arguments.pattern!r}.")


class GrepArguments(Arguments):
    paths: ClassVar[tuple[str, ...]] = ("path",)

    pattern: str
    path: str | None = None


class Grep:
    """Runs in the sandbox, with a time limit: a regular expression can take for ever."""

    name: ClassVar[str] = "grep"
    description: ClassVar[str] = "Search the lines of files for a Python regular expression."
    arguments: ClassVar[type[Arguments]] = GrepArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: GrepArguments, context: ToolContext) -> ToolResult:
        """`data`: matches, isolation. Raises ToolRetry for an expression that is wrong."""
        path = located(arguments.path or ".", context)
        request = {
            "pattern": arguments.pattern,
            "path": shown(path, context),
            "most": _MOST_MATCHES,
            "width": _MATCH_CHARACTERS,
        }
        ended = await context.sandbox.exec(
            ["python3", "-I", "-S", "-c", _SEARCH.read_text(encoding="utf-8")],
            cwd=context.workdir or ".",
            within=context.workdir or ".",
            timeout=timedelta(seconds=context.timeout_seconds),
            stdin=json.dumps(request).encode(),
        )
        if ended.timed_out:
            raise ToolRetry(
                f"the search took longer than {context.timeout_seconds:g} s and was stopped; "
                "use a simpler expression or a smaller folder"
            )
        if ended.code == 2:
            raise ToolRetry(ended.stderr.strip())
        if ended.code != 0:
            raise SandboxUnavailable(f"the search could not run: {ended.stderr.strip()}")
        return _found(ended, arguments.pattern, context)


class _Search(BaseModel):
    """What `search_inside` prints."""

    matches: tuple[tuple[str, int, str], ...]
    more: bool


def _found(ended: ExecResult, wanted: str, context: ToolContext) -> ToolResult:
    search = _Search.model_validate_json(ended.stdout)
    lines = [f"{file}:{number}: {text}" for file, number, text in search.matches]
    if search.more:
        lines.append(f"[more than {_MOST_MATCHES} matches; narrow the search]")
    if not lines:
        lines.append(f"Nothing matches {wanted!r}.")
    if ended.isolation == "none":
        lines.append("[isolation: none]")
    return ToolResult(
        redacted("\n".join(lines), context.secrets),
        {"matches": len(search.matches), "more": search.more, "isolation": ended.isolation},
        empty=not search.matches,
    )


def _matching(entries: Sequence[FileEntry], wanted: Sequence[str]) -> Sequence[str]:
    """Files whose path fits; those of a repository's `.git` only when it is named."""
    return [
        entry.path
        for entry in entries
        if not entry.folder
        and pattern.matches(parts := entry.path.split("/"), wanted)
        and (".git" not in parts or ".git" in wanted)
    ]


def _listing(lines: Sequence[str], facts: Mapping[str, int], nothing: str) -> ToolResult:
    if not lines:
        return ToolResult(nothing, facts, empty=True)
    kept = list(lines[:_MOST_ENTRIES])
    if len(lines) > len(kept):
        kept.append(f"[{len(lines) - len(kept):,} more]")
    return ToolResult("\n".join(kept), facts)


def _decoded(data: bytes, path: str) -> tuple[str, str]:
    """The text and its encoding. Raises ToolRetry for what is no text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), "utf-16"
    if b"\0" in data[:_PREFIX_BYTES]:
        kind = mimetypes.guess_type(path)[0] or "of unknown type"
        raise ToolRetry(f"{path!r} is a binary file ({kind}, {len(data):,} bytes), not text")
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), "Windows-1252"


def _within(lines: Sequence[str], most: int) -> Sequence[str]:
    """The first lines that together have at most `most` characters, at least one."""
    kept: list[str] = []
    for line in lines:
        most -= len(line) + 1
        if most < 0 and kept:
            break
        kept.append(line)
    return kept


def _cut(line: str) -> str:
    rest = len(line) - _LINE_CHARACTERS
    return line if rest <= 0 else f"{line[:_LINE_CHARACTERS]} [... {rest:,} characters more]"


def _line_numbers(data: bytes, wanted: bytes) -> str:
    numbers: list[str] = []
    place = data.find(wanted)
    while place >= 0 and len(numbers) < _MOST_PLACES:
        numbers.append(str(data.count(b"\n", 0, place) + 1))
        place = data.find(wanted, place + len(wanted))
    return ", ".join(numbers) + (", ..." if place >= 0 else "")


def _not_found(arguments: EditArguments, data: bytes) -> str:
    """Why `old` does not fit, with the lines that look most like its first one."""
    lines = data.decode("utf-8", "replace").splitlines()[:_MOST_COMPARED]
    first = next((line for line in arguments.old.splitlines() if line.strip()), arguments.old)
    near = difflib.get_close_matches(
        first.strip()[:_COMPARED_CHARACTERS],
        {line.strip()[:_COMPARED_CHARACTERS] for line in lines},
        n=_MOST_PLACES,
    )
    told = [
        f"{number}: {_cut(line)}"
        for number, line in enumerate(lines, 1)
        if line.strip()[:_COMPARED_CHARACTERS] in near
    ]
    hint = "; near lines:\n" + "\n".join(told[:_MOST_PLACES]) if told else ""
    return f"`old` does not occur in {arguments.path!r}{hint or '; read the file first'}"
