from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator.index
from orchestrator.index import TOKENIZER, count_tokens

DATA = Path(orchestrator.index.__file__).parent / "data"


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("hello world", 2), ("tokenization", 2), ("Hello, World!", 4), ("東京", 2)],
)
def test_tokens_are_counted(text: str, count: int) -> None:
    assert count_tokens(text) == count


def test_a_long_text_is_counted_to_its_end() -> None:
    assert count_tokens("word " * 10_000) == 10_000


@given(st.text())
def test_any_text_can_be_counted(text: str) -> None:
    assert count_tokens(text) >= 0


def test_half_a_surrogate_pair_can_be_counted() -> None:
    assert count_tokens("a \ud83d b") >= 2


def test_the_tokenizer_has_a_name_and_its_file_a_licence() -> None:
    assert TOKENIZER == "all-MiniLM-L6-v2 WordPiece"
    digest = hashlib.sha256((DATA / "tokenizer.json").read_bytes()).hexdigest()
    assert digest in (DATA / "README.md").read_text(encoding="utf-8")
    assert "Apache License" in (DATA / "LICENSE.apache-2.0").read_text(encoding="utf-8")
