"""Kill -9 before every write of the skill store: the pointer stays valid, no version is lost."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.skill import Provenance, SkillDocument, SkillStore, Version, read_skill
from orchestrator.skill import writer as skill_writer

WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(["orchestrator.skill"])


def store_at(folder: Path) -> SkillStore:
    home = Home(folder)
    home.create()
    profile = home.profile("firm", "clerk")
    profile.create()
    return SkillStore(profile, Database(profile.memory_db))


def add(store: SkillStore, body: str) -> Version:
    document = SkillDocument("hive", "Count bees.", body)
    return store.add(document, Provenance("firm/clerk", "learned", "so"))


def trust(store: SkillStore, body: str) -> None:
    n = add(store, body).n
    store.promote("hive", n, who="loop", why="gate")
    store.promote("hive", n, who="loop", why="won")


def prepare(folder: Path) -> None:
    store = store_at(folder)
    trust(store, "one")
    trust(store, "two")
    add(store, "three")


def promote(store: SkillStore) -> None:
    store.move("hive", 3, "trusted", who="person", why="better")


def roll_back(store: SkillStore) -> None:
    store.rollback("hive", who="person", why="worse")


def archive(store: SkillStore) -> None:
    store.archive("hive", who="person", why="over")


def learn(store: SkillStore) -> None:
    add(store, "four")


def edit(store: SkillStore) -> None:
    file = store.home.skills / "hive" / "SKILL.md"
    fresh = file.with_name("new")
    fresh.write_text(file.read_text().replace("two", "by hand"))
    os.rename(fresh, file)  # noqa: PTH104  only the store's own renames are killed
    store.refresh()


ALLOWED: dict[Callable[[SkillStore], None], set[str | None]] = {
    promote: {"two", "three"},
    roll_back: {"two", "one"},
    archive: {"two", None},
    learn: {"two"},
    edit: {"two", "by hand"},
}
"""What may serve after a crash in each, by the body of its skill."""


def die_at(at: int) -> None:
    """From now on kill this very process before the write number `at`, on disk or in the
    database.
    """
    writes = itertools.count(1)

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*values: Any, **options: Any) -> Any:
            if next(writes) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*values, **options)

        return wrapped

    Database.execute = dying(Database.execute)
    Path.rename = dying(Path.rename)
    Path.chmod = dying(Path.chmod)
    Path.mkdir = dying(Path.mkdir)
    shutil.rmtree = dying(shutil.rmtree)  # pyright: ignore[reportAttributeAccessIssue]
    exchange = "_exchange"
    setattr(skill_writer, exchange, dying(getattr(skill_writer, exchange)))


def work_and_die(
    folder: Path, work: Callable[[SkillStore], None], at: int, exchanges: bool
) -> None:
    if not exchanges:
        ctypes.CDLL = lambda *_, **__: None  # type: ignore[assignment,misc]
    store = store_at(folder)
    die_at(at)
    work(store)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "exchanges"),
    [*((work, True) for work in ALLOWED), (promote, False)],
    ids=[*(work.__name__ for work in ALLOWED), "promote_where_folders_are_not_exchanged"],
)
async def test_a_store_killed_before_any_write_is_whole_again(
    tmp_path: Path, work: Callable[[SkillStore], None], exchanges: bool
) -> None:
    prepare(tmp_path / "start")
    kills = 0
    for at in range(1, 200):
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "start", folder)
        process = WORKERS.Process(target=work_and_die, args=(folder, work, at, exchanges))
        process.start()
        await asyncio.to_thread(process.join)
        check(folder, ALLOWED[work], f"{work.__name__} killed before write {at}")
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills > 5


def check(folder: Path, allowed: set[str | None], where: str) -> None:
    store = store_at(folder)
    store.refresh()
    skill = store.skill("hive")
    bodies = [version.read().body for version in skill.versions]
    assert bodies[:3] == ["one", "two", "three"], where
    serving = skill.active.read().body if skill.active is not None else None
    assert serving in allowed, where
    if skill.active is not None:
        assert skill.active.state == "trusted", where
    shown = folder / "state" / "firm" / "clerk" / "skills" / "hive"
    assert shown.exists() is (serving is not None), where
    if serving is not None:
        assert read_skill(shown).body == serving, where
    assert store.refresh().versions == (), where
    left = {path.name for path in store.home.skills.iterdir()}
    assert left <= {".versions", "hive"}, where
