"""YAML as people write it, read with the line of every key, and every way of being wrong named.

The values are those of PyYAML's safe loader, save three traps: a date stays text, `12:30` stays
text, and a key is always the text that stands there (`on:`, `1:`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import yaml

from orchestrator.errors import ConfigError, Problem
from orchestrator.text.text_file import read_text
from orchestrator.text.yaml_syntax import explain

if TYPE_CHECKING:
    from yaml import CSafeLoader as SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 40
MAX_VALUES = 100_000
"""Values in one file, counted after its aliases are followed."""

Loc: TypeAlias = "tuple[str | int, ...]"
"""Where something stands: keys and list positions, from the top."""

Value: TypeAlias = "str | int | float | list[Any] | dict[str, Any] | None"

_TAG = "tag:yaml.org,2002:"
_TEXT = f"{_TAG}str"
_SCALARS = frozenset({_TEXT, *(f"{_TAG}{name}" for name in ("int", "float", "bool", "null"))})


@dataclass(frozen=True)
class Node:
    """A value, and where its parts stand."""

    value: Value
    size: int = 1
    """Values in it, itself included."""
    parts: Mapping[str | int, tuple[int, Node]] = field(
        default_factory=dict[str | int, "tuple[int, Node]"]
    )
    """Line and node by key or position."""
    flow: bool = False
    """Written as `[…]` or `{…}`."""


@dataclass(frozen=True)
class Document:
    """One YAML text."""

    file: str
    root: Node
    line: int
    """Where it begins."""
    problems: Sequence[Problem]
    """What is wrong although it could be read: keys given twice, tags."""

    @property
    def value(self) -> Value:
        """None for an empty text."""
        return self.root.value

    def problem(self, loc: Loc, problem: str, hint: str) -> Problem:
        """A problem at that place, or at the nearest thing above it that stands in the text."""
        key, line = self._find(loc)
        return Problem(self.file, line, key, problem, hint)

    def _find(self, loc: Loc) -> tuple[str, int]:
        node: Node | None = self.root
        line = self.line
        key: list[str] = []
        for step in loc:
            if node is not None and not isinstance(node.value, dict | list):
                break
            if node is not None and isinstance(node.value, list) and isinstance(step, str):
                continue  # a list was given for a model that holds one, such as `tools:`
            key.append(str(step))
            found = node.parts.get(step) if node is not None else None
            if found is None:
                node = None
            else:
                line, node = found
        return ".".join(key), line


def read_yaml(path: Path) -> Document:
    """Raises ConfigError when it cannot be read at all."""
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, file: str, *, first_line: int = 1) -> Document:
    """The one document in `text`, which begins at `first_line` of `file`. Raises ConfigError."""
    composer = _Composer(text, file, first_line)
    root = composer.document()
    return Document(file, root, first_line, tuple(composer.problems))


class _Loader(SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  a class attribute that PyYAML defines
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
    }


class _Composer:
    """Builds nodes from PyYAML's events; its own composer would follow any depth and any alias."""

    def __init__(self, text: str, file: str, first_line: int) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._file = file
        self._first_line = first_line
        self._anchors: dict[str, Node | None] = {}
        """None while the anchored value is being read."""
        self._count = 0

    def document(self) -> Node:
        try:
            self._loader: Any = _Loader(self._text)
            self._next()
            if isinstance(self._next(), yaml.StreamEndEvent):
                return Node(None)
            root = self._node(self._next(), ())
            self._next()
            end = self._next()
            if not isinstance(end, yaml.StreamEndEvent):
                self._give_up(end, (), "a second document begins here", "take the `---` line out")
        except yaml.YAMLError as error:
            line, problem, hint = explain(error, self._text)
            place = Problem(self._file, line + self._first_line, "", problem, hint)
            raise ConfigError([*self.problems, place]) from error
        return root

    def _next(self) -> Any:
        return self._loader.get_event()

    def _node(self, event: Any, loc: Loc) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, loc)
        self._spend(1, event, loc)
        if len(loc) > MAX_DEPTH:
            self._give_up(event, loc[:3], f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self._scalar(event, loc))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, loc)
        else:
            node = self._mapping(event, loc)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, loc: Loc) -> Node:
        if event.anchor not in self._anchors:
            self._give_up(
                event,
                loc,
                f"no anchor {event.anchor!r} above",
                "put text that begins with * in quotes",
            )
        node = self._anchors[event.anchor]
        if node is None:
            self._give_up(event, loc, f"{event.anchor!r} holds itself", "take the alias out")
        self._spend(node.size, event, loc)
        return node

    def _scalar(self, event: Any, loc: Loc) -> Value:
        text: str = event.value
        tag: str | None = event.tag
        if tag in (None, "!"):
            plain = event.implicit[0] and tag is None
            tag = self._loader.resolve(yaml.ScalarNode, text, (plain, not plain))
            if tag == _TEXT or tag not in _SCALARS or ":" in text:
                return text
        elif tag not in _SCALARS:
            self._tag(event, loc)
            return text
        try:
            return self._loader.yaml_constructors[tag](self._loader, yaml.ScalarNode(tag, text))
        except (ValueError, KeyError, IndexError):
            shown = text if len(text) <= 40 else text[:40] + "…"
            self._report(event, loc, f"{shown!r} is no {tag.removeprefix(_TAG)}", "correct it")
            return text

    def _sequence(self, start: Any, loc: Loc) -> Node:
        self._collection_tag(start, loc, "seq")
        values: list[Any] = []
        parts: dict[str | int, tuple[int, Node]] = {}
        size = 1
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            node = self._node(event, (*loc, len(values)))
            parts[len(values)] = (self._line(event), node)
            values.append(node.value)
            size += node.size
        return Node(values, size, parts, bool(start.flow_style))

    def _mapping(self, start: Any, loc: Loc) -> Node:
        self._collection_tag(start, loc, "map")
        parts: dict[str | int, tuple[int, Node]] = {}
        merged: dict[str | int, tuple[int, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, loc)
            node = self._node(self._next(), (*loc, key))
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged |= self._merged(event, loc, node)
            elif key in parts:
                first = parts[key][0]
                self._report(
                    event, (*loc, key), f"given twice, first in line {first}", "keep one of them"
                )
            else:
                parts[key] = (self._line(event), node)
        parts = merged | parts
        values = {str(key): node.value for key, (_, node) in parts.items()}
        size = 1 + sum(node.size for _, node in parts.values())
        return Node(values, size, parts, bool(start.flow_style))

    def _key(self, event: Any, loc: Loc) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)
        key = self._node(event, (*loc, "?"))
        if not isinstance(key.value, str):
            self._report(
                event, loc, "a key must be text", "put text that begins with { or [ in quotes"
            )
        return str(key.value)

    def _merged(self, event: Any, loc: Loc, node: Node) -> Mapping[str | int, tuple[int, Node]]:
        """What `<<:` takes over; of several mappings the first wins."""
        several = isinstance(node.value, list)
        sources = [part for _, part in node.parts.values()] if several else [node]
        merged: dict[str | int, tuple[int, Node]] = {}
        for source in reversed(sources):
            if not isinstance(source.value, dict):
                self._report(
                    event, (*loc, "<<"), "must be a mapping or a list of them", "correct it"
                )
                return {}
            self._spend(source.size, event, loc)
            merged |= source.parts
        return merged

    def _collection_tag(self, event: Any, loc: Loc, usual: str) -> None:
        if event.tag not in (None, "!", f"{_TAG}{usual}"):
            self._tag(event, loc)

    def _tag(self, event: Any, loc: Loc) -> None:
        shown = str(event.tag).replace(_TAG, "!!")
        self._report(event, loc, f"the tag {shown!r} has no meaning here", "take it out")

    def _spend(self, values: int, event: Any, loc: Loc) -> None:
        """Counts every value as often as aliases repeat it, before anything walks through it."""
        self._count += values
        if self._count > MAX_VALUES:
            problem = f"grows to more than {MAX_VALUES:,} values"
            self._give_up(event, loc, problem, "use fewer values and aliases")

    def _line(self, event: Any) -> int:
        return int(event.start_mark.line) + self._first_line

    def _report(self, event: Any, loc: Loc, problem: str, hint: str) -> None:
        key = ".".join(str(step) for step in loc)
        self.problems.append(Problem(self._file, self._line(event), key, problem, hint))

    def _give_up(self, event: Any, loc: Loc, problem: str, hint: str) -> NoReturn:
        self._report(event, loc, problem, hint)
        raise ConfigError(self.problems)
