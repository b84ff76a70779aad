"""Profiles to build sandboxes for, and eyes on the host's processes."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from orchestrator.home import Home, ProfileHome


@pytest.fixture
def profile(home: Home) -> ProfileHome:
    home.create()
    made = home.profile("team", "worker")
    made.create()
    return made


@pytest.fixture
def bubblewrap() -> None:
    """Needs bubblewrap: skipped on a machine without, a failure in CI."""
    if shutil.which("bwrap") is None:
        cannot("bubblewrap is not installed")


@pytest.fixture
def root() -> None:
    """Needs root: skipped for others, a failure in CI."""
    if os.geteuid() != 0:
        cannot("only root can do this")


def cannot(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must not pass without")
    pytest.skip(reason)


@pytest.fixture
def token() -> str:
    """A number nobody else passes to `sleep`."""
    return str(1_000_000 + uuid.uuid4().int % 1_000_000_000)


@pytest.fixture
def survivors() -> Callable[[str], list[int]]:
    """The host's processes with that word in their command line."""

    def find(word: str) -> list[int]:
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and word.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    return find
