"""`make demo`: the quickstart, on the best model that can be had here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from orchestrator.cli.ask import Keyboard
from orchestrator.cli.boundary import execute
from orchestrator.cli.model import download_progress
from orchestrator.cli.output import Screen
from orchestrator.cli.places import cache, settings
from orchestrator.cli.run import run
from orchestrator.errors import PersonError, Unavailable
from orchestrator.model import ModelFound, find_model, weights
from orchestrator.model.find import LOOPBACK
from orchestrator.settings import Settings

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"


async def demo(*, ports: Mapping[str, int] = LOOPBACK) -> int:
    """Run the quickstart and return its exit code; `ports` are probed for model servers."""
    with Screen() as screen, Keyboard() as keyboard:
        model = await choose_model(screen, keyboard, ports)
    return await run(
        where=str(QUICKSTART),
        task=None,
        workflow=None,
        inputs=[],
        model=model,
        to=None,
        files=None,
        session=None,
        as_json=False,
    )


async def choose_model(screen: Screen, keyboard: Keyboard, ports: Mapping[str, int]) -> str:
    """What is found, if it costs nothing or the person says yes; else the local model; else a
    rehearsal, with the reason.
    """
    chosen = settings()
    found = await _find(os.environ, chosen, ports)
    if found is not None and found.spends and not await _may_spend(found, screen, keyboard):
        found = await _find({}, chosen.model_copy(update={"model": None}), ports)
    if found is not None:
        screen.line(f"model: {found.spec} ({found.how})", "good")
        return str(found.spec)
    size = f"{weights.QWEN.size / 1e9:.1f} GB"
    screen.line(f"no other model is there; downloading the local one ({size}, once)")
    try:
        with download_progress(sys.stdout) as progress:
            await weights.pull(cache(), progress=progress)
    except (PersonError, Unavailable) as error:
        screen.line(f"the local model cannot be had: {error}", "bad")
        screen.line(
            "so this is a REHEARSAL: the tools work for real, what the models say is a script",
            "ask",
        )
        return "rehearsal"
    return "local"


async def _find(
    environment: Mapping[str, str], chosen: Settings, ports: Mapping[str, int]
) -> ModelFound | None:
    try:
        return await asyncio.to_thread(
            find_model,
            chosen.model,
            environment=environment,
            settings=chosen,
            cache=cache(),
            ports=ports,
        )
    except PersonError:
        return None


async def _may_spend(found: ModelFound, screen: Screen, keyboard: Keyboard) -> bool:
    screen.line(f"found {found.spec} ({found.how}), which costs money")
    if not keyboard.attended:
        screen.line("nobody is here to allow that, so it is left alone", "ask")
        return False
    answer = await keyboard.line("spend on it? about 10 calls, 6,000 tokens [y/N] ")
    return (answer or "").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(execute("demo:demo", {"debug": False}))
