from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.home import Home
from orchestrator.profile import load_settings
from orchestrator.settings import Settings
from tests.profile.conftest import VOCABULARY


def settings(home: Path, text: str | None) -> Settings:
    home.mkdir(exist_ok=True)
    if text is not None:
        (home / "settings.yaml").write_text(text)
    return load_settings(home, vocabulary=VOCABULARY)


@pytest.mark.parametrize("text", [None, "", "# model: openai\n", "{}"])
def test_without_settings_all_is_as_usual(home: Home, text: str | None) -> None:
    assert settings(home.root, text) == Settings()


def test_settings_are_read(home: Home) -> None:
    read = settings(home.root, "model: openai/gpt\nkeep_unfinished_days: 3\n")
    assert (read.model, read.keep_unfinished_days) == ("openai/gpt", 3)


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("\nmodle: openai\n", 2, "modle", "did you mean 'model'?"),
        ("model: opena/x\n", 1, "model", "did you mean 'openai'?"),
        ("model: 5\n", 1, "model", "put it in quotes"),
        ("keep_unfinished_days: soon", 1, "keep_unfinished_days", "write it in digits"),
        ("[]", 1, "", "indent the keys below it"),
        ("model: a\nmodel: b\n", 2, "model", "keep one of them"),
    ],
)
def test_bad_settings_are_refused_where_they_are_bad(
    home: Home, text: str, line: int, key: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(home.root, text)
    problem = caught.value.problems[0]
    assert (problem.line, problem.key) == (line, key)
    assert problem.hint.startswith(hint)
