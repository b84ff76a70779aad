"""Teams to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.home import Home
from tests.team.company import Company


@pytest.fixture
def company(tmp_path: Path, home: Home) -> Company:
    return Company(tmp_path / "project", home)
