"""Full disks, dead processes, half-done work."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import PersonError, ToolFailed
from orchestrator.home import ProfileHome
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.sandbox.local import cgroup
from tests.sandbox.conftest import cannot

_RUNNING = """
import asyncio, sys
from pathlib import Path
from orchestrator.home import ProfileHome
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.sandbox.local import cgroup

async def main(root, token):
    async with open_sandbox(SandboxConfig(), ProfileHome("team", "worker", root)) as sandbox:
        line = f"setsid sleep {token} & echo started; sleep {token}"
        await sandbox.exec(["sh", "-c", line], on_output=lambda *_: print("started", flush=True))

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""

_STARTING = """
import asyncio, os, signal, sys
from pathlib import Path
from orchestrator.home import ProfileHome
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.sandbox.local import cgroup

async def main(root, token, seconds):
    async with open_sandbox(SandboxConfig(), ProfileHome("team", "worker", root)) as sandbox:
        asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGKILL)
        await sandbox.exec(["sleep", token])

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
"""


def _gone(word: str, survivors: Callable[[str], list[int]]) -> bool:
    """Whether the kernel, which ends them after us, has ended them all."""
    for _ in range(500):
        if not survivors(word):
            return True
        signal.sigtimedwait([], 0.01)
    return False


@pytest.mark.usefixtures("bubblewrap")
def test_killed_ourselves_we_leave_no_process(
    profile: ProfileHome, token: str, survivors: Callable[[str], list[int]]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _RUNNING, str(profile.root), token], stdout=subprocess.PIPE
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"started\n"
        ours.kill()
    assert _gone(token, survivors)


@pytest.mark.usefixtures("bubblewrap")
async def test_the_control_group_of_a_killed_process_is_cleared_away(
    profile: ProfileHome, token: str
) -> None:
    def groups(pid: int) -> list[Path]:
        places = cgroup.places(Path("/proc/self"))
        return [folder for place, _ in places for folder in place.glob(f"retinue-*-{pid}-*")]

    words = [sys.executable, "-c", _STARTING, str(profile.root), token, "0"]
    killed = await asyncio.create_subprocess_exec(*words)
    assert await killed.wait() == -signal.SIGKILL
    async with open_sandbox(SandboxConfig(), profile):
        if not groups(os.getpid()):
            pytest.skip("no control group can be made here")
        assert groups(killed.pid) == []


@pytest.mark.slow
@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize("seconds", [0.0, 0.002, 0.005, 0.01, 0.02, 0.04])
async def test_killed_while_a_command_starts_we_leave_no_command(
    profile: ProfileHome, token: str, survivors: Callable[[str], list[int]], seconds: float
) -> None:
    """At worst a bubblewrap that starts nothing, which the next sandbox ends."""
    words = [sys.executable, "-c", _STARTING, str(profile.root), token, str(seconds)]
    killed = await asyncio.create_subprocess_exec(*words)
    assert await killed.wait() == -signal.SIGKILL
    async with open_sandbox(SandboxConfig(), profile) as sandbox:
        assert _gone(token, survivors)
        assert (await sandbox.exec(["echo", "on"])).stdout == "on\n"


_ORPHANED = """
import os, subprocess, sys
from orchestrator.sandbox.local.walls import GATE
words = ["bwrap", "--unshare-pid", "--unshare-user", "--ro-bind", "/", "/", *GATE]
watcher = subprocess.Popen(
    [*words, "sleep", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
watcher.stdin.write(b"go\\n")
watcher.stdin.flush()
watcher.stdout.readline()
watcher.kill()
watcher.wait()
"""


@pytest.mark.usefixtures("bubblewrap")
async def test_a_sandbox_that_nobody_watches_is_ended_by_the_next(
    profile: ProfileHome, token: str, survivors: Callable[[str], list[int]]
) -> None:
    one = await asyncio.create_subprocess_exec(sys.executable, "-c", _ORPHANED, token)
    assert await one.wait() == 0
    async with open_sandbox(SandboxConfig(), profile) as sandbox:
        assert _gone(token, survivors)
        running = asyncio.create_task(sandbox.health())
        async with open_sandbox(SandboxConfig(), profile) as other:
            assert (await other.exec(["echo", "both"])).stdout == "both\n"
        assert (await running).ok


@pytest.fixture
def tiny_disk(profile: ProfileHome) -> Iterator[Path]:
    """The workspace on a file system of one megabyte."""
    words = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", str(profile.workspace)]
    mounted = os.geteuid() == 0 and subprocess.run(words, check=False).returncode == 0
    if not mounted:
        cannot("only root can mount a small file system")
    yield profile.workspace
    subprocess.run(["umount", str(profile.workspace)], check=True)


@pytest.mark.parametrize("isolation", ["full", "none"])
@pytest.mark.usefixtures("bubblewrap", "tiny_disk")
async def test_a_full_disk_leaves_the_old_file(profile: ProfileHome, isolation: str) -> None:
    config = SandboxConfig.model_validate({"isolation": isolation})
    async with open_sandbox(config, profile) as sandbox:
        await sandbox.write("report", b"old")
        result = await sandbox.exec(["sh", "-c", "head -c 2M /dev/zero >fill"])
        assert "No space left" in result.stderr
        with pytest.raises(ToolFailed, match="the disk is full"):
            await sandbox.write("report", bytes(100_000))
        assert await sandbox.read("report") == b"old"
        assert [entry.path for entry in await sandbox.list()] == ["fill", "report"]


async def test_a_restore_that_was_cut_off_is_undone(profile: ProfileHome) -> None:
    (profile.workspace / "kept").write_text("still here")
    profile.workspace.rename(profile.root / "workspace.old")
    async with open_sandbox(SandboxConfig(isolation="none"), profile) as sandbox:
        assert await sandbox.read("kept") == b"still here"


async def test_a_limit_that_was_asked_for_and_cannot_be_kept_is_refused(
    profile: ProfileHome,
) -> None:
    asked = SandboxConfig(isolation="none", processes=10)
    with pytest.raises(PersonError, match=r"`processes` cannot be kept.*'none'"):
        await open_sandbox(asked, profile).__aenter__()
    async with open_sandbox(SandboxConfig(isolation="none"), profile) as sandbox:
        assert (await sandbox.health()).warnings == ("nothing keeps the limit `processes` here",)
