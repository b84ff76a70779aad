"""Files go from member to member through the runtime only, and nothing is overwritten unseen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import PersonError
from orchestrator.events import Warned
from tests.company import Company

MEMBERS: dict[str, dict[str, Any]] = {
    "counter": {"tools": ["read", "write", "edit", "list"]},
    "scribe": {"tools": ["read", "write", "edit", "list"]},
}


def call(profile: str, tool: str, match: str | None = None, **arguments: Any) -> dict[str, Any]:
    line = {"profile": profile, "calls": [{"tool": tool, "arguments": arguments}]}
    return line if match is None else {**line, "match": match}


def assign(*briefs: tuple[str, str], match: str | None = None) -> dict[str, Any]:
    calls = [
        {"tool": "assign", "arguments": {"member": member, "goal": goal}} for member, goal in briefs
    ]
    line = {"profile": "supervisor", "calls": calls}
    return line if match is None else {**line, "match": match}


async def test_what_one_declares_the_next_one_gets(company: Company, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "data.txt").write_text("seven\n")
    company.hire(
        [
            assign(("counter", "read data")),
            call("counter", "read", path="data.txt"),
            call("counter", "write", "seven", path="out/count.txt", content="7"),
            {"profile": "counter", "say": "The count is in out/count.txt"},
            assign(("scribe", "report"), match="Files: out/count.txt"),
            call("scribe", "read", path="out/count.txt"),
            {"profile": "scribe", "match": "7", "say": "It says {{ tool }}"},
            {"profile": "supervisor", "match": "It says", "say": "done"},
        ],
        members=MEMBERS,
    )
    result = await company.run("Count", files=given)
    assert result.state == "completed", result.error
    (artifact,) = result.artifacts
    assert artifact.path.endswith("artifacts/out/count.txt")
    assert Path(artifact.path).read_text() == "7"
    assert (given / "data.txt").read_text() == "seven\n"
    assert list(company.home.profile("firm", "counter").workspace.iterdir()) == []


async def test_two_who_change_the_same_file_at_once_both_keep_their_work(company: Company) -> None:
    company.hire(
        [
            assign(("counter", "one"), ("scribe", "two")),
            call("counter", "write", path="a.txt", content="one"),
            call("scribe", "write", path="a.txt", content="two"),
            {"profile": "counter", "say": "a.txt"},
            {"profile": "scribe", "say": "a.txt"},
            {"profile": "supervisor", "say": "both"},
        ],
        members=MEMBERS,
    )
    result = await company.run("Both")
    texts = sorted(Path(artifact.path).read_text() for artifact in result.artifacts)
    assert texts == ["one", "two"]


async def test_a_later_member_may_change_what_it_was_handed(company: Company) -> None:
    company.hire(
        [
            assign(("counter", "draft")),
            call("counter", "write", path="a.txt", content="draft"),
            {"profile": "counter", "say": "a.txt"},
            assign(("scribe", "polish"), match="a.txt"),
            call("scribe", "edit", path="a.txt", old="draft", new="final"),
            {"profile": "scribe", "say": "done"},
            {"profile": "supervisor", "say": "done"},
        ],
        members=MEMBERS,
    )
    result = await company.run("Draft, polish")
    (artifact,) = result.artifacts
    assert Path(artifact.path).read_text() == "final"


async def test_what_is_not_declared_stays_with_the_member(company: Company) -> None:
    company.hire(
        [
            call("counter", "shell", command="echo x > note.txt; echo y > named.txt"),
            {"profile": "counter", "say": "See named.txt"},
        ],
        members={"counter": {"tools": ["shell"]}},
    )
    result = await company.run("Go")
    assert [Path(artifact.path).name for artifact in result.artifacts] == ["named.txt"]


async def test_links_and_pipes_in_what_a_person_gives_are_not_followed(
    company: Company, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (tmp_path / "private").write_text("a key of somebody else")
    (given / "data.txt").write_text("seven\n")
    (given / "leak").symlink_to(tmp_path / "private")
    (given / "around").symlink_to(tmp_path)
    (given / "nowhere").symlink_to("gone")
    os.mkfifo(given / "pipe")
    company.hire(
        [
            call("counter", "shell", command="find . | sort; cat leak"),
            {"profile": "counter", "say": "{{ tool }}"},
        ],
        members={"counter": {"tools": ["shell"]}},
    )
    result = await company.run("Count", files=given)
    assert result.state == "completed", result.error
    assert "data.txt" in result.answer
    for name in ("around", "nowhere", "pipe", "a key"):
        assert name not in result.answer


async def test_a_person_is_told_what_of_their_files_is_left_out(
    company: Company, tmp_path: Path
) -> None:
    folder = tmp_path / "given"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    (folder / "deep" / "link").symlink_to(folder / "a.txt")
    (folder / "folder").symlink_to(folder / "deep")
    os.mkfifo(folder / "pipe")
    company.hire([{"profile": "counter", "say": "ok"}], members={"counter": {}})
    await company.run("Go", files=folder)
    (warned,) = company.seen(Warned)
    assert warned.message == (
        f"of {folder}, members do not get 'folder', 'pipe', 'deep/link': "
        "links, pipes and sockets are left out"
    )


async def test_a_folder_that_holds_the_home_is_refused_and_nothing_of_it_is_kept(
    company: Company,
) -> None:
    company.hire([{"profile": "counter", "say": "1"}], members=MEMBERS)
    with pytest.raises(PersonError, match="set RETINUE_HOME to a place outside"):
        await company.run("Count", files=company.home.root.parent)
    assert not list(company.home.state.glob("firm/.runs/*"))


async def test_files_that_cannot_be_handed_over_do_not_lose_the_answer(company: Company) -> None:
    script = "open('x' * 252 + '.md', 'w'); open('evil\\nfile.md', 'w'); open('big.bin', 'w')"
    company.hire(
        [
            call("counter", "python", code=f"{script}.truncate(100_000_000)"),
            call("counter", "write", path="evil\nfile.md", content="x"),
            {"profile": "counter", "say": f"41, see big.bin and {'x' * 252}.md"},
        ],
        members={"counter": {"tools": ["python", "write"]}},
    )
    result = await company.run("Go")
    assert result.state == "completed", result.error
    names = {Path(artifact.path).name for artifact in result.artifacts}
    assert names == {"big.bin", f"{'x' * 252}.md"}
    assert any(r"evil\nfile.md" in warned.message for warned in company.seen(Warned))


async def test_more_files_than_can_be_listed_do_not_lose_what_was_written(company: Company) -> None:
    company.hire(
        [
            call("counter", "shell", command="seq 100001 | (mkdir t; cd t; xargs touch)"),
            call("counter", "write", path="out.txt", content="x"),
            {"profile": "counter", "say": "see out.txt"},
        ],
        members={"counter": {"tools": ["shell", "write"]}},
    )
    result = await company.run("Go")
    assert result.state == "completed", result.error
    assert [Path(artifact.path).name for artifact in result.artifacts] == ["out.txt"]


async def test_a_file_and_a_folder_of_one_name_are_both_kept(company: Company) -> None:
    company.hire(
        [
            assign(("counter", "one")),
            call("counter", "write", path="out", content="one"),
            {"profile": "counter", "say": "out"},
            assign(("scribe", "two")),
            call("scribe", "shell", command="rm out; mkdir out; echo two > out/a.md"),
            {"profile": "scribe", "say": "out/a.md"},
            {"profile": "supervisor", "say": "both"},
        ],
        members={**MEMBERS, "scribe": {"tools": ["shell"]}},
    )
    result = await company.run("Both")
    assert result.state == "completed", result.error
    paths = sorted(Path(artifact.path).as_posix() for artifact in result.artifacts)
    assert [path.partition("/artifacts/")[2] for path in paths] == ["out", "scribe/out/a.md"]


async def test_no_file_stands_in_the_way_of_another_while_it_is_handed_over(
    company: Company,
) -> None:
    company.hire(
        [
            assign(("counter", "one")),
            call("counter", "write", path="x.new", content="one"),
            {"profile": "counter", "say": "x.new"},
            assign(("scribe", "two")),
            call("scribe", "write", path="x", content="two"),
            {"profile": "scribe", "say": "done"},
            {"profile": "supervisor", "say": "both"},
        ],
        members=MEMBERS,
    )
    result = await company.run("Both")
    assert [Path(artifact.path).name for artifact in result.artifacts] == ["x", "x.new"]


async def test_a_file_whose_name_is_not_utf8_is_given_like_any_other(
    company: Company, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    Path(os.fsdecode(os.fsencode(given) + b"/na\xefve.txt")).write_text("seven")
    company.hire(
        [call("counter", "shell", command="cat na*"), {"profile": "counter", "say": "{{ tool }}"}],
        members={"counter": {"tools": ["shell", "read"]}},
    )
    result = await company.run("Count", files=given)
    assert result.state == "completed", result.error
    assert "seven" in result.answer
