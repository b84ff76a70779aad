"""Importing the room loads no provider's library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_room_is_imported_without_langchain_or_an_http_client() -> None:
    heavy = _python(
        "import sys, orchestrator.model\n"
        "heavy = ('langchain_core', 'langchain_openai', 'langchain_anthropic', 'openai', 'httpx',\n"
        "         'httpx2', 'anthropic', 'xllamacpp', 'yaml')\n"
        "print(*(name for name in heavy if name in sys.modules))"
    )
    assert heavy.strip() == ""


def test_a_rehearsal_loads_no_provider(tmp_path: Path) -> None:
    script = tmp_path / "rehearsal.yaml"
    script.write_text("- {profile: a, say: hello}")
    loaded = _python(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from langchain_core.messages import HumanMessage\n"
        "from orchestrator.model import open_model\n"
        "from orchestrator.settings import Settings\n"
        f"script = Path({str(script)!r})\n"
        "model = open_model(['rehearsal'], credentials={}, settings=Settings(), cache=script,\n"
        "                   profile='a', rehearsal=script)\n"
        "print(asyncio.run(model.bind(()).call([HumanMessage('?')])).text)\n"
        "print(*{'openai', 'langchain_openai', 'anthropic'}.intersection(sys.modules))"
    )
    assert loaded.split() == ["hello"]


@pytest.mark.parametrize("gone", ["langchain_anthropic", "anthropic"])
def test_a_missing_extra_is_named_with_its_command(gone: str) -> None:
    told = _python(
        "import asyncio, sys\n"
        f"sys.modules[{gone!r}] = None\n"
        "from pathlib import Path\n"
        "from orchestrator.errors import MissingExtraError\n"
        "from orchestrator.model import open_model\n"
        "from orchestrator.settings import Settings\n"
        "model = open_model(['anthropic'], credentials={'ANTHROPIC_API_KEY': 'k'},\n"
        "                   settings=Settings(), cache=Path('/x'), profile='a')\n"
        "try:\n"
        "    asyncio.run(model.bind(()).call([]))\n"
        "except MissingExtraError as error:\n"
        "    print(error)"
    )
    assert "the provider 'anthropic' needs an extra package" in told
    assert "pip install 'retinue[anthropic]'" in told
