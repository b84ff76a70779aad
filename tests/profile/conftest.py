from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, Problem
from orchestrator.home import Home
from orchestrator.profile import Team, Vocabulary, load_team, validate
from orchestrator.tool.catalog import TOOLS

VOCABULARY = Vocabulary(
    tools=TOOLS,
    core=("read", "write", "tool_search", "call_tool"),
    providers=frozenset({"openai", "anthropic", "local", "rehearsal"}),
)

ANALYST = """\
---
name: analyst
description: Answers from tables
tools: [read, grep]
examples: [How many rows are there?]
---
You answer from tables.
"""


@dataclass(frozen=True)
class Bench:
    """A project folder to write files into, and the ways to load them."""

    project: Path
    home: Path

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def load(self, source: str | Path) -> Team:
        return load_team(source, project=self.project, home=self.home, vocabulary=VOCABULARY)

    def team(self, text: str) -> Team:
        return self.load(self.write("team.yaml", text))

    def refused(self, text: str | bytes) -> Sequence[Problem]:
        """The problems with which a team of that text is refused."""
        with pytest.raises(ConfigError) as caught:
            self.load(self.write("team.yaml", text))
        return caught.value.problems

    def problems(self, *paths: str | Path) -> Sequence[Problem]:
        return validate(paths, project=self.project, home=self.home, vocabulary=VOCABULARY)


@pytest.fixture
def bench(tmp_path: Path, home: Home) -> Bench:
    """With one agent, `analyst`, in the project."""
    bench = Bench(tmp_path / "project", home.root)
    bench.write("agents/analyst.md", ANALYST)
    return bench
