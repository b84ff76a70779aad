"""Finding a place for a control group; the groups here are folders that look like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.sandbox.local import cgroup


def _proc(place: Path, groups: str, mounts: str) -> Path:
    (place / "cgroup").write_text(groups)
    (place / "mountinfo").write_text(mounts)
    return place


def _group(folder: Path, controllers: str) -> None:
    folder.mkdir(parents=True)
    (folder / "cgroup.subtree_control").write_text(controllers)


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """A session as systemd makes it: the scope hands nothing on, the slices above do."""
    tree = tmp_path / "tree"
    _group(tree, "cpu memory pids\n")
    _group(tree / "user.slice", "memory pids\n")
    _group(tree / "user.slice" / "session.scope", "\n")
    return tree


def test_a_place_is_the_nearest_group_that_hands_memory_on(tmp_path: Path, v2: Path) -> None:
    proc = _proc(
        tmp_path,
        "0::/user.slice/session.scope\n",
        f"30 20 0:26 / {v2} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    )
    assert cgroup.places(proc) == [(v2 / "user.slice", 2), (v2, 2)]


def test_a_container_sees_its_own_part_of_the_tree(tmp_path: Path, v2: Path) -> None:
    proc = _proc(
        tmp_path,
        "0::/docker/abc/user.slice\n",
        f"30 20 0:26 /docker/abc {v2} rw - cgroup2 cgroup2 rw\n",
    )
    assert cgroup.places(proc) == [(v2 / "user.slice", 2), (v2, 2)]


def test_the_memory_hierarchy_of_version_1_is_used(tmp_path: Path) -> None:
    proc = _proc(
        tmp_path,
        "9:name=systemd:/\n4:memory:/job/7\n3:cpu,cpuacct:/\n0::/\n",
        "35 31 0:32 / /groups/memory rw - cgroup cgroup rw,memory\n"
        "33 31 0:30 / /groups/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
    )
    assert cgroup.places(proc) == [(Path("/groups/memory/job/7"), 1)]


def test_no_tree_no_place(tmp_path: Path) -> None:
    assert cgroup.places(_proc(tmp_path, "0::/\n", "")) == []


def test_a_group_that_takes_no_process_is_none(tmp_path: Path, v2: Path) -> None:
    proc = _proc(tmp_path, "0::/user.slice\n", f"30 20 0:26 / {v2} rw - cgroup2 cgroup2 rw\n")
    (v2 / "user.slice" / "session.scope").chmod(0o700)
    assert cgroup.make(1 << 20, proc=proc) is None
