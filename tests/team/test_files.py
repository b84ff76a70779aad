"""Files go from member to member through the runtime only, and nothing is overwritten unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
