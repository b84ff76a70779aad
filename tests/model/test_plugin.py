"""A provider that another package brings along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = """
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from orchestrator.model import Opening, ProviderFault


class AcmeChat(BaseChatModel):
    name_: str
    asked: int = 0
    constrainable: bool = True

    @property
    def _llm_type(self):
        return "acme"

    def _generate(self, *args, **kwargs):
        raise NotImplementedError

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        self.asked += 1
        if self.asked == 1:
            raise ProviderFault("too busy", status=429, retry_after=0)
        text = f"{self.name_} {sorted(kwargs)}"
        yield ChatGenerationChunk(message=AIMessageChunk(content=text))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", chunk_position="last"))

    async def aclose(self):
        print("closed")


def acme(opening: Opening) -> BaseChatModel:
    assert opening.key == "k"
    return AcmeChat(name_=opening.spec.model)
"""

PROGRAM = """
import asyncio
from pathlib import Path

from langchain_core.messages import HumanMessage

from orchestrator.model import PROVIDERS, open_model
from orchestrator.settings import Settings


async def main():
    async with open_model(["acme/roadrunner"], credentials={"ACME_API_KEY": "k"},
                          settings=Settings(), cache=Path("/x"), profile="a") as model:
        reply = await model.bind(()).call([HumanMessage("?")], output={"type": "object"})
    print(reply.model, reply.attempts, reply.cost_usd, reply.text)


print("acme" in PROVIDERS)
asyncio.run(main())
"""


def test_a_provider_is_added_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(PACKAGE)
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[retinue.models]\nacme = acme:acme\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "True",
        "closed",
        "acme/roadrunner 2 None roadrunner ['response_format']",
    ]
