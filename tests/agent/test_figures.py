"""Figures of an answer are traced to what tools and brief said."""

from __future__ import annotations

import pytest

from orchestrator.agent.figures import untraced


@pytest.mark.parametrize(
    ("answer", "sources", "missing"),
    [
        ("The maximum was 35.6 degrees.", ["35.6"], []),
        ("It was 36 degrees.", ["35.6"], []),
        ("There are 1,461 days.", ["count\n1461"], []),
        ("It fell by -7.1.", ["-7.1"], []),
        ("The maximum was 104 degrees in 1936.", ["35.6"], ["104", "1936"]),
        ("I read 3 files.", [], []),
        ("Version v2 and id a17b are no figures.", [], []),
        ("104 and again 104.", [], ["104"]),
    ],
)
def test_untraced(answer: str, sources: list[str], missing: list[str]) -> None:
    assert list(untraced(answer, sources)) == missing
