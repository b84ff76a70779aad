"""Which sandboxes can be had, and what is refused before anything is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.home import ProfileHome
from orchestrator.sandbox import SANDBOXES, SandboxConfig, check, open_sandbox


def test_local_is_there() -> None:
    assert list(SANDBOXES) == ["local"]


@pytest.mark.parametrize("name", ["docker", "ssh", "singularity", "daytona", "modal"])
def test_a_planned_backend_is_refused_as_such(name: str, profile: ProfileHome) -> None:
    with pytest.raises(PersonError, match=rf"'{name}' is planned .* use 'local'"):
        open_sandbox(SandboxConfig(backend=name), profile)


def test_an_unknown_backend_is_answered_with_near_names() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'local'"):
        check(SandboxConfig(backend="locale"))


def test_allowed_hosts_are_refused_while_nothing_keeps_them() -> None:
    with pytest.raises(PersonError, match=r"example\.org.*egress proxy"):
        check(SandboxConfig(allowed_hosts=("example.org",)))


def test_importing_the_room_starts_no_backend() -> None:
    program = (
        "import sys, orchestrator.sandbox\n"
        "print([name for name in sys.modules if name.startswith('orchestrator.sandbox.local')"
        " or name in ('asyncio', 'subprocess')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_every_key_of_the_configuration_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandboxes.md").read_text(encoding="utf-8")
    assert [name for name in SandboxConfig.model_fields if f"| `{name}` |" not in page] == []
