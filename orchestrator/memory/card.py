"""The card: what is known of a peer in a few lines, the surest first."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.memory.user_model import Conclusion, Kind

MOST_LINES = 40
MOST_CHARACTERS = 200
"""Of a line."""

ORDER: Sequence[Kind] = (
    "identity",
    "instruction",
    "relationship",
    "preference",
    "attribute",
    "event",
)


def card(conclusions: Sequence[Conclusion], names: Sequence[str] = ()) -> Sequence[str]:
    """Lines such as `IDENTITY: lives in Lyon`, of those that hold; `names`: of the peer, which need
    not be said again in each line.
    """
    doubted = {
        premise
        for each in conclusions
        if each.level == "contradiction" and each.valid
        for premise in each.premises
    }
    shown = [each for each in conclusions if each.valid and each.id not in doubted]
    shown.sort(key=lambda each: (ORDER.index(each.kind), -each.times, -each.last_said.timestamp()))
    lines = [_line(each, names) for each in shown]
    return list(dict.fromkeys(lines))[:MOST_LINES]


def _line(conclusion: Conclusion, names: Sequence[str]) -> str:
    text = conclusion.text
    for name in names:
        text = text.removeprefix(f"{name} ").removeprefix(f"{name}'s ")
    prefix = "UNCLEAR" if conclusion.level == "contradiction" else conclusion.kind.upper()
    line = f"{prefix}: {text}"
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1].rstrip()}…"
