"""How errors speak."""

from __future__ import annotations

from orchestrator.errors import NotFoundError


def test_a_name_that_leads_nowhere_is_told_in_sentences_that_end_once() -> None:
    def told(*known: str, hint: str = "") -> str:
        return str(NotFoundError("model provider", "nosuch", known, hint))

    assert told() == "no model provider 'nosuch'"
    assert told("nous") == "no model provider 'nosuch'; did you mean 'nous'?"
    assert told(hint="there are two") == "no model provider 'nosuch'; there are two"
    assert told("nous", hint="there are two") == (
        "no model provider 'nosuch'; did you mean 'nous'? (there are two)"
    )
