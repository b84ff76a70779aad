"""What PyYAML says of a text that is no YAML, and what usually helps."""

from __future__ import annotations

from typing import Any

import yaml

_HINTS = (
    (
        "mapping values are not allowed",
        "put a text with a colon in quotes, or mend the indentation",
    ),
    ("cannot start any token", "put text that begins with a special character in quotes"),
    ("expected alphabetic", "put text that begins with * or & in quotes"),
    ("unexpected end", "a quote or bracket that is opened here is never closed"),
    ("or ']'", "a [ is not closed, or a comma is missing"),
    ("or '}'", "a { is not closed, or a comma is missing"),
    ("expected '-'", "list entries begin with `- ` in the same column"),
    ("expected ':'", "a key needs a colon and a space after it"),
    ("escape", "use single quotes, or write the backslash twice"),
)


def explain(error: yaml.YAMLError, text: str) -> tuple[int, str, str]:
    """Line (counted from 0), problem and hint."""
    said: str = getattr(error, "problem", None) or str(error).partition("\n")[0]
    mark: Any = getattr(error, "problem_mark", None)
    if mark is None:
        position: int = getattr(error, "position", 0)
        return text.count("\n", 0, position), said, "take the character out"
    context: Any = getattr(error, "context_mark", None)
    last = text.rstrip().count("\n")
    at_end = mark.line > last
    line = min(context.line if at_end and context is not None else mark.line, last)
    if _is_indented_by_tab(text, line):
        return line, "a tab indents this line", "indent with spaces"
    usual = "look at the indentation, quotes and colons here and just above"
    return line, said, next((hint for part, hint in _HINTS if part in said), usual)


def _is_indented_by_tab(text: str, line: int) -> bool:
    lines = text.split("\n")
    if line >= len(lines):
        return False
    return "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]
