"""Whom a typed message is for."""

from __future__ import annotations

import pytest

from orchestrator.cli.address import addressed
from orchestrator.errors import NotFoundError
from tests.cli.teams import desk


@pytest.mark.parametrize(
    ("text", "target", "rest"),
    [
        ("@analyst how many?", "analyst", "how many?"),
        ("@Analyst: how many?", "analyst", "how many?"),
        ("@data, how many?", "analyst", "how many?"),
        ("writer: shorter", "writer", "shorter"),
        ("Writer, shorter", "writer", "shorter"),
        ("@writer\nshorter", "writer", "shorter"),
        ("@desk who is free?", None, "who is free?"),
        ("@supervisor who is free?", None, "who is free?"),
        ("how many? @analyst", None, "how many? @analyst"),
        ("Note: analyst is busy", None, "Note: analyst is busy"),
        ("me@analyst.org wrote", None, "me@analyst.org wrote"),
        ("analyst", None, "analyst"),
        ("`@writer` is a name", None, "`@writer` is a name"),
        ("> @writer said", None, "> @writer said"),
    ],
)
def test_only_a_name_at_the_beginning_is_an_address(
    text: str, target: str | None, rest: str
) -> None:
    assert addressed(desk(), text) == (target, rest)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="'analyst'"):
        addressed(desk(), "@analist how many?")


def test_a_message_without_a_name_goes_to_the_default_and_the_supervisor_stays_in_reach() -> None:
    assert addressed(desk(), "shorter", "writer").target == "writer"
    assert addressed(desk(), "@desk shorter", "writer").target is None
    with pytest.raises(NotFoundError):
        addressed(desk(), "shorter", "wrter")
