"""Glob patterns over paths that are already split into their parts.

Matched part by part: `*`, `?` and `[…]` stay within a part, `**` stands for any number of parts,
and no pattern takes longer than the product of both lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

_WILD = frozenset("*?[")


def fixed(pattern: Sequence[str]) -> Sequence[str]:
    """The leading folders that hold no wildcard, below which every match lies."""
    parts: list[str] = []
    for part in pattern[:-1]:
        if _WILD & set(part):
            break
        parts.append(part)
    return parts


def matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the whole path fits the whole pattern."""
    reached = [True] + [False] * len(path)
    for wanted in pattern:
        if wanted == "**":
            first = reached.index(True) if True in reached else len(reached)
            reached = [place >= first for place in range(len(reached))]
        else:
            reached = [False] + [
                reached[place] and fnmatchcase(part, wanted) for place, part in enumerate(path)
            ]
    return reached[-1]
