from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.memory.past import Past


@pytest.fixture
def past(tmp_path: Path) -> Generator[Past]:
    made = Past(tmp_path / "profile")
    yield made
    made.database.close()
