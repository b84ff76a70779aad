"""A marker planted in one profile is found in no other profile, child process, prompt or log."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.events import to_dict
from orchestrator.home import Home
from tests.company import Company

PLACES = ("secret", "workspace", "brief", "tool", "session")


def holders(root: Path, marker: str) -> set[str]:
    """Folders below the home whose files hold the marker."""
    found: set[str] = set()
    for path in root.rglob("*"):
        if path.is_file() and marker.encode() in path.read_bytes():
            found.add(path.relative_to(root).parts[2] if len(path.parts) > 2 else path.name)
    return found


@pytest.mark.slow
@given(place=st.sampled_from(PLACES))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_a_marker_stays_with_its_profile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.DEBUG)
    marker = f"MARK{uuid.uuid4().hex}"
    folder = tmp_path / marker[:12]
    company = Company(folder / "project", Home(folder / "home"))
    own = company.home.profile("firm", "keeper")
    company.home.create()
    own.create()
    if place == "secret":
        own.env_file.write_text(f"VAULT={marker}\n")
        own.env_file.chmod(0o600)
    if place == "workspace":
        (folder / "files").mkdir()
        (folder / "files" / "vault.txt").write_text(marker)
    goal = f"guard {marker}" if place == "brief" else "guard it"
    echo = f"echo {marker}; env" if place == "tool" else "env; cat vault.txt"
    look = "env; ls -R / 2>/dev/null | head -2000; cat /workspace/*/* /workspace/* 2>/dev/null"
    company.hire(
        [
            {"profile": "keeper", "calls": [{"tool": "shell", "arguments": {"command": echo}}]},
            {"profile": "keeper", "say": "It is safe."},
            {"profile": "counter", "calls": [{"tool": "shell", "arguments": {"command": look}}]},
            {"profile": "counter", "say": "{{ tool }}"},
        ],
        members={
            "keeper": {"tools": ["shell"], "secrets": ["VAULT"] if place == "secret" else []},
            "counter": {"tools": ["shell"]},
        },
    )
    if place == "session":
        await company.run(f"{goal} {marker}", target="keeper", session="shared")
    else:
        files = folder / "files" if place == "workspace" else None
        await company.run(goal, target="keeper", session="shared", files=files)
    kept = company.events[:]
    company.events.clear()
    answer = await company.run("What do you see?", target="counter", session="shared")
    assert answer.state == "completed", answer.error
    assert marker not in answer.answer
    assert marker not in str([to_dict(event) for event in company.events])
    assert marker not in caplog.text
    assert holders(company.home.root, marker) == {"keeper"}
    if place == "secret":
        assert marker not in str([to_dict(event) for event in kept])
