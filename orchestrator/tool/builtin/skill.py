"""What a member does with skills: find one, read it, write down what it has learned."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from orchestrator.errors import ConfigError, NotFoundError, PersonError, ToolFailed, ToolRetry
from orchestrator.skill import (
    Operation,
    Provenance,
    Shelf,
    SkillDocument,
    Version,
    apply,
    check_text,
)
from orchestrator.skill.files import inside
from orchestrator.skill.triggers import KEY
from orchestrator.tool.base import Arguments, ToolContext, ToolResult

_FILE_BYTES = 200_000
_MOST_FOUND = 10
_LINE = 160
"""Characters of a description in a list."""


class SearchArguments(Arguments):
    query: str = Field(min_length=1)


class SkillSearch:
    """Finds skills beyond those a brief shows."""

    name: ClassVar[str] = "skill_search"
    description: ClassVar[str] = (
        "Find skills for what you are about to do; read one with skill_view."
    )
    arguments: ClassVar[type[Arguments]] = SearchArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: SearchArguments, context: ToolContext) -> ToolResult:
        shelf = _shelf(context)
        hits = await asyncio.to_thread(
            shelf.search, arguments.query, run=context.run, task=context.call, most=_MOST_FOUND
        )
        if not hits:
            return ToolResult(f"(empty) no skill fits {arguments.query!r}", empty=True)
        lines = [f"{hit.name}: {' '.join(hit.description.split())[:_LINE]}" for hit in hits]
        return ToolResult("\n".join(lines), {"skills": [hit.name for hit in hits]})


class ViewArguments(Arguments):
    name: str
    file: str | None = None


class SkillView:
    """Reads a skill's body, then its files on demand; the files also lie in the member's folder."""

    name: ClassVar[str] = "skill_view"
    description: ClassVar[str] = "Read a skill, or one of its files."
    arguments: ClassVar[type[Arguments]] = ViewArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: ViewArguments, context: ToolContext) -> ToolResult:
        shelf = _shelf(context)
        try:
            offer = await asyncio.to_thread(
                shelf.open, arguments.name, run=context.run, task=context.call
            )
        except NotFoundError as error:
            raise ToolRetry(str(error)) from error
        document = offer.document
        if arguments.file is not None:
            return ToolResult(_file(document, arguments.file))
        parts = [document.body]
        if offer.unproven:
            parts.insert(0, "(Unproven: check that each step does what it says.)")
        if document.files and document.folder is not None:
            place = f".skills/{document.name}"
            await context.sandbox.put(document.folder, f"{context.workdir}/{place}")
            names = ", ".join(file.path for file in document.files)
            parts.append(f"Its files lie in {place}: {names}")
        return ToolResult("\n\n".join(parts), {"skill": document.name, "version": offer.n})


class WriteArguments(Arguments):
    name: str
    description: str = Field(min_length=20)
    body: str = Field(min_length=20)
    triggers: tuple[str, ...] = ()


class SkillWrite:
    """Keeps a new skill as a candidate, which serves once outside evidence speaks for it."""

    name: ClassVar[str] = "skill_write"
    description: ClassVar[str] = (
        "Keep a way of working as a skill. description: what it does and when to use it; body: "
        "steps, rules, pitfalls in Markdown; triggers: requests it is for. No single facts."
    )
    arguments: ClassVar[type[Arguments]] = WriteArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: WriteArguments, context: ToolContext) -> ToolResult:
        shelf = _shelf(context)
        document = SkillDocument(
            name=arguments.name,
            description=" ".join(arguments.description.split()),
            body=arguments.body.strip(),
            metadata={KEY: "\n".join(arguments.triggers)} if arguments.triggers else {},
        )
        if _is_taken(shelf, arguments.name, context.run):
            raise ToolRetry(f"there is a skill {arguments.name!r}; change it with skill_patch")
        version = await asyncio.to_thread(_add, shelf, document, context, "written", None)
        return _kept(version)


class Change(Arguments):
    kind: Literal["add", "replace", "remove"]
    anchor: str = ""
    text: str = ""


class PatchArguments(Arguments):
    name: str
    changes: tuple[Change, ...] = Field(min_length=1)
    reason: str = Field(min_length=5)
    supersedes: str = ""


class SkillPatch:
    """Changes a skill by typed operations; the version that serves goes on serving meanwhile."""

    name: ClassVar[str] = "skill_patch"
    description: ClassVar[str] = (
        "Mend a skill. Each change adds text behind the line `anchor` (none: at the end), replaces "
        "that line, or removes it. `supersedes`: why, when much goes."
    )
    arguments: ClassVar[type[Arguments]] = PatchArguments
    idempotent: ClassVar[bool] = True

    async def run(self, arguments: PatchArguments, context: ToolContext) -> ToolResult:
        shelf = _shelf(context)
        base = await asyncio.to_thread(
            shelf.base, arguments.name, run=context.run, task=context.call
        )
        if base is None:
            raise ToolRetry(f"there is no skill {arguments.name!r}; look with skill_search")
        document, parent = base
        changes = [Operation(each.kind, each.anchor, each.text) for each in arguments.changes]
        body = apply(document.body, changes, supersedes=arguments.supersedes)
        reason = "; ".join(part for part in (arguments.reason, arguments.supersedes) if part)
        changed = document.replace(body=body, warnings=())
        version = await asyncio.to_thread(_add, shelf, changed, context, reason, parent)
        return _kept(version)


def _add(
    shelf: Shelf, document: SkillDocument, context: ToolContext, reason: str, parent: int | None
) -> Version:
    refused = [check for check in check_text(document).checks if not check.passed]
    if refused and refused[0].name != "scan":
        raise ToolRetry(f"{refused[0].name}: {refused[0].detail}")
    provenance = Provenance(context.address, "written", reason, runs=(context.run,))
    try:
        return shelf.store.add(document, provenance, parent=parent)
    except (ConfigError, PersonError) as error:
        raise ToolRetry(str(error)) from error


def _is_taken(shelf: Shelf, name: str, run: str) -> bool:
    """Whether the name belongs to a skill; not one of this very run, which a crash may have cut off
    after it was written.
    """
    if name not in shelf.store.names():
        return shelf.document(name) is not None
    return all(run not in version.provenance.runs for version in shelf.store.skill(name).versions)


def _kept(version: Version) -> ToolResult:
    if version.state == "quarantined":
        blocked = [str(each) for each in version.findings if each.verdict == "block"]
        raise ToolFailed(f"{version.label} is quarantined until a person looks: {blocked[0]}")
    text = (
        f"{version.label} is kept as a {version.state}; it serves once outside evidence is for it."
    )
    return ToolResult(text, {"skill": version.skill, "version": version.n})


def _file(document: SkillDocument, path: str) -> str:
    known = {file.path: file for file in document.files}
    if path not in known or document.folder is None:
        names = ", ".join(known) or "none"
        raise ToolRetry(f"{document.name} has no file {path!r}; its files: {names}")
    if known[path].size > _FILE_BYTES:
        raise ToolRetry(f"{path} is larger than {_FILE_BYTES:,} bytes; use the copy in .skills/")
    data = Path(inside(document.folder, path)).read_bytes()
    if b"\0" in data:
        raise ToolRetry(f"{path} is no text; use the copy in .skills/{document.name}")
    return data.decode("utf-8", errors="replace")


def _shelf(context: ToolContext) -> Shelf:
    if context.shelf is None:
        raise ToolFailed("this member has no skills")
    return context.shelf
