"""A skill changes by small operations, and nothing of it is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ToolRetry
from orchestrator.skill import Operation, apply

BODY = "# Bees\n\n## Steps\n\n1. Open the hive.\n2. Count.\n\n## Rules\n\n- Be slow."


def test_operations_apply_in_order() -> None:
    changed = apply(
        BODY,
        [
            Operation("add", "2. Count.", "3. Close the hive."),
            Operation("replace", "- Be slow.", "- Be slow and calm."),
            Operation("remove", "1. Open the hive."),
            Operation("add", "", "- Wear white."),
        ],
        supersedes="the hive is open already",
    )
    assert changed == (
        "# Bees\n\n## Steps\n\n2. Count.\n3. Close the hive.\n\n## Rules\n\n"
        "- Be slow and calm.\n- Wear white."
    )


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (Operation("remove", "2. Cuont."), "did you mean '2. Count.'"),
        (Operation("replace", "", "x"), "name the line to replace"),
        (Operation("add", "2. Count.", " \n"), "`add` needs a text"),
    ],
)
def test_what_cannot_be_applied_is_explained(operation: Operation, told: str) -> None:
    with pytest.raises(ToolRetry, match=told.replace("(", r"\(")):
        apply(BODY, [operation])


def test_an_anchor_that_stands_twice_is_refused() -> None:
    with pytest.raises(ToolRetry, match="stands there 2 times"):
        apply("- a\n- a\n- b", [Operation("remove", "- a")])


def test_a_patch_that_drops_much_needs_a_reason() -> None:
    drop = [Operation("remove", line) for line in ("1. Open the hive.", "2. Count.")]
    with pytest.raises(ToolRetry, match="drops 33% of the lines"):
        apply(BODY, drop)
    assert "Count" not in apply(BODY, drop, supersedes="the bees are gone")


@given(st.lists(st.text("abc def\n", min_size=1), max_size=60))
def test_additions_never_lose_a_line(texts: list[str]) -> None:
    body = BODY
    for text in texts:
        if text.strip():
            body = apply(body, [Operation("add", "", text)])
    kept = [line.strip() for line in body.splitlines()]
    assert all(line.strip() in kept for line in BODY.splitlines())
