"""`read write edit list glob grep`, in a real sandbox."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ToolRetry
from orchestrator.home import Home
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.tool.base import ToolContext, ToolResult
from orchestrator.tool.builtin.pattern import matches
from orchestrator.tool.catalog import TOOLS


@pytest.fixture
async def context(home: Home, tmp_path: Path) -> AsyncIterator[ToolContext]:
    """A run's working folder; without walls, so that these tests need no bubblewrap."""
    home.create()
    profile = home.profile("team", "worker")
    profile.create()
    (tmp_path / "run").mkdir()
    async with open_sandbox(SandboxConfig(isolation="none"), profile) as sandbox:
        await sandbox.put(tmp_path / "run", "run1")
        secrets = {"TOKEN": "tok-0123456789"}
        yield ToolContext("team/worker", "r1", "run1", sandbox, secrets=secrets, timeout_seconds=20)


async def call(context: ToolContext, name: str, **arguments: Any) -> ToolResult:
    tool = TOOLS.load(name)()
    return await tool.run(tool.arguments.model_validate(arguments), context)


class TestRead:
    async def test_a_file_comes_as_it_is(self, context: ToolContext) -> None:
        await call(context, "write", path="a.txt", content="one\n\ttwo\n")
        result = await call(context, "read", path="a.txt")
        assert result.text == "one\n\ttwo"
        assert result.data == {"path": "run1/a.txt", "first": 1, "last": 2, "lines": 2}

    async def test_a_part_says_how_to_go_on(self, context: ToolContext) -> None:
        text = "".join(f"line {number}\n" for number in range(1, 1001))
        await call(context, "write", path="a", content=text)
        first = (await call(context, "read", path="a")).text
        assert first.endswith("line 400\n[lines 1-400 of 1000; next: offset=401]")
        last = (await call(context, "read", path="a", offset=999, limit=5)).text
        assert last == "line 999\nline 1000"

    async def test_long_lines_and_many_characters_are_cut(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="x" * 100_000 + "\nshort\n")
        text = (await call(context, "read", path="a")).text
        assert len(text) < 3_000
        assert "98,000 characters more]\nshort" in text
        await call(context, "write", path="b", content=("y" * 1_000 + "\n") * 100)
        assert (
            "[lines 1-23 of 100; next: offset=24]" in (await call(context, "read", path="b")).text
        )

    async def test_an_empty_file_is_said_to_be_empty(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="")
        result = await call(context, "read", path="a")
        assert (result.empty, result.text) == (True, "The file is empty.")

    async def test_a_binary_file_is_refused_with_kind_and_size(self, context: ToolContext) -> None:
        await context.sandbox.write("run1/p.png", b"\x89PNG\0\0\0")
        with pytest.raises(ToolRetry, match=r"'p\.png' is a binary file \(image/png, 7 bytes\)"):
            await call(context, "read", path="p.png")

    @pytest.mark.parametrize(
        ("encoding", "note"),
        [("utf-8-sig", ""), ("cp1252", "[read as Windows-1252]"), ("utf-16", "[read as utf-16]")],
    )
    async def test_other_encodings_are_read(
        self, context: ToolContext, encoding: str, note: str
    ) -> None:
        await context.sandbox.write("run1/a", "Müller".encode(encoding))
        lines = (await call(context, "read", path="a")).text.splitlines()
        assert lines == ["Müller", note] if note else ["Müller"]

    async def test_an_offset_beyond_the_end_is_refused(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="1\n2\n")
        with pytest.raises(ToolRetry, match="has 2 lines"):
            await call(context, "read", path="a", offset=3)

    async def test_secrets_are_not_shown(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="key=tok-0123456789;")
        assert (await call(context, "read", path="a")).text == "key=[secret TOKEN];"
        assert "tok-0" not in (await call(context, "grep", pattern="key")).text

    @pytest.mark.parametrize("path", ["missing", "../../x", "/etc/passwd", "folder"])
    async def test_refusals_speak_of_the_path_as_written(
        self, context: ToolContext, path: str
    ) -> None:
        await call(context, "write", path="folder/x", content="")
        with pytest.raises(ToolRetry) as refused:
            await call(context, "read", path=path)
        assert repr(path) in str(refused.value)

    async def test_the_path_a_command_sees_is_understood(self, context: ToolContext) -> None:
        await call(context, "write", path="/workspace/run1/a", content="x")
        assert (await call(context, "read", path="a")).text == "x"


class TestOtherRuns:
    """A member's workspace holds a folder for each run; a tool has that of its own."""

    @pytest.fixture(
        params=["../run2/x", "/workspace/run2/x", "{root}/run2/x", "./../run1/../run2/x"]
    )
    async def path(self, context: ToolContext, request: pytest.FixtureRequest) -> str:
        await context.sandbox.write("run2/x", b"other")
        return str(request.param).format(root=context.sandbox.root)

    @pytest.mark.parametrize(
        ("tool", "more"),
        [
            ("read", {}),
            ("write", {"content": "mine"}),
            ("edit", {"old": "other", "new": "mine"}),
            ("list", {}),
            ("glob", {}),
            ("grep", {"pattern": "o"}),
        ],
    )
    async def test_no_tool_reaches_them(
        self, context: ToolContext, path: str, tool: str, more: dict[str, str]
    ) -> None:
        given = {"pattern": path} if tool == "glob" else {"path": path, **more}
        with pytest.raises(ToolRetry, match="outside the workspace's folder of this run"):
            await call(context, tool, **given)
        assert await context.sandbox.read("run2/x") == b"other"

    @pytest.mark.parametrize("path", ["..", "/workspace", "../run10"])
    async def test_nor_what_lies_above(self, context: ToolContext, path: str) -> None:
        await context.sandbox.write("run10/x", b"")
        with pytest.raises(ToolRetry, match="outside the workspace's folder of this run"):
            await call(context, "list", path=path)

    async def test_no_link_leads_grep_there(self, context: ToolContext) -> None:
        await context.sandbox.write("run2/x", b"other")
        await context.sandbox.exec(["ln", "-s", "../run2", "link"], cwd="run1")
        for path in ("link", "link/x"):
            with pytest.raises(ToolRetry, match="links are refused"):
                await call(context, "grep", pattern="other", path=path)

    async def test_the_own_folder_may_be_named_in_any_way(self, context: ToolContext) -> None:
        await call(context, "write", path="../run1/a", content="x")
        for path in ("a", "/workspace/run1/a", f"{context.sandbox.root}/run1/./a"):
            assert (await call(context, "read", path=path)).text == "x"


class TestWrite:
    async def test_it_tells_what_it_wrote(self, context: ToolContext) -> None:
        result = await call(context, "write", path="a/b.txt", content="ä\n")
        assert result.text == "Wrote a/b.txt (3 bytes)."
        assert result.files == ("run1/a/b.txt",)
        assert await context.sandbox.read("run1/a/b.txt") == "ä\n".encode()

    async def test_half_a_character_is_no_crash(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="x\ud83d")
        assert await context.sandbox.read("run1/a") == b"x?"


class TestEdit:
    async def test_the_one_place_is_replaced_and_nothing_else(self, context: ToolContext) -> None:
        await context.sandbox.write("run1/a", b"\xefone\r\ntwo\r\n")
        result = await call(context, "edit", path="a", old="two", new="2")
        assert result.files == ("run1/a",)
        assert await context.sandbox.read("run1/a") == b"\xefone\r\n2\r\n"

    async def test_several_places_are_named_unless_all_is_meant(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="x\ny\nx\n")
        with pytest.raises(ToolRetry, match=r"occurs 2 times in 'a', in lines 1, 3"):
            await call(context, "edit", path="a", old="x", new="z")
        await call(context, "edit", path="a", old="x", new="z", all=True)
        assert (await call(context, "read", path="a")).text == "z\ny\nz"

    async def test_a_near_miss_shows_the_line_meant(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="def go(x):\n    return x\n")
        with pytest.raises(ToolRetry, match=r"near lines:\n1: def go\(x\):"):
            await call(context, "edit", path="a", old="def go(x, y):\n  pass", new="")

    @pytest.mark.parametrize(("old", "new"), [("", "x"), ("one", "one")])
    async def test_an_edit_that_changes_nothing_is_refused(
        self, context: ToolContext, old: str, new: str
    ) -> None:
        await call(context, "write", path="a", content="one")
        with pytest.raises(ToolRetry, match="must be some text"):
            await call(context, "edit", path="a", old=old, new=new)


class TestList:
    async def test_folders_and_sizes_are_shown(self, context: ToolContext) -> None:
        await call(context, "write", path="b/c", content="1234")
        await call(context, "write", path="a", content="x" * 1500)
        assert (await call(context, "list")).text == "a  1,500\nb/"
        assert (await call(context, "list", path="b")).text == "c  4"

    async def test_an_empty_folder_says_so(self, context: ToolContext) -> None:
        result = await call(context, "list")
        assert (result.empty, result.text) == (True, "The folder is empty.")

    async def test_a_long_list_is_cut(self, context: ToolContext) -> None:
        for number in range(203):
            await context.sandbox.write(f"run1/{number:03}", b"")
        lines = (await call(context, "list")).text.splitlines()
        assert (len(lines), lines[-1]) == (201, "[3 more]")


class TestNamesThatAreNotUtf8:
    @pytest.fixture(autouse=True)
    async def files(self, context: ToolContext, tmp_path: Path) -> None:
        folder = tmp_path / "odd"
        inner = os.fsencode(folder) + b"/\xe9t\xe9"
        os.makedirs(inner)  # noqa: PTH103  its name is bytes
        for path in (inner + b"/\xff\xfe.csv", os.fsencode(folder) + b"/plain.csv"):
            Path(os.fsdecode(path)).write_text("a,b\n1,2\n")
        await context.sandbox.put(folder, "run1")

    async def test_what_is_listed_can_be_read_and_changed(self, context: ToolContext) -> None:
        assert (await call(context, "list")).text == "\\xe9t\\xe9/\nplain.csv  8"
        path = r"\xe9t\xe9/\xff\xfe.csv"
        assert (await call(context, "glob", pattern="**/*.csv")).text.split("\n")[0] == path
        await call(context, "edit", path=path, old="1,2", new="3,4")
        assert (await call(context, "read", path=path)).text == "a,b\n3,4"
        assert (await call(context, "list", path=r"\xe9t\xe9")).text == "\\xff\\xfe.csv  8"

    async def test_they_are_no_hindrance_to_grep(self, context: ToolContext) -> None:
        found = (await call(context, "grep", pattern="1,2")).text.splitlines()
        assert found[:2] == ["plain.csv:2: 1,2", r"\xe9t\xe9/\xff\xfe.csv:2: 1,2"]
        found = (await call(context, "grep", pattern="1,2", path=r"\xe9t\xe9")).text.splitlines()
        assert found[0] == r"\xe9t\xe9/\xff\xfe.csv:2: 1,2"

    async def test_a_name_that_only_looks_so_is_meant_as_it_is(self, context: ToolContext) -> None:
        await call(context, "write", path=r"\xff.txt", content="x")
        assert await context.sandbox.read("run1/\\xff.txt") == b"x"


class TestGlob:
    async def test_files_are_found_by_pattern(self, context: ToolContext) -> None:
        for path in ("a.py", "src/b.py", "src/deep/c.py", "src/d.txt", ".git/e.py"):
            await call(context, "write", path=path, content="")
        assert (await call(context, "glob", pattern="**/*.py")).text == (
            "a.py\nsrc/b.py\nsrc/deep/c.py"
        )
        assert (await call(context, "glob", pattern="src/*.py")).text == "src/b.py"
        assert (await call(context, "glob", pattern=".git/*")).text == ".git/e.py"

    async def test_nothing_found_is_empty(self, context: ToolContext) -> None:
        assert (await call(context, "glob", pattern="*.md")).empty

    @pytest.mark.parametrize("pattern", ["../../*", "/etc/*"])
    async def test_no_pattern_leads_out(self, context: ToolContext, pattern: str) -> None:
        with pytest.raises(ToolRetry):
            await call(context, "glob", pattern=pattern)

    @pytest.mark.parametrize(
        ("path", "pattern", "fits"),
        [
            ("a/b/c", "**", True),
            ("a/b/c", "a/**/c", True),
            ("a/c", "a/**/c", True),
            ("a/b/c", "a/*", False),
            ("a/b/c", "**/b", False),
            ("a/b", "a/[ab]", True),
            ("a", "a/**/b", False),
        ],
    )
    def test_patterns_mean_what_shells_mean(self, path: str, pattern: str, fits: bool) -> None:
        assert matches(path.split("/"), pattern.split("/")) is fits

    def test_a_hostile_pattern_ends(self) -> None:
        assert not matches(["a"] * 200, ["**", "*a*a*a*a*b"] * 50)


class TestGrep:
    async def test_matches_come_with_file_and_line(self, context: ToolContext) -> None:
        await call(context, "write", path="src/a.py", content="x = 1\ny = 22\n")
        await call(context, "write", path="b.txt", content="y = 3\n")
        await context.sandbox.write("run1/c.bin", b"y = 4\0")
        result = await call(context, "grep", pattern=r"y = \d+")
        assert result.text == "b.txt:1: y = 3\nsrc/a.py:2: y = 22\n[isolation: none]"
        assert (await call(context, "grep", pattern="y", path="src")).data["matches"] == 1
        assert (await call(context, "grep", pattern="y", path="b.txt")).data["matches"] == 1

    async def test_nothing_found_is_empty(self, context: ToolContext) -> None:
        assert (await call(context, "grep", pattern="nowhere")).empty

    async def test_too_many_matches_are_cut(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="x\n" * 500)
        result = await call(context, "grep", pattern="x")
        assert (result.data["matches"], result.data["more"]) == (100, True)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"pattern": "("}, "no regular expression"),
            ({"pattern": "x", "path": "missing"}, "'missing' does not exist"),
            ({"pattern": "x", "path": "../../.."}, "outside the workspace's folder of this run"),
            ({"pattern": "x", "path": "/etc"}, "outside the workspace's folder of this run"),
        ],
    )
    async def test_bad_requests_may_be_retried(
        self, context: ToolContext, arguments: dict[str, str], message: str
    ) -> None:
        with pytest.raises(ToolRetry, match=message):
            await call(context, "grep", **arguments)

    async def test_an_endless_expression_is_stopped(self, context: ToolContext) -> None:
        await call(context, "write", path="a", content="a" * 60 + "b")
        short = ToolContext(
            context.address, context.run, context.workdir, context.sandbox, timeout_seconds=1
        )
        with pytest.raises(ToolRetry, match="took longer than 1 s"):
            await call(short, "grep", pattern="(a+)+$")


def test_what_may_run_twice_is_said() -> None:
    idempotent = {name: TOOLS.load(name).idempotent for name in ("read", "write", "edit", "grep")}
    assert idempotent == {"read": True, "write": True, "edit": False, "grep": True}
