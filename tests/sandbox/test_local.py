"""The contract, kept by both kinds of the backend `local`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orchestrator.home import ProfileHome
from orchestrator.sandbox import Sandbox, open_sandbox
from tests.sandbox.contract import CONFIG, SandboxContract


@pytest.mark.usefixtures("bubblewrap")
class TestBubblewrap(SandboxContract):
    @pytest.fixture
    async def sandbox(self, profile: ProfileHome) -> AsyncIterator[Sandbox]:
        async with open_sandbox(CONFIG, profile) as sandbox:
            assert sandbox.isolation == "bubblewrap"
            yield sandbox


class TestWithoutWalls(SandboxContract):
    @pytest.fixture
    async def sandbox(self, profile: ProfileHome) -> AsyncIterator[Sandbox]:
        config = CONFIG.model_copy(update={"isolation": "none"})
        async with open_sandbox(config, profile) as sandbox:
            assert sandbox.isolation == "none"
            yield sandbox
