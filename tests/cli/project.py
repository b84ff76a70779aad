"""A project with one team, `desk`, that a script plays."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli import main

ASKS = {
    "profile": "writer",
    "calls": [{"tool": "ask_person", "arguments": {"question": "Which year?"}}],
}
WRITES = {
    "profile": "writer",
    "calls": [{"tool": "write", "arguments": {"path": "report.md", "content": "# 1999"}}],
}


@dataclass
class Project:
    folder: Path
    capture: pytest.CaptureFixture[str]

    def play(self, *script: Mapping[str, Any], team: Mapping[str, Any] | None = None) -> None:
        """Write the team and what its members will say."""
        for role in ("analyst", "writer"):
            path = self.folder / "agents" / f"{role}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_text(
                f"---\nname: {role}\ndescription: The {role}.\n---\nYou work.\n", encoding="utf-8"
            )
        content = {
            "name": "desk",
            "supervisor": {"margin": None},
            "members": [
                {"profile": "analyst", "agent": "analyst", "aliases": ["data"]},
                {"profile": "writer", "agent": "writer"},
            ],
            **(team or {}),
        }
        (self.folder / "profiles").mkdir(exist_ok=True)
        self._write("profiles/desk.yaml", content)
        self._write("rehearsal.yaml", list(script))

    def example(self, name: str, workflows: Mapping[str, Any]) -> Path:
        """An example folder with the same team, its own workflows and one input file."""
        folder = self.folder / name
        (folder / "inputs").mkdir(parents=True)
        (folder / "inputs" / "facts.txt").write_text("1999\n", encoding="utf-8")
        team = yaml.safe_load((self.folder / "profiles/desk.yaml").read_text(encoding="utf-8"))
        self._write(f"{name}/team.yaml", {**team, "workflows": workflows})
        (self.folder / "rehearsal.yaml").rename(folder / "rehearsal.yaml")
        (self.folder / "agents").rename(folder / "agents")
        return folder

    def _write(self, name: str, content: object) -> None:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def type(self, *words: str) -> Typed:
        """What comes of a command; the first word is left out: it is always `retinue`."""
        self.capture.readouterr()
        code = main(words)
        out, err = self.capture.readouterr()
        return Typed(code, out, err)

    def rehearse(self, *words: str) -> Typed:
        return self.type(*words, "--model", "rehearsal")


@dataclass(frozen=True)
class Typed:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> Sequence[str]:
        return self.out.splitlines()

    def command(self, words: str) -> Sequence[str]:
        """The words of the first command shown that begins so, without `retinue`."""
        line = next(line for line in self.lines if f"retinue {words}" in line)
        return shlex.split(line[line.index("retinue") :].partition("   ")[0])[1:]
