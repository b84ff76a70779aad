"""Markdown that begins with front matter: YAML between two lines `---`, then the body."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from orchestrator.errors import ConfigError
from orchestrator.text.yaml_file import Document, parse_yaml

_FENCE = re.compile(r"---[ \t]*")


@dataclass(frozen=True)
class FrontMatter:
    """The two halves of a Markdown text, neither of them read yet."""

    front: str | None
    """None: the text does not begin with `---`, or no second one ends it."""
    begins: bool
    """A first `---` is there."""
    body: str
    body_line: int
    """Where the body begins, counted from 1."""


def split(text: str) -> FrontMatter:
    lines = text.replace("\r\n", "\n").split("\n")
    begins = _FENCE.fullmatch(lines[0]) is not None
    ends = (at for at, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line))
    end = next(ends, None) if begins else None
    if end is None:
        return FrontMatter(None, begins, "\n".join(lines), 1)
    return FrontMatter("\n".join(lines[1:end]), True, "\n".join(lines[end + 1 :]), end + 2)


def parse(front: str, file: str) -> Document:
    """The front matter's YAML; a description that is no valid YAML is taken literally, as Claude
    Code does, which writes such descriptions itself. Raises ConfigError.
    """
    try:
        return parse_yaml(front, file, first_line=2)
    except ConfigError:
        literal = _with_literal_description(front)
        if literal == front:
            raise
        return parse_yaml(literal, file, first_line=2)


def _with_literal_description(front: str) -> str:
    """The description in quotes, up to the next key; dialogues may stand in it."""

    def quoted(match: re.Match[str]) -> str:
        text = match[1].strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            text = text[1:-1]
        lines = "\n" * match[1].count("\n")
        return f"description: {json.dumps(text, ensure_ascii=False)}{lines}"

    pattern = r"^description:(.*?)(?=^(?!(?:Context|Examples?|user|assistant):)[\w-]+:|\Z)"
    return re.sub(pattern, quoted, front, count=1, flags=re.MULTILINE | re.DOTALL)
