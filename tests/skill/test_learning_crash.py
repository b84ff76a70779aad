"""Kill -9 before every write of learning: done again, it makes one skill, on trial, and no twin."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.skill import Experience, Learner, Shelf, SkillStore, Step
from tests.skill.test_store_crash import WORKERS, die_at, store_at

DONE = Experience(
    "r1",
    "clerk#1",
    "firm/clerk",
    "Mend the tide tables",
    (
        Step("shell", {"command": "pytest"}, "ok", "1 failed", 1),
        Step("write", {"path": "a.py", "content": "x = 1\n"}, "ok", ""),
        Step("shell", {"command": "pytest -q"}, "ok", "1 passed", 0),
    ),
)


def learn(folder: Path) -> SkillStore:
    store = store_at(folder)
    database = Database(store.home.memory_db)
    learner = Learner(Shelf(store, database, lambda: ()), database)
    asyncio.run(learner.learn(DONE))
    return store


def learn_and_die(folder: Path, at: int) -> None:
    store_at(folder)
    die_at(at)
    learn(folder)


@pytest.mark.slow
def test_learning_killed_before_any_write_is_made_up_for(tmp_path: Path) -> None:
    kills = 0
    for at in range(1, 300):
        folder = tmp_path / str(at)
        process = WORKERS.Process(target=learn_and_die, args=(folder, at))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        check(folder, f"killed before write {at}")
        shutil.rmtree(folder)
        kills += 1
    assert kills > 30


def check(folder: Path, where: str) -> None:
    store = learn(folder)
    (skill,) = store.skills()
    (version,) = skill.versions
    assert (version.state, version.active) == ("trial", True), where
    assert store.refresh().versions == (), where
    learn(folder)
    assert store.skills() == [skill], where
