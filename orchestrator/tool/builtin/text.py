"""What a model gets to read of a text: within bounds, and without secrets."""

from __future__ import annotations

from collections.abc import Mapping

_SHORTEST_SECRET = 4
"""Characters; hiding shorter values would riddle ordinary text."""


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the name of each secret in place of its value."""
    for name, value in sorted(secrets.items(), key=lambda item: -len(item[1])):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, f"[secret {name}]")
    return text


def shortened(text: str, most: int) -> str:
    """At most about `most` characters: the beginning and the end, and what is missing between."""
    if len(text) <= most:
        return text
    head, tail = text[: most * 2 // 3], text[-(most // 3) :]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out:,} characters left out ...]\n{tail}"
