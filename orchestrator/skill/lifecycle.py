"""What recorded evidence says should become of a version: promotion, suspicion, or nothing yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.skill.evidence import Tally
from orchestrator.skill.states import State

LEAST_USES = 3
"""With known outcome, that loaded the version, before it is promoted."""
_SURE = 0.9
"""Probability that it helps, from which on it is trusted."""
_HARM = 0.8
"""Probability that it harms by more than the margin, from which on it is suspect."""
_MARGIN = 0.05
_FAILURES = 2
"""In a row, each with the version loaded."""

_GRID = 400


@dataclass(frozen=True)
class Verdict:
    to: State
    why: str


def judge(state: State, tally: Tally) -> Verdict | None:
    """Where a version on trial or trusted should go; None: it stays.

    The share of successes with and without the version are Beta(1 + successes, 1 + failures).
    """
    if state not in ("trial", "trusted"):
        return None
    seen = f"{tally.successes} of {_uses(tally)} tasks went well with it"
    seen += f", {tally.successes_without} of {_uses_without(tally)} without"
    if tally.failures_in_a_row >= _FAILURES:
        return Verdict("suspect", f"{tally.failures_in_a_row} failures in a row ({seen})")
    if _uses(tally) >= LEAST_USES and _uses_without(tally):
        harm = probability_of_more(_without(tally), _with(tally), margin=_MARGIN)
        if harm >= _HARM:
            return Verdict("suspect", f"it does harm with probability {harm:.2f} ({seen})")
    if state == "trial" and _uses(tally) >= LEAST_USES:
        help_ = probability_of_more(_with(tally), _without(tally))
        if help_ >= _SURE:
            return Verdict("trusted", f"it helps with probability {help_:.2f} ({seen})")
    return None


def probability_of_more(
    one: tuple[int, int], other: tuple[int, int], *, margin: float = 0.0
) -> float:
    """P(p_one > p_other + margin) for two Beta distributions, each given as (a, b) with whole
    numbers of at least 1.
    """
    total = 0.0
    below = 0.0
    densities = [_density(*one, (step + 0.5) / _GRID) for step in range(_GRID)]
    others = [_density(*other, (step + 0.5) / _GRID) for step in range(_GRID)]
    shift = round(margin * _GRID)
    for step, density in enumerate(densities):
        last = step - shift
        if last >= 0:
            below += others[last]
            total += density * (below - others[last] / 2)
    return min(total / (sum(densities) * sum(others)), 1.0)


def _density(a: int, b: int, x: float) -> float:
    """Of Beta(a, b) at x, times a constant."""
    return math.exp((a - 1) * math.log(x) + (b - 1) * math.log(1 - x))


def _uses(tally: Tally) -> int:
    return tally.successes + tally.failures


def _uses_without(tally: Tally) -> int:
    return tally.successes_without + tally.failures_without


def _with(tally: Tally) -> tuple[int, int]:
    return 1 + tally.successes, 1 + tally.failures


def _without(tally: Tally) -> tuple[int, int]:
    return 1 + tally.successes_without, 1 + tally.failures_without
