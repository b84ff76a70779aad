"""Credentials do not get from a task into a skill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.skill import Experience, Step, redacted
from orchestrator.text.credentials import LEFT_OUT, redact

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"curl -H 'Authorization: Bearer {TOKEN}' x", "Bearer [left-out]' x"),
        (f"the ticket {TOKEN} is mine", "the ticket [left-out] is mine"),
        ("PGPASSWORD=hunter22 psql", "PGPASSWORD=[left-out] psql"),
        ('{"api_key": "abcd1234"}', "[left-out]"),
        ("postgres://ann:s3cret@db/x", "postgres://ann:[left-out]@db/x"),
        ("the password is tr0ub4dor", "the password is [left-out]"),
    ],
)
def test_what_looks_like_a_credential_is_left_out(text: str, clean: str) -> None:
    assert clean in redact(text)


@pytest.mark.parametrize(
    "text", ["SELECT token FROM words", "Count the tokens of a text", "author: Ann", "x = 1"]
)
def test_plain_text_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text("abcdefgh0123456789-", min_size=6, max_size=30))
def test_a_known_secret_is_nowhere_left(secret: str) -> None:
    step = Step("shell", {"command": f"x {secret}", "more": [{"a": secret}]}, "ok", secret)
    told = Experience("r", "t", "a/b", f"use {secret}", (step,), (f"no, {secret}",))
    clean = redacted(told, [secret])
    assert secret not in repr(clean).replace(LEFT_OUT, "")
