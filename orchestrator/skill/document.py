"""A Skill Document, read as leniently as people write it (https://agentskills.io/specification)."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import ConfigError, NotFoundError, Problem
from orchestrator.skill import specification
from orchestrator.skill.files import SkillFile, list_files
from orchestrator.text import front_matter
from orchestrator.text.text_file import read_data
from orchestrator.text.yaml_file import Document, Node

SKILL_FILE = "SKILL.md"

MAX_BYTES = 1_000_000
"""Of a `SKILL.md`."""


_NO_SKILLS = frozenset({".git", ".versions", ".staging", ".venv", "node_modules", "__pycache__"})


@dataclass(frozen=True)
class SkillDocument:
    """A skill: what it is for, how it is done, and the files that come with it."""

    name: str
    description: str
    """What it does and when to use it."""
    body: str
    license: str | None = None
    compatibility: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    allowed_tools: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the front matter that the specification does not know."""
    folder: Path | None = None
    """Where `files` lie; None: written nowhere yet."""
    files: tuple[SkillFile, ...] = ()
    """All but the `SKILL.md`."""
    warnings: tuple[Problem, ...] = ()
    """What is not as the specification wants it."""

    def replace(self, **changes: Any) -> SkillDocument:
        return dataclasses.replace(self, **changes)


def read_skill(path: Path) -> SkillDocument:
    """The skill in that folder, or in the folder of that `SKILL.md`, as far as it can be read.

    What is wrong becomes a warning: a missing name is the folder's, a missing description the
    body's first paragraph, front matter that is no YAML is read line by line. Raises NotFoundError
    when there is no `SKILL.md`, ConfigError when it is no text or too large.
    """
    file = _skill_file(path)
    data = read_data(file, most=MAX_BYTES)
    reader = _Reader(file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", errors="replace")
        line = data.count(b"\n", 0, error.start) + 1
        reader.warn(line, "", "is not UTF-8 text", "save it as UTF-8")
    return reader.read(text)


def find_skills(path: Path) -> Sequence[Path]:
    """The folders with a `SKILL.md` at or below `path`, not deeper than one of them, sorted; links
    are not followed.
    """
    found: list[Path] = []
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        if any((folder / name).is_file() for name in (SKILL_FILE, SKILL_FILE.lower())):
            found.append(folder)
            continue
        waiting += [
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.is_symlink() and entry.name not in _NO_SKILLS
        ]
    return sorted(found)


def _skill_file(path: Path) -> Path:
    if path.is_dir():
        for name in (SKILL_FILE, SKILL_FILE.lower()):
            if (path / name).is_file():
                return path / name
    elif path.is_file() and path.name.lower() == SKILL_FILE.lower():
        return path
    raise NotFoundError(SKILL_FILE, str(path), hint="name a folder that holds one")


class _Reader:
    """Reads one file; warnings gather on the way."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._warnings: list[Problem] = []

    def warn(self, line: int | None, key: str, problem: str, hint: str) -> None:
        self._warnings.append(Problem(str(self._file), line, key, problem, hint))

    def read(self, text: str) -> SkillDocument:
        halves = front_matter.split(text)
        keys, front = self._keys(halves)
        folder = self._file.resolve().parent
        name = _text(keys.get("name")).strip()
        if not name:
            self._missing("name", "the folder's name is taken")
            name = folder.name
        description = _text(keys.get("description")).strip()
        if not description:
            self._missing("description", "the first paragraph is taken")
            description = _first_paragraph(halves.body) or name
        files, left_out = list_files(folder, without=self._file.name)
        for problem in left_out:
            self._warnings.append(problem)
        document = SkillDocument(
            name=name,
            description=description,
            body=halves.body.strip("\n"),
            license=_optional(keys.get("license")),
            compatibility=_optional(keys.get("compatibility")),
            metadata=_metadata(keys.get("metadata")),
            allowed_tools=_tools(keys.get("allowed-tools")),
            extra={key: keys[key] for key in keys if key not in specification.KEYS},
            folder=folder,
            files=files,
        )
        self._check(document, keys, front)
        return document.replace(warnings=tuple(self._warnings))

    def _keys(self, halves: front_matter.FrontMatter) -> tuple[dict[str, Any], Document | None]:
        if halves.front is None:
            problem = "the front matter does not end" if halves.begins else "has no front matter"
            self.warn(1, "", problem, "begin with `---`, name, description, `---`")
            return {}, None
        try:
            front = front_matter.parse(halves.front, str(self._file))
        except ConfigError as error:
            self._warnings += error.problems
            return _line_by_line(halves.front), None
        self._warnings += front.problems
        if not isinstance(front.value, dict):
            self.warn(2, "", "has no `key: value` lines", "give name and description")
            return {}, None
        return front.value, front

    def _missing(self, key: str, instead: str) -> None:
        self.warn(None, key, f"is missing; {instead}", "add it to the front matter")

    def _check(
        self, document: SkillDocument, keys: Mapping[str, Any], front: Document | None
    ) -> None:
        def note(key: str, problem: str, hint: str) -> None:
            if front is None:
                self.warn(None, key, problem, hint)
            else:
                self._warnings.append(front.problem((key,), problem, hint))

        for key, problem, hint in specification.violations(document):
            note(key, problem, hint)
        if self._file.name != SKILL_FILE:
            self.warn(None, "", f"is named {self._file.name!r}", f"name it {SKILL_FILE}")
        folder = self._file.resolve().parent.name
        if document.name != folder:
            note("name", f"is {document.name!r}, the folder is {folder!r}", "make them the same")
        for key in ("name", "description", "license", "compatibility", "allowed-tools"):
            if key in keys and keys[key] is not None and not isinstance(keys[key], str):
                kind = _kind(keys[key])
                note(key, f"is a {kind}; the specification wants text", "write it as one text")
        for key, problem, hint in _odd_metadata(keys.get("metadata")):
            note(key, problem, hint)
        if front is not None:
            for key, (_, node) in front.root.parts.items():
                if _has_flow(node):
                    hint = "write block style; strict readers refuse the other"
                    note(str(key), "is written in flow style ([…] or {…})", hint)


def _odd_metadata(value: Any) -> Sequence[tuple[str, str, str]]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        return [("metadata", f"is a {_kind(value)}", "write `key: value` lines")]
    entries: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]  from YAML
    odd = [key for key, each in entries.items() if not isinstance(each, str)]
    if not odd:
        return ()
    return [("metadata", f"{', '.join(odd[:5])}: not text", "put each value in quotes")]


def _has_flow(node: Node) -> bool:
    return node.flow or any(_has_flow(part) for _, part in node.parts.values())


def _kind(value: Any) -> str:
    kinds = ((list, "list"), (dict, "mapping"), (bool, "truth value"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "number")


def _text(value: Any) -> str:
    """Any value as one text: scalars as they are written, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _optional(value: Any) -> str | None:
    return _text(value).strip() or None


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {"metadata": _text(value)} if value is not None else {}
    entries: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]  from YAML
    return {key: _text(each) for key, each in entries.items()}


def _tools(value: Any) -> tuple[str, ...]:
    """`Bash(git add *)` is one tool: blanks and commas inside brackets do not divide."""
    if isinstance(value, list):
        names: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]  from YAML
        return tuple(_text(name) for name in names)
    return tuple(re.findall(r"(?:[^\s,(]|\([^)]*\)?)+", _text(value)))


def _line_by_line(front: str) -> dict[str, Any]:
    """Top-level `key: value` lines of a text that is no YAML."""
    found: dict[str, Any] = {}
    for match in re.finditer(r"^([A-Za-z][\w-]*):[ \t]*(\S.*)$", front, re.MULTILINE):
        found.setdefault(match[1], match[2].strip().strip("'\""))
    return found


def _first_paragraph(body: str) -> str:
    paragraphs = (part.strip() for part in re.split(r"\n\s*\n", body))
    prose = (part for part in paragraphs if part and not part.startswith(("#", "```", "|")))
    return " ".join(next(prose, "").split())[: specification.MAX_DESCRIPTION]
