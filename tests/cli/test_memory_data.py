"""`retinue memory forget`, `export` and `import`, as a person types them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import HomeError
from orchestrator.home import Home
from orchestrator.memory.forgetting import Forgetting
from tests.cli.project import Project


@pytest.fixture
def talked(project: Project) -> Project:
    project.play({"profile": "writer", "say": "Noted.", "repeat": True})
    project.rehearse("run", "desk", "The cello is sold", "--to", "writer", "--session", "home")
    project.rehearse("run", "desk", "The lease ends", "--to", "writer", "--session", "garden")
    return project


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """No profile can forget anything."""

    def full(*_: object, **__: object) -> None:
        raise HomeError("there is no room")

    with monkeypatch.context() as patch:
        patch.setattr(Forgetting, "forget", full)
        yield


def texts(project: Project) -> set[str]:
    out = project.type("memory", "export", "desk/writer", "-").out
    lines = [json.loads(line) for line in out.splitlines()]
    return {line["text"] for line in lines if line["type"] == "message" and line["peer"]}


def test_a_message_is_forgotten_by_its_number(talked: Project, home: Home) -> None:
    hits = talked.type("memory", "search", "desk/writer", "cello", "--json").data
    [number] = [hit["id"] for hit in hits if "cello" in hit["text"]]
    typed = talked.type(
        "memory", "forget", "desk/writer", "--message", str(number), "--yes", "--json"
    )
    assert typed.code == 0
    assert [(row["profile"], row["messages"]) for row in typed.data] == [("desk/writer", 1)]
    assert texts(talked) == {"The lease ends"}
    files = [path for path in home.root.rglob("*") if path.is_file()]
    assert not any(b"cello" in path.read_bytes() for path in files)


def test_a_session_is_forgotten(talked: Project) -> None:
    typed = talked.type("memory", "forget", "desk/writer", "--session", "home", "--yes")
    assert typed.code == 0
    assert "desk/writer: 2 messages" in typed.out
    assert texts(talked) == {"The lease ends"}


def test_a_person_is_forgotten_by_the_whole_team(talked: Project) -> None:
    typed = talked.type("memory", "forget", "desk", "--person", "person", "--yes")
    assert typed.code == 0
    assert "desk/writer" in typed.out
    assert texts(talked) == set()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say what shall be forgotten"),
        (("--person", "a", "--session", "b"), "not --person and --session"),
        (("--message", "999", "--yes"), "memory search"),
        (("--conclusion", "999", "--yes"), "memory conclusions"),
        (("--session", "nowhere", "--yes"), "memory search"),
        (("--session", "home"), "--yes"),
    ],
)
def test_what_cannot_be_forgotten_is_refused_with_a_way_out(
    talked: Project, words: tuple[str, ...], told: str
) -> None:
    typed = talked.type("memory", "forget", "desk/writer", *words)
    assert typed.code == 2
    assert told in typed.err
    assert len(texts(talked)) == 2


def test_who_is_unknown_is_forgotten_by_nobody(talked: Project) -> None:
    typed = talked.type("memory", "forget", "desk", "--person", "nobody", "--yes")
    assert (typed.code, typed.out) == (0, "nothing of that is kept\n")


def test_a_memory_is_carried_to_another_member(talked: Project, tmp_path: Path) -> None:
    file = tmp_path / "memory.jsonl"
    wrote = talked.type("memory", "export", "desk/writer", str(file), "--json")
    assert wrote.data["lines"] == len(file.read_text(encoding="utf-8").splitlines())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    took = talked.type("memory", "import", "desk/analyst", str(file), "--json")
    assert took.data["messages"] == 4
    again = talked.type("memory", "import", "desk/analyst", str(file))
    assert "desk/analyst has nothing more" in again.out
    copy = talked.type("memory", "export", "desk/analyst", "-").out
    assert copy == file.read_text(encoding="utf-8")


def test_a_broken_file_is_refused_by_line(talked: Project, tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(b'{"type": "retinue-memory", "format": 1}\n{"text": "\xff"}\n')
    typed = talked.type("memory", "import", "desk/writer", str(file))
    assert typed.code == 2
    assert f"{file}, line 2: it is not UTF-8 text" in typed.err


def test_half_a_character_is_refused_by_line(talked: Project, tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    line = {"peer": "ann", "text": "hi", "session": "s", "at": "2026-03-01T09:00:00Z"}
    lines = [json.dumps(line), json.dumps({**line, "run": "old \ud83d"})]
    file.write_text("\n".join(lines), encoding="utf-8")
    typed = talked.type("memory", "import", "desk/writer", str(file))
    assert typed.code == 2
    assert f"{file}, line 2: it has half a character, \\ud83d: write it whole" in typed.err
    assert "codec" not in typed.err


def test_files_that_cannot_be_opened_are_named(talked: Project, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing" / "file.jsonl")
    for command in ("import", "export"):
        typed = talked.type("memory", command, "desk/writer", missing)
        assert typed.code == 2
        assert missing in typed.err
        assert "give another file" in typed.err


def test_a_memory_is_written_into_a_pipe_that_is_there(talked: Project, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for name in ("pipe", "link"):
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            typed = talked.type("memory", "export", "desk/writer", str(tmp_path / name))
            assert typed.code == 0
            assert b"The cello is sold" in os.read(reading, 1 << 16)
        finally:
            os.close(reading)
    assert pipe.is_fifo()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_that_takes_nothing_stays_what_it_is(talked: Project, tmp_path: Path) -> None:
    device = tmp_path / "full"
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 7))  # as /dev/full
    typed = talked.type("memory", "export", "desk/writer", str(device))
    assert typed.code == 2
    assert f"cannot write {str(device)!r}" in typed.err
    assert device.is_char_device()


@pytest.mark.parametrize("there", [True, False])
def test_a_memory_is_written_to_where_a_link_leads(
    talked: Project, tmp_path: Path, there: bool
) -> None:
    file, link = tmp_path / "memory.jsonl", tmp_path / "link"
    if there:
        file.write_text("old", encoding="utf-8")
    link.symlink_to(file.name)
    assert talked.type("memory", "export", "desk/writer", str(link)).code == 0
    assert link.is_symlink()
    assert "The cello is sold" in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*link*")) == ["link"]
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("command", ["export", "import"])
@pytest.mark.parametrize(
    "place", ["{0}/file/x", "{0}/loop", "~nobodyx/x", "{0}", "{0}/" + "x" * 300]
)
def test_a_path_that_leads_nowhere_is_named(
    talked: Project, tmp_path: Path, command: str, place: str
) -> None:
    (tmp_path / "file").write_text("text", encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    path = place.format(tmp_path)
    typed = talked.type("memory", command, "desk/writer", path)
    assert typed.code == 2, typed.err
    assert "should not have happened" not in typed.err
    assert repr(path) in typed.err
    assert "give another file" in typed.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("card", "desk/writer", "--person", "ann\udcff"), 0),
        (("conclusions", "desk/writer", "--person", "ann\udcff"), 0),
        (("forget", "desk", "--person", "ann\udcff", "--yes"), 0),
        (("forget", "desk/writer", "--session", "ann\udcff", "--yes"), 2),
    ],
)
def test_a_name_that_is_no_unicode_is_answered(
    talked: Project, command: tuple[str, ...], code: int
) -> None:
    typed = talked.type("memory", *command)
    assert "should not have happened" not in typed.err
    assert typed.code == code


@pytest.mark.parametrize(
    "command",
    [
        ("export", "desk/writer", "-"),
        ("search", "desk/writer", "cello"),
        ("card", "desk/writer"),
        ("context", "desk/writer", "Is the cello sold?"),
    ],
)
def test_what_is_yet_to_be_forgotten_is_not_shown(
    talked: Project, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    with cut_off(monkeypatch):
        cut = talked.type("memory", "forget", "desk/writer", "--session", "home", "--yes")
    assert cut.code == 2
    assert "cello" not in talked.type("memory", *command).out
    assert texts(talked) == {"The lease ends"}


def test_what_cannot_be_forgotten_yet_is_not_shown(
    talked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut_off(monkeypatch):
        talked.type("memory", "forget", "desk/writer", "--session", "home", "--yes")
        refused = talked.type("memory", "export", "desk/writer", "-")
        assert refused.code == 2
        assert "cello" not in refused.out
        assert "desk/writer has yet to forget something" in refused.err
        assert "no room" in refused.err
        assert talked.type("memory", "export", "desk/analyst", "-").code == 0
