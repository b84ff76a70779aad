"""For every test: a home of its own, and no network beyond loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.home import Home
from tests.company import Company

INTERNET = (socket.AF_INET, socket.AF_INET6)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A new home in a temporary folder in RETINUE_HOME, the developer's keys are gone."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "NOUS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "home"
    monkeypatch.setenv("RETINUE_HOME", str(root))
    return Home(root)


@pytest.fixture
def company(tmp_path: Path, home: Home) -> Company:
    """A project to put a team into."""
    return Company(tmp_path / "project", home)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = cast("tuple[str, int]", address)[0] if self.family in INTERNET else ""
        if self.family in INTERNET and host not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {host!r}; tests stay on this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if mounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    if not mounted:
        if os.environ.get("CI"):
            pytest.fail("CI must be able to mount a small file system")
        pytest.skip("needs root to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(path: Path) -> None:
    """Leave no room; raises OSError."""
    with path.open("ab", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)
