"""What every backend must keep; a backend's test class inherits it and gives it `sandbox`."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.errors import PersonError, SandboxUnavailable, ToolFailed, ToolRetry
from orchestrator.sandbox import ExecResult, Sandbox, SandboxConfig

CONFIG = SandboxConfig(output_kb=16, disk_mb=8, timeout_seconds=30)

Survivors = Callable[[str], list[int]]


def shell(sandbox: Sandbox, line: str, *, seconds: float = 20) -> asyncio.Task[ExecResult]:
    return asyncio.create_task(_as_task(sandbox, ["sh", "-c", line], timedelta(seconds=seconds)))


async def _as_task(sandbox: Sandbox, command: list[str], timeout: timedelta) -> ExecResult:  # noqa: ASYNC109  the command's
    return await sandbox.exec(command, timeout=timeout)


async def until(sandbox: Sandbox, path: str) -> None:
    """Wait until a command has made that file."""
    async with asyncio.timeout(20):
        while not any(entry.path == path for entry in await sandbox.list()):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.01)


class CommandContract:
    """Commands: their result, their bounds, their end."""

    async def test_a_command_reports_code_and_both_streams(self, sandbox: Sandbox) -> None:
        result = await sandbox.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")
        assert result.isolation == sandbox.isolation
        assert (result.timed_out, result.truncated, result.out_of_memory) == (False, False, False)

    async def test_a_signal_shows_as_128_plus_its_number(self, sandbox: Sandbox) -> None:
        assert (await sandbox.exec(["sh", "-c", "kill -TERM $$"])).code == 143

    async def test_a_missing_program_is_the_commands_failure(self, sandbox: Sandbox) -> None:
        result = await sandbox.exec(["no-such-program"])
        assert result.code == 127
        assert "no-such-program" in result.stderr

    async def test_stdin_arrives_whole(self, sandbox: Sandbox) -> None:
        data = b"line\n" * 200_000
        assert (await sandbox.exec(["wc", "-c"], stdin=data)).stdout.split() == [str(len(data))]

    async def test_stdin_that_nobody_reads_does_no_harm(self, sandbox: Sandbox) -> None:
        assert (await sandbox.exec(["true"], stdin=b"x" * 1_000_000)).code == 0

    async def test_without_stdin_a_reader_meets_the_end(self, sandbox: Sandbox) -> None:
        assert (await sandbox.exec(["sh", "-c", "cat; echo end"])).stdout == "end\n"

    async def test_a_command_starts_in_its_folder(self, sandbox: Sandbox) -> None:
        await sandbox.write("a b/file", b"")
        assert (await sandbox.exec(["ls"], cwd="a b")).stdout == "file\n"

    async def test_a_command_may_be_kept_in_a_folder(self, sandbox: Sandbox) -> None:
        await sandbox.write("own/deep/file", b"")
        await sandbox.write("other/file", b"")
        line = "ls ..; touch ../new; echo > ../../other/file"
        result = await sandbox.exec(["sh", "-c", line], cwd="own/deep", within="own")
        assert result.stdout == "deep\n"
        assert "own/new" in [entry.path for entry in await sandbox.list("own")]
        written = len(await sandbox.read("other/file"))
        assert written == (1 if sandbox.isolation == "none" else 0)
        with pytest.raises(ToolRetry, match="does not lie in"):
            await sandbox.exec(["true"], cwd="other", within="own")

    @pytest.mark.parametrize("folder", ["missing", "..", "/etc", "a/../../.."])
    async def test_a_folder_that_is_not_there_or_outside_is_refused(
        self, sandbox: Sandbox, folder: str
    ) -> None:
        with pytest.raises(ToolRetry, match=r"workspace|does not exist"):
            await sandbox.exec(["true"], cwd=folder)

    async def test_our_environment_stays_with_us(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-person")
        told = (await sandbox.exec(["env"], env={"GIVEN": "to the command"})).stdout
        assert "GIVEN=to the command" in told
        assert "sk-of-the-person" not in told
        assert "GIVEN" not in (await sandbox.exec(["env"])).stdout

    @pytest.mark.parametrize("name", ["", "A=B", "A B", "1A"])
    async def test_an_impossible_variable_is_refused(self, sandbox: Sandbox, name: str) -> None:
        with pytest.raises(ToolRetry, match="environment variable"):
            await sandbox.exec(["true"], env={name: "x"})

    async def test_an_argument_too_long_for_the_system_may_be_retried(
        self, sandbox: Sandbox
    ) -> None:
        with pytest.raises(ToolRetry, match="too long"):
            await sandbox.exec(["echo", "x" * 3_000_000])

    async def test_python_is_there(self, sandbox: Sandbox) -> None:
        code = "import sqlite3, json, sys; print(sys.version_info[:2])"
        result = await sandbox.exec(["python3", "-"], stdin=code.encode())
        assert result.code == 0, result.stderr

    async def test_a_timeout_ends_the_whole_tree(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        line = f"setsid sleep {token} & (sleep {token} &) ; echo started; sleep {token}"
        result = await sandbox.exec(["sh", "-c", line], timeout=timedelta(seconds=0.5))
        assert result.timed_out
        assert result.code == 137
        assert result.stdout == "started\n"
        assert survivors(token) == []

    async def test_the_configured_timeout_is_the_longest(self, sandbox: Sandbox) -> None:
        command = sandbox.exec(["true"], timeout=timedelta(days=1))
        assert (await command).code == 0

    async def test_a_cancelled_call_ends_the_whole_tree(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        call = shell(sandbox, f"setsid sleep {token} & touch started; sleep {token}")
        await until(sandbox, "started")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert survivors(token) == []

    async def test_a_call_may_be_cancelled_at_any_moment(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        for turns in range(0, 60, 4):
            call = shell(sandbox, f"sleep {token}")
            for _ in range(turns):
                await asyncio.sleep(0.001)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert survivors(token) == []

    async def test_what_a_command_leaves_in_the_background_ends_with_it(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        result = await sandbox.exec(["sh", "-c", f"setsid sleep {token} & echo done"])
        assert (result.code, result.stdout) == (0, "done\n")
        assert survivors(token) == []

    async def test_output_beyond_the_cap_keeps_both_ends(self, sandbox: Sandbox) -> None:
        result = await sandbox.exec(["seq", "100000"])
        assert result.truncated
        assert result.stdout.startswith("1\n2\n")
        assert result.stdout.endswith("\n100000\n")
        assert "bytes left out" in result.stdout
        assert len(result.stdout) < CONFIG.output_kb * 1024 + 100

    async def test_output_that_is_no_text_is_still_told(self, sandbox: Sandbox) -> None:
        result = await sandbox.exec(["sh", "-c", r"printf 'a\377b'"])
        assert result.stdout == "a\N{REPLACEMENT CHARACTER}b"

    async def test_output_is_seen_while_the_command_runs(self, sandbox: Sandbox) -> None:
        seen = asyncio.Event()
        chunks: list[tuple[str, bytes]] = []

        def watch(stream: str, data: bytes) -> None:
            chunks.append((stream, data))
            seen.set()

        line = "echo first; while [ ! -e go ]; do sleep 0.01; done; echo last >&2"
        call = asyncio.create_task(_watched(sandbox, line, watch))
        async with asyncio.timeout(20):
            await seen.wait()
        await sandbox.write("go", b"")
        assert (await call).code == 0
        assert chunks == [("stdout", b"first\n"), ("stderr", b"last\n")]

    async def test_two_commands_run_at_once(self, sandbox: Sandbox) -> None:
        one = "touch one; while [ ! -e two ]; do sleep 0.01; done"
        two = "touch two; while [ ! -e one ]; do sleep 0.01; done"
        results = await asyncio.gather(shell(sandbox, one), shell(sandbox, two))
        assert [result.code for result in results] == [0, 0]

    async def test_suspended_nothing_moves_until_resumed(self, sandbox: Sandbox) -> None:
        line = "touch started; while [ ! -e stop ]; do echo x >>log; sleep 0.005; done"
        call = shell(sandbox, line)
        await until(sandbox, "log")
        await sandbox.suspend()
        size = len(await sandbox.read("log"))
        late = shell(sandbox, "touch late")
        await asyncio.sleep(0.2)
        assert len(await sandbox.read("log")) == size
        assert all(entry.path != "late" for entry in await sandbox.list())
        await sandbox.resume()
        assert (await late).code == 0
        async with asyncio.timeout(20):
            while len(await sandbox.read("log")) == size:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.01)
        await sandbox.write("stop", b"")
        assert (await call).code == 0

    @pytest.mark.slow
    async def test_a_suspended_command_does_not_time_out(self, sandbox: Sandbox) -> None:
        call = shell(sandbox, "touch log; while [ ! -e stop ]; do sleep 0.01; done", seconds=3)
        await until(sandbox, "log")
        await sandbox.suspend()
        await asyncio.sleep(3.2)
        await sandbox.write("stop", b"")
        await sandbox.resume()
        assert (await call).code == 0

    async def test_closing_ends_what_runs(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        call = shell(sandbox, f"touch started; sleep {token}")
        await until(sandbox, "started")
        await sandbox.__aexit__(None, None, None)
        with pytest.raises(SandboxUnavailable, match="closed"):
            await call
        assert survivors(token) == []
        with pytest.raises(SandboxUnavailable, match="closed"):
            await sandbox.exec(["true"])

    async def test_closing_while_suspended_lets_nobody_wait(
        self, sandbox: Sandbox, token: str, survivors: Survivors
    ) -> None:
        running = shell(sandbox, f"touch started; sleep {token}")
        await until(sandbox, "started")
        await sandbox.suspend()
        waiting = shell(sandbox, "true")
        await asyncio.sleep(0)
        await sandbox.__aexit__(None, None, None)
        for call in (running, waiting):
            with pytest.raises(SandboxUnavailable, match="closed"):
                await call
        assert survivors(token) == []

    async def test_it_is_healthy(self, sandbox: Sandbox) -> None:
        health = await sandbox.health()
        assert health.ok, health
        assert set(health.limits) >= {"memory_mb", "cpu_seconds", "disk_mb", "timeout_seconds"}

    async def test_a_file_beyond_the_limit_cannot_be_written(self, sandbox: Sandbox) -> None:
        size = (CONFIG.disk_mb + 1) << 20
        line = f"trap '' XFSZ; head -c {size} /dev/zero >big; wc -c <big"
        result = await sandbox.exec(["sh", "-c", line])
        assert int(result.stdout) == CONFIG.disk_mb << 20


async def _watched(sandbox: Sandbox, line: str, watch: Callable[[str, bytes], None]) -> ExecResult:
    return await sandbox.exec(["sh", "-c", line], on_output=watch)


class FileContract:
    """Files: confined to the workspace, replaced in one step, shared with commands."""

    async def test_commands_and_files_see_the_same(self, sandbox: Sandbox) -> None:
        await sandbox.write("in/deep/er.txt", b"from outside")
        line = "cat in/deep/er.txt; echo ' and back' >>in/deep/er.txt; mkdir out; echo x >out/y"
        assert (await sandbox.exec(["sh", "-c", line])).stdout == "from outside"
        assert await sandbox.read("in/deep/er.txt") == b"from outside and back\n"
        assert [entry.path for entry in await sandbox.list(recursive=True)] == [
            "in",
            "in/deep",
            "in/deep/er.txt",
            "out",
            "out/y",
        ]

    async def test_a_list_tells_folders_and_sizes(self, sandbox: Sandbox) -> None:
        await sandbox.write("a/b", b"12345")
        (folder,) = await sandbox.list()
        (file,) = await sandbox.list("a")
        assert (folder.path, folder.folder) == ("a", True)
        assert (file.path, file.size, file.folder) == ("a/b", 5, False)

    async def test_reading_may_be_limited(self, sandbox: Sandbox) -> None:
        await sandbox.write("a", b"12345")
        assert await sandbox.read("a", limit=3) == b"123"

    async def test_writing_keeps_the_mode(self, sandbox: Sandbox) -> None:
        await sandbox.exec(["sh", "-c", "echo echo one >run; chmod 755 run"])
        await sandbox.write("run", b"echo two")
        assert (await sandbox.exec(["./run"])).stdout == "two\n"

    async def test_removing_takes_files_folders_and_read_only_ones(self, sandbox: Sandbox) -> None:
        await sandbox.exec(["sh", "-c", "mkdir -p a/b/c; touch a/b/c/d e; chmod 500 a/b/c a/b"])
        await sandbox.remove("a")
        await sandbox.remove("e")
        assert await sandbox.list() == []

    @pytest.mark.parametrize(
        "path", ["../x", "a/../../x", "/etc/passwd", "/", "..", "a\0b", "\ud800", "x" * 300]
    )
    async def test_no_path_leads_out(self, sandbox: Sandbox, path: str, tmp_path: Path) -> None:
        with pytest.raises(ToolRetry):
            await sandbox.read(path)
        with pytest.raises(ToolRetry):
            await sandbox.write(path, b"")
        with pytest.raises(ToolRetry):
            await sandbox.remove(path)
        with pytest.raises(ToolRetry):
            await sandbox.list(path)
        with pytest.raises(ToolRetry):
            await sandbox.get(path, tmp_path / "got")

    async def test_links_are_refused_those_that_stay_inside_too(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("outside")
        line = f"ln -s {tmp_path} out; ln -s {secret} file; mkdir in; echo x >in/y; ln -s in inside"
        await sandbox.exec(["sh", "-c", line])
        for path in ("out/secret", "file", "inside/y", "inside"):
            with pytest.raises(ToolRetry):
                await sandbox.read(path)
            with pytest.raises(ToolRetry):
                await sandbox.write(path, b"changed")
        assert secret.read_text() == "outside"
        await sandbox.remove("out")
        assert secret.exists()

    async def test_what_is_no_file_is_refused_without_waiting(self, sandbox: Sandbox) -> None:
        await sandbox.exec(["sh", "-c", "mkfifo pipe; mkdir folder"])
        for path in ("pipe", "folder", "missing"):
            with pytest.raises(ToolRetry, match=path):
                await asyncio.wait_for(sandbox.read(path), 10)
        with pytest.raises(ToolRetry, match="named pipe"):
            await sandbox.write("pipe", b"")
        with pytest.raises(ToolRetry, match="folder"):
            await sandbox.write("folder", b"")

    async def test_a_file_beyond_the_limit_is_not_written(self, sandbox: Sandbox) -> None:
        await sandbox.write("a", b"old")
        with pytest.raises(ToolRetry, match="limit"):
            await sandbox.write("a", bytes((CONFIG.disk_mb << 20) + 1))
        assert await sandbox.read("a") == b"old"

    async def test_a_link_swapped_in_while_we_read_shows_nothing(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("outside")
        line = (
            f"mkdir real; echo inside >real/file; ln -s {tmp_path} link; touch ready; "
            "while [ ! -e stop ]; do mv real d; mv d real; mv link d; mv d link; done"
        )
        call = shell(sandbox, line)
        await until(sandbox, "ready")
        for _ in range(300):
            try:
                assert await sandbox.read("d/file") == b"inside\n"
            except ToolRetry:
                continue
        await sandbox.write("stop", b"")
        await call

    async def test_files_are_put_and_got(self, sandbox: Sandbox, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "sub" / "empty").mkdir(parents=True)
        (source / "sub" / "file").write_bytes(b"data")
        (source / "sub" / "file").chmod(0o755)
        (source / "link").symlink_to("/etc/passwd")
        await sandbox.put(source, "a/b")
        await sandbox.put(source / "sub" / "file", "single")
        listed = [entry.path for entry in await sandbox.list(recursive=True)]
        assert listed == ["a", "a/b", "a/b/sub", "a/b/sub/empty", "a/b/sub/file", "single"]
        changed = await sandbox.exec(["sh", "-c", "echo more >>a/b/sub/file; ln -s /etc a/b/etc"])
        assert changed.code == 0
        await sandbox.get("a", tmp_path / "target")
        await sandbox.get("single", tmp_path / "one" / "file")
        assert (tmp_path / "target/b/sub/file").read_bytes() == b"datamore\n"
        assert (tmp_path / "target/b/sub/empty").is_dir()
        assert not (tmp_path / "target/b/etc").exists()
        assert (tmp_path / "one/file").read_bytes() == b"data"

    async def test_an_empty_folder_can_be_put(self, sandbox: Sandbox, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        await sandbox.put(empty, "run")
        assert (await sandbox.exec(["sh", "-c", "pwd; touch here"], cwd="run")).code == 0

    async def test_a_folder_that_holds_the_workspace_is_not_put(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        with pytest.raises(PersonError, match="RETINUE_HOME"):
            await sandbox.put(tmp_path, "run")

    async def test_a_snapshot_brings_everything_back(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        line = (
            "mkdir -p a/b empty; echo 1 >a/b/f; chmod 750 a/b/f; ln -s b a/in; ln -s /etc a/out; "
            "mkfifo a/pipe"
        )
        await sandbox.exec(["sh", "-c", line])
        await sandbox.snapshot(tmp_path / "saved.tar")
        await sandbox.exec(["sh", "-c", "rm -r a empty; echo 2 >later; chmod 500 ."])
        await sandbox.restore(tmp_path / "saved.tar")
        told = await sandbox.exec(
            ["sh", "-c", "find . -mindepth 1 | sort; cat a/in/f; ls -l a/b/f"]
        )
        assert told.stdout.splitlines()[:6] == [
            "./a",
            "./a/b",
            "./a/b/f",
            "./a/in",
            "./empty",
            "1",
        ]
        assert "-rwxr-x---" in told.stdout

    async def test_nothing_is_restored_below_a_running_command(
        self, sandbox: Sandbox, tmp_path: Path
    ) -> None:
        await sandbox.snapshot(tmp_path / "saved.tar")
        call = shell(sandbox, "touch started; while [ ! -e stop ]; do sleep 0.01; done")
        await until(sandbox, "started")
        with pytest.raises(SandboxUnavailable, match="commands are running"):
            await sandbox.restore(tmp_path / "saved.tar")
        await sandbox.write("stop", b"")
        assert (await call).code == 0

    @pytest.mark.parametrize("kind", ["climbing", "absolute", "through a link", "device", "junk"])
    async def test_an_evil_archive_changes_nothing(
        self, sandbox: Sandbox, tmp_path: Path, kind: str
    ) -> None:
        await sandbox.write("kept", b"as it was")
        evil = tmp_path / "evil.tar"
        evil.write_bytes(_archive(kind, tmp_path))
        with pytest.raises((ToolFailed, ToolRetry)):
            await sandbox.restore(evil)
        assert await sandbox.read("kept") == b"as it was"
        assert not (tmp_path / "escaped").exists()


def _archive(kind: str, outside: Path) -> bytes:
    if kind == "junk":
        return os.urandom(2048)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        if kind == "through a link":
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "."
            archive.addfile(link)
        names = {
            "climbing": "../" * 12 + f"{outside}/escaped".lstrip("/"),
            "absolute": f"{outside}/escaped",
            "through a link": "link/escaped",
            "device": "escaped",
        }
        member = tarfile.TarInfo(names[kind])
        if kind == "device":
            member.type, member.mode = tarfile.CHRTYPE, stat.S_IRUSR
            member.devmajor, member.devminor = 1, 5
        archive.addfile(member)
    return buffer.getvalue()


class SandboxContract(CommandContract, FileContract):
    """All of it."""
