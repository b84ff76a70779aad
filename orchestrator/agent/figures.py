"""Which figures of an answer no source gave."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?![\w])")
_SMALL = 10
"""Whole numbers up to this one are counted in passing ("three files"), no source is asked."""


def untraced(answer: str, sources: Iterable[str]) -> Sequence[str]:
    """The numbers of `answer` that stand in no source, not even rounded; in their order."""
    known = {value for source in sources for _, value in _numbers(source)}
    missing: list[str] = []
    for text, value in _numbers(answer):
        decimals = len(text.partition(".")[2])
        small = decimals == 0 and abs(value) <= _SMALL
        if not small and not any(round(other, decimals) == value for other in known):
            missing.append(text)
    return list(dict.fromkeys(missing))


def _numbers(text: str) -> Iterable[tuple[str, float]]:
    for match in _NUMBER.finditer(text):
        digits = match[0].replace(",", "").lstrip("+")
        yield digits, float(digits)
