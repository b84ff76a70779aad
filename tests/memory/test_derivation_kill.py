"""Kill -9 while a model reads, and while its facts are written: nothing is lost or known twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.database import Database
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.derivation import Derivation
from tests.memory.past import Past
from tests.memory.thinkers import ScriptedThinker

WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(["orchestrator.memory"])

FACTS = [
    {
        "quote": f"I hike on {day}",
        "about": "self",
        "kind": "event",
        "fact": f"person hikes on {day}",
    }
    for day in ("Mondays", "Tuesdays", "Fridays")
]
Moment = Literal["asked", "writing", "written"]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def think_and_die(folder: Path, moment: Moment) -> None:
    """Read what was said and end by force: when the model is asked, when the second fact is in the
    open transaction, or when everything has been written.
    """
    database = Database(folder / "memory.db")
    conclusions = Conclusions(database)
    derivation = Derivation(database, "desk/writer", conclusions)
    derivation.read()
    add, number = conclusions.add, 0

    def adding(*values: Any, **named: Any) -> int | None:
        nonlocal number
        made = add(*values, **named)
        number += 1
        if moment == "writing" and number == 2:
            _die()
        return made

    conclusions.add = adding

    def answer(prompt: str) -> Mapping[str, Any]:
        if moment == "asked":
            _die()
        return {"facts": FACTS}

    asyncio.run(derivation.think(ScriptedThinker(answer), flush=True))
    _die()


@pytest.mark.parametrize("moment", ["asked", "writing", "written"])
async def test_a_killed_derivation_is_done_again_wholly_and_once(
    tmp_path: Path, moment: Moment
) -> None:
    past = Past(tmp_path)
    past.say("I hike on Mondays. I hike on Tuesdays. I hike on Fridays.")
    past.say("I rest in winter.")
    worker = WORKERS.Process(target=think_and_die, args=(tmp_path, moment))
    worker.start()
    await asyncio.to_thread(worker.join)
    assert worker.exitcode == -signal.SIGKILL

    conclusions = Conclusions(past.database)
    assert len(conclusions.about()) == (3 if moment == "written" else 0)
    derivation = Derivation(past.database, "desk/writer", conclusions)
    assert derivation.read() == 0
    waiting = 0 if moment == "written" else 2
    assert (derivation.status().working, derivation.status().pending) == (0, waiting)
    again = ScriptedThinker({"facts": FACTS})
    assert await derivation.think(again, flush=True) == waiting
    known = conclusions.about()
    assert sorted(each.text for each in known) == sorted(fact["fact"] for fact in FACTS)
    assert {each.times for each in known} == {1}
    past.database.close()
