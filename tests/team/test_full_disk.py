"""A disk that fills up in mid-run: told plainly, and the run goes on once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import HomeError
from orchestrator.events import Event, MemberStarted
from orchestrator.home import Home
from tests.company import Company
from tests.conftest import fill_up

PLAN = {"tool": "plan", "arguments": {"items": [{"text": "x" * 500}]}}


async def test_a_full_disk_is_named_and_the_run_goes_on_later(
    small_disk: Path, tmp_path: Path
) -> None:
    company = Company(tmp_path / "project", Home(small_disk / "home"))
    company.hire(
        [
            {"profile": "supervisor", "calls": [assign(n) for n in ("counter", "scribe")]},
            {"profile": "counter", "calls": [PLAN]},
            {"profile": "counter", "say": "41"},
            {"profile": "scribe", "say": "Dear Sir"},
            {"profile": "supervisor", "say": "41, Dear Sir"},
        ],
        members={"counter": {"tools": ["plan"]}, "scribe": {"tools": ["plan"]}},
    )
    filler = small_disk / "filler"

    def fill(event: Event) -> None:
        if isinstance(event, MemberStarted):
            with pytest.raises(OSError, match="No space"):
                fill_up(filler)

    company.listener = fill
    told = ""
    try:
        result = await company.run("Count and write")
        told = result.error or ""
        assert result.state == "failed"
    except HomeError as error:
        told = str(error)
    assert "free some disk space" in told
    filler.unlink()
    company.listener = None
    done = await company.resume("last")
    assert (done.state, done.answer) == ("completed", "41, Dear Sir")


def assign(member: str) -> dict[str, object]:
    return {"tool": "assign", "arguments": {"member": member, "goal": "do it"}}
