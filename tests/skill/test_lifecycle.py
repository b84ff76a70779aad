"""Versions rise and fall by evidence, by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.skill import Tally
from orchestrator.skill.lifecycle import Verdict, judge, probability_of_more
from orchestrator.skill.states import State


def tally(good: int, bad: int, good_without: int = 0, bad_without: int = 0, row: int = 0) -> Tally:
    return Tally(good, bad, good_without, bad_without, failures_in_a_row=row, tokens=0)


@pytest.mark.parametrize(
    ("state", "seen", "to"),
    [
        ("trial", tally(3, 0, 0, 3), "trusted"),
        ("trial", tally(2, 0, 0, 2), None),
        ("trial", tally(3, 0, 3, 0), None),
        ("trial", tally(9, 1, 5, 5), "trusted"),
        ("trial", tally(1, 3, 4, 0), "suspect"),
        ("trial", tally(5, 2, row=2), "suspect"),
        ("trial", tally(5, 1, 0, 5, row=1), "trusted"),
        ("trusted", tally(50, 2, row=2), "suspect"),
        ("trusted", tally(50, 1, row=1), None),
        ("candidate", tally(9, 0, 0, 9), None),
        ("suspect", tally(9, 0, 0, 9), None),
        ("archived", tally(0, 9, row=9), None),
    ],
)
def test_evidence_decides(state: State, seen: Tally, to: str | None) -> None:
    verdict = judge(state, seen)
    assert (verdict.to if isinstance(verdict, Verdict) else None) == to


def test_a_verdict_says_what_was_seen() -> None:
    verdict = judge("trial", tally(3, 0, 1, 3))
    assert verdict is not None
    assert "3 of 3 tasks went well with it, 1 of 4 without" in verdict.why


counts = st.integers(1, 40)


@given(counts, counts, counts, counts)
def test_the_probability_is_one_and_symmetric(a: int, b: int, c: int, d: int) -> None:
    one = probability_of_more((a, b), (c, d))
    assert 0 <= one <= 1
    assert one + probability_of_more((c, d), (a, b)) == pytest.approx(1, abs=1e-6)


def test_the_probability_is_the_known_one() -> None:
    assert probability_of_more((4, 1), (1, 4)) == pytest.approx(69 / 70, abs=0.002)
    assert probability_of_more((1, 1), (1, 1), margin=0.5) == pytest.approx(1 / 8, abs=0.005)
