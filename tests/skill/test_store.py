"""The skill store: versions that never change, and a pointer that is always right."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from orchestrator.database import Database
from orchestrator.errors import ConfigError, NotFoundError, PersonError
from orchestrator.home import Home
from orchestrator.skill import (
    Case,
    Provenance,
    SkillDocument,
    SkillStore,
    Use,
    Version,
    diff,
    read_skill,
)

LEARNED = Provenance("firm/clerk", "learned", "three runs went so", runs=("r1",), model="m")


@pytest.fixture
def open_store(home: Home) -> Callable[..., SkillStore]:
    """Opens the store of a profile, as often as one likes."""
    ticks = itertools.count()

    def clock() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks))

    def opened(profile: str = "clerk", *, approval_needed: bool = False) -> SkillStore:
        folder = home.profile("firm", profile)
        home.create()
        folder.create()
        database = Database(folder.memory_db)
        return SkillStore(folder, database, approval_needed=approval_needed, clock=clock)

    return opened


@pytest.fixture
def store(open_store: Callable[..., SkillStore]) -> SkillStore:
    return open_store()


def document(body: str = "Count them.", name: str = "hive") -> SkillDocument:
    return SkillDocument(name, "Count bees. Use when a hive is opened.", body)


def trusted(store: SkillStore, body: str = "Count them.", name: str = "hive") -> Version:
    version = store.add(document(body, name), LEARNED)
    store.promote(name, version.n, who="loop", why="passed the gate")
    return store.promote(name, version.n, who="loop", why="won")


def on_disk(store: SkillStore, name: str = "hive") -> str:
    return read_skill(store.home.skills / name).body


def edit(store: SkillStore, body: str, name: str = "hive") -> None:
    file = store.home.skills / name / "SKILL.md"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(read_skill(file).body, body), encoding="utf-8")


def test_a_new_version_is_a_candidate_that_does_not_serve(store: SkillStore) -> None:
    version = store.add(document(), LEARNED)
    assert (version.n, version.state, version.parent, version.active) == (
        1,
        "candidate",
        None,
        False,
    )
    assert version.provenance == LEARNED
    assert version.read().body == "Count them."
    assert store.served() == []
    assert on_disk(store) == "Count them."


def test_the_trusted_version_serves_while_its_patch_is_tried(store: SkillStore) -> None:
    first = trusted(store)
    patch = store.add(document("Count twice."), LEARNED)
    store.promote("hive", who="loop", why="passed the gate")
    assert patch.parent == first.n
    assert [version.n for version in store.served()] == [1]
    assert [version.n for version in store.trials()] == [2]
    assert on_disk(store) == "Count them."
    store.promote("hive", who="loop", why="won twice")
    assert [version.n for version in store.served()] == [2]
    assert on_disk(store) == "Count twice."


def test_suspicion_lets_the_last_trusted_version_serve_again(store: SkillStore) -> None:
    trusted(store)
    trusted(store, "Count twice.")
    store.move("hive", 2, "suspect", who="loop", why="two failures")
    assert [(version.n, version.state) for version in store.served()] == [(1, "trusted")]
    assert on_disk(store) == "Count them."
    store.move("hive", 1, "suspect", who="loop", why="two failures")
    assert store.served() == []


def test_rollback_and_what_it_says(store: SkillStore) -> None:
    trusted(store)
    with pytest.raises(PersonError, match="no earlier trusted version"):
        store.rollback("hive", who="person", why="worse")
    trusted(store, "Count twice.")
    assert store.rollback("hive", who="person", why="worse").n == 1
    assert [version.state for version in store.skill("hive").versions] == ["trusted", "suspect"]
    last = store.events("hive")[-1]
    assert (last.what, last.active, last.who, last.why) == ("activated", 1, "person", "worse")


@pytest.mark.parametrize("who", ["loop", "person"])
def test_only_a_person_may_skip_the_trial_or_bring_back(store: SkillStore, who: str) -> None:
    store.add(document(), LEARNED)
    for to in ("trusted", "archived", "candidate"):
        if who == "person" or to == "archived":
            assert store.move("hive", 1, to, who=who, why="so").state == to
        else:
            with pytest.raises(PersonError, match="cannot become"):
                store.move("hive", 1, to, who=who, why="so")


def test_nothing_is_lost_when_a_skill_is_archived(store: SkillStore) -> None:
    version = trusted(store)
    store.archive("hive", who="person", why="not needed")
    assert not (store.home.skills / "hive").exists()
    assert store.served() == []
    assert version.read().body == "Count them."
    store.promote("hive", who="person", why="needed after all")
    assert store.version("hive", 1).state == "candidate"
    assert on_disk(store) == "Count them."


def test_a_pinned_skill_is_archived_by_people_only(store: SkillStore) -> None:
    trusted(store)
    assert store.pin("hive", who="person").pinned
    with pytest.raises(PersonError, match="pinned"):
        store.archive("hive", who="loop", why="unused")
    store.archive("hive", who="person", why="gone")


def test_what_is_learned_serves_only_once_approved_where_that_is_demanded(
    open_store: Callable[..., SkillStore],
) -> None:
    store = open_store(approval_needed=True)
    store.add(document(), LEARNED)
    with pytest.raises(PersonError, match="needs a person's approval"):
        store.promote("hive", who="loop", why="passed")
    store.approve("hive", who="person")
    assert store.promote("hive", who="loop", why="passed").active


def test_the_same_content_is_no_new_version(store: SkillStore) -> None:
    assert store.add(document(), LEARNED).n == store.add(document(), LEARNED).n == 1


def test_what_the_specification_forbids_is_not_added(store: SkillStore) -> None:
    with pytest.raises(ConfigError, match="not lower-case"):
        store.add(document(name="Hive!"), LEARNED)
    assert store.names() == []


def test_a_version_shows_what_changed(store: SkillStore, tmp_path: Path) -> None:
    first = trusted(store)
    source = tmp_path / "files"
    (source / "scripts").mkdir(parents=True)
    (source / "scripts" / "count.py").write_text("print(1)\n")
    (source / "SKILL.md").write_text("---\nname: x\ndescription: d\n---\n")
    files = read_skill(source).files
    second = store.add(document("Count twice.").replace(folder=source, files=files), LEARNED)
    changed = diff(first, second).splitlines()
    assert "-Count them." in changed
    assert "+Count twice." in changed
    assert "+print(1)" in changed


def test_unknown_names_are_refused_with_near_ones(store: SkillStore) -> None:
    trusted(store)
    with pytest.raises(NotFoundError, match="did you mean 'hive'"):
        store.skill("hives")
    with pytest.raises(NotFoundError, match="hive@7"):
        store.version("hive", 7)


def test_an_edit_of_what_serves_becomes_a_version_and_serves(store: SkillStore) -> None:
    trusted(store)
    edit(store, "Count by hand.")
    [version] = store.refresh().versions
    assert (version.n, version.parent, version.state, version.active) == (2, 1, "trusted", True)
    assert version.provenance.author == "person"
    assert store.version("hive", 1).read().body == "Count them."
    assert store.refresh().versions == ()


def test_an_edit_back_lets_the_old_version_serve(store: SkillStore) -> None:
    trusted(store)
    edit(store, "Count by hand.")
    store.refresh()
    edit(store, "Count them.")
    store.refresh()
    assert [version.n for version in store.served()] == [1]
    assert len(store.skill("hive").versions) == 2


def test_an_edit_nobody_has_seen_yet_survives_a_promotion(store: SkillStore) -> None:
    trusted(store)
    edit(store, "Count by hand.")
    trusted(store, "Count twice.")
    assert on_disk(store) == "Count by hand."
    [version] = store.refresh().versions
    assert version.read().body == "Count by hand."
    assert version.parent == 1


def test_an_edit_of_a_candidate_stays_a_candidate(store: SkillStore) -> None:
    store.add(document(), LEARNED)
    edit(store, "Count by hand.")
    assert [version.state for version in store.refresh().versions] == ["candidate"]
    assert store.served() == []


def test_a_folder_put_there_by_hand_arrives_as_a_candidate(store: SkillStore) -> None:
    folder = store.home.skills / "smoke"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: Smoke It\ndescription: d\n---\nGently.\n")
    [version] = store.refresh().versions
    assert (version.skill, version.state, version.parent) == ("smoke", "candidate", None)
    assert on_disk(store, "smoke") == "Gently."


def test_a_folder_that_is_removed_archives_its_skill(store: SkillStore) -> None:
    trusted(store)
    text = (store.home.skills / "hive" / "SKILL.md").read_text()
    shutil.rmtree(store.home.skills / "hive")
    store.refresh()
    assert [version.state for version in store.skill("hive").versions] == ["archived"]
    (store.home.skills / "hive").mkdir()
    (store.home.skills / "hive" / "SKILL.md").write_text(text)
    store.refresh()
    assert [version.state for version in store.skill("hive").versions] == ["candidate"]
    assert on_disk(store) == "Count them."


@pytest.mark.parametrize("name", ["Bad Name", "empty", "link"])
def test_a_folder_that_is_no_skill_is_reported_and_the_others_serve(
    store: SkillStore, name: str, tmp_path: Path
) -> None:
    trusted(store)
    if name == "link":
        (store.home.skills / name).symlink_to(tmp_path)
    else:
        (store.home.skills / name).mkdir()
    [problem] = store.refresh().problems
    assert Path(problem.file).name == name
    assert [version.skill for version in store.served()] == ["hive"]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("what", ["name", "unreadable", "vanished"])
def test_a_folder_that_cannot_be_read_is_reported_and_all_else_goes_on(
    store: SkillStore, what: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if known:
        trusted(store, name="bad")
    for name in ("bad", "good"):
        (store.home.skills / name).mkdir(parents=True, exist_ok=True)
        text = f"---\nname: {name}\ndescription: Count bees.\n---\nCount again.\n"
        (store.home.skills / name / "SKILL.md").write_text(text)
    odd = store.home.skills / "bad" / os.fsdecode(b"n\xf6.txt" if what == "name" else b"odd.txt")
    odd.write_text("x")
    opened, looked_at = Path.open, Path.lstat

    def unreadable(path: Path, mode: str = "r", **options: Any) -> IO[Any]:
        if path.name == odd.name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, mode, **options)

    def vanished(path: Path) -> os.stat_result:
        if path.name == odd.name:
            raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
        return looked_at(path)

    if what == "unreadable":
        monkeypatch.setattr(Path, "open", unreadable)
    elif what == "vanished":
        monkeypatch.setattr(Path, "lstat", vanished)
    refreshed = store.refresh()
    assert [version.skill for version in refreshed.versions] == ["good"]
    [problem] = refreshed.problems
    assert Path(problem.file) == store.home.skills / "bad"
    assert (odd.name if what != "name" else "UTF-8") in problem.problem
    assert [version.read().body for version in store.served()] == ["Count them."] * known
    monkeypatch.undo()
    odd.unlink()
    assert [version.skill for version in store.refresh().versions] == ["bad"]


def test_a_copy_for_another_profile_is_a_candidate_that_says_whence(
    open_store: Callable[..., SkillStore],
) -> None:
    one, other = open_store("clerk"), open_store("scribe")
    trusted(one)
    copy = one.share("hive", other, who="person", why="useful")
    assert (copy.state, copy.provenance.origin) == ("candidate", "shared")
    assert copy.provenance.source == "firm/clerk/hive@1"
    assert copy.provenance.runs == ()
    assert other.names() == ["hive"]
    trusted(one, "Something else.")
    assert other.skill("hive").shown.read().body == "Count them."


def test_no_profile_sees_the_skills_of_another(open_store: Callable[..., SkillStore]) -> None:
    one, other = open_store("clerk"), open_store("scribe")
    trusted(one, "marker-of-the-clerk")
    assert other.names() == []
    assert other.refresh().versions == ()
    for path in other.home.root.rglob("*"):
        assert path.is_dir() or b"marker-of-the-clerk" not in path.read_bytes()


def test_uses_add_up_by_version_and_arm(store: SkillStore) -> None:
    trusted(store)
    known = store.evidence
    known.record(Use("hive", 1, "r1", loaded=True, outcome="success", tokens=10))
    known.record(Use("hive", 1, "r2", loaded=True, followed=True, outcome="failure", tokens=10))
    known.record(Use("hive", 1, "r3", loaded=True))
    known.record(Use("hive", 1, "r4", served=False, outcome="failure"))
    known.record(Use("hive", 1, "r5", outcome="failure"))
    assert [use.outcome for use in known.settle("r3", "", "failure")] == ["failure"]
    tally = known.tally("hive", 1)
    assert (tally.successes, tally.failures, tally.failures_in_a_row) == (1, 2, 2)
    assert (tally.successes_without, tally.failures_without) == (0, 1)
    assert tally.tokens == 20
    assert len(known.uses("hive")) == 5


def test_a_use_is_one_record_however_often_it_is_told(store: SkillStore) -> None:
    trusted(store)
    store.evidence.record(Use("hive", 1, "r1"))
    store.evidence.record(Use("hive", 1, "r1", loaded=True, outcome="success"))
    assert store.evidence.uses("hive") == [Use("hive", 1, "r1", loaded=True, outcome="success")]


def test_a_failed_task_is_kept_once(store: SkillStore) -> None:
    trusted(store)
    case = Case("hive", 1, "r1", "clerk#1", "count the bees")
    store.evidence.add_case(case)
    store.evidence.add_case(case)
    assert store.evidence.cases("hive") == [case]
