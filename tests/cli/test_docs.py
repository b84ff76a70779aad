"""Every command that a page of docs/ shows can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.grammar import parse

DOCS = Path(__file__).parents[2] / "docs"


def shown(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("retinue ")]


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.name != "cli.md" and shown(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_commands_can_be_typed(page: Path) -> None:
    for line in shown(page):
        assert parse(shlex.split(line, comments=True)[1:]), line


def test_there_are_commands_to_check() -> None:
    assert {"skills.md", "workflows.md"} <= {page.name for page in PAGES}
