"""What only walls give: limits, system calls, what is in sight, and refusal where they fail."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import SandboxUnavailable
from orchestrator.home import Home, ProfileHome
from orchestrator.sandbox import Sandbox, SandboxConfig, open_sandbox
from tests.sandbox.conftest import cannot
from tests.sandbox.contract import shell, until

pytestmark = pytest.mark.usefixtures("bubblewrap")

_PROJECT = Path(__file__).parents[2]

_CALLS = """
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno(), "none")
print(json.dumps({name: call(number, *arguments) for name, number, *arguments in %s}))
"""

_X86_64 = [
    ("io_uring_setup", 425, 1, 0),
    ("keyctl", 250, 0, 0, 0, 0, 0),
    ("add_key", 248, 0, 0, 0, 0, 0),
    ("bpf", 321, 0, 0, 0),
    ("perf_event_open", 298, 0, 0, 0, 0, 0),
    ("userfaultfd", 323, 0),
    ("ptrace", 101, 0, 0, 0, 0),
    ("process_vm_readv", 310, 0, 0, 0, 0, 0, 0),
    ("open_by_handle_at", 304, 0, 0, 0),
    ("unshare user", 272, 0x10000000),
    ("clone user", 56, 0x10000011, 0, 0, 0, 0),
    ("setns", 308, 0, 0),
    ("mount", 165, 0, 0, 0, 0, 0),
]
"""Name, number, arguments: without a filter each is allowed or fails otherwise than by EPERM."""


@pytest.fixture
async def sandbox(profile: ProfileHome) -> AsyncIterator[Sandbox]:
    async with open_sandbox(SandboxConfig(), profile) as sandbox:
        yield sandbox


async def test_a_command_sees_the_system_and_its_workspace(sandbox: Sandbox) -> None:
    told = (await sandbox.exec(["sh", "-c", "ls /; pwd; id -un; hostname"])).stdout.split()
    assert "workspace" in told
    assert not {"home", "sys", "var", "srv", "mnt", "boot", "run"} & set(told)
    assert told[-3:] == ["/workspace", "agent", "sandbox"]


async def test_the_environment_holds_an_allowlist(sandbox: Sandbox) -> None:
    told = (await sandbox.exec(["sh", "-c", "env | cut -d= -f1"])).stdout.split()
    allowed = {"PATH", "HOME", "TMPDIR", "USER", "LANG", "PYTHONDONTWRITEBYTECODE", "PWD"}
    assert set(told) <= allowed | {"OLDPWD", "SHLVL", "_"}


async def test_python_is_ours_without_our_packages(sandbox: Sandbox) -> None:
    code = "import sys, importlib.util as u; print(sys.version, u.find_spec('orchestrator'))"
    for name in ("python", "python3"):
        told = (await sandbox.exec([name, "-c", code])).stdout.strip()
        assert told == f"{sys.version} None"


async def test_temporary_files_last_for_one_command(sandbox: Sandbox) -> None:
    line = "[ ! -e /tmp/x ] && [ ! -e /dev/shm/x ] && touch /tmp/x /dev/shm/x && echo new"
    for _ in range(2):
        assert (await sandbox.exec(["sh", "-c", line])).stdout == "new\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
async def test_dangerous_system_calls_are_refused(sandbox: Sandbox) -> None:
    result = await sandbox.exec(["python3", "-c", _CALLS % _X86_64])
    assert json.loads(result.stdout) == {name: "EPERM" for name, *_ in _X86_64}
    clone3 = await sandbox.exec(["python3", "-c", _CALLS % [("clone3", 435, 0, 0)]])
    assert json.loads(clone3.stdout) == {"clone3": "ENOSYS"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
def test_the_check_of_system_calls_can_fail() -> None:
    harmless = [call for call in _X86_64 if call[0] in ("keyctl", "process_vm_readv", "setns")]
    said = subprocess.run(
        [sys.executable, "-c", _CALLS % harmless], capture_output=True, text=True, check=True
    )
    assert "EPERM" not in json.loads(said.stdout).values()


async def test_threads_and_subprocesses_work(sandbox: Sandbox) -> None:
    code = (
        "import subprocess, threading, multiprocessing as m\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "print(subprocess.check_output(['echo', 'process'], text=True), end='')\n"
        "p = m.get_context('fork').Process(target=print, args=('fork',)); p.start(); p.join()\n"
    )
    result = await sandbox.exec(["python3", "-u", "-c", code])
    assert result.stdout.split() == ["thread", "process", "fork"], result.stderr


async def test_memory_is_limited(profile: ProfileHome) -> None:
    async with open_sandbox(SandboxConfig(memory_mb=96), profile) as sandbox:
        result = await sandbox.exec(["python3", "-c", "x = bytearray(300 << 20)"])
        together = "control group" in (await sandbox.health()).limits["memory_mb"]
        assert result.out_of_memory == together
        assert result.code == 137 if together else "MemoryError" in result.stderr
        assert (await sandbox.exec(["echo", "on"])).stdout == "on\n"


async def test_processes_are_limited_for_each_command(profile: ProfileHome) -> None:
    line = "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo all"
    async with open_sandbox(SandboxConfig(processes=30), profile) as sandbox:
        several = await asyncio.gather(*(shell(sandbox, line) for _ in range(4)))
        assert [result.stdout for result in several] == ["all\n"] * 4
    async with open_sandbox(SandboxConfig(processes=5), profile) as sandbox:
        assert "all" not in (await sandbox.exec(["sh", "-c", line])).stdout


async def test_cpu_time_is_limited(profile: ProfileHome) -> None:
    async with open_sandbox(SandboxConfig(cpu_seconds=1), profile) as sandbox:
        result = await sandbox.exec(["sh", "-c", "while :; do :; done"])
        assert (result.code, result.timed_out) == (152, False)


async def test_two_sandboxes_see_nothing_of_each_other(home: Home, profile: ProfileHome) -> None:
    other = home.profile("team", "other")
    other.create()
    async with (
        open_sandbox(SandboxConfig(), profile) as one,
        open_sandbox(SandboxConfig(), other) as two,
    ):
        await one.write("mine", b"")
        running = shell(one, "touch started; while [ ! -e stop ]; do sleep 0.01; done")
        await until(one, "started")
        told = await two.exec(["sh", "-c", f"ls . {profile.workspace}; cat /proc/*/comm"])
        assert "mine" not in told.stdout
        assert "sleep" not in told.stdout
        await one.write("stop", b"")
        assert (await running).code == 0


async def test_secrets_stand_in_no_command_line(sandbox: Sandbox) -> None:
    line = "touch started; while [ ! -e stop ]; do sleep 0.01; done; echo $KEY"
    call = asyncio.create_task(sandbox.exec(["sh", "-c", line], env={"KEY": "the-secret-value"}))
    await until(sandbox, "started")
    lines = b"".join(_command_lines())
    await sandbox.write("stop", b"")
    assert (await call).stdout == "the-secret-value\n"
    assert b"while [ ! -e stop ]" in lines
    assert b"the-secret-value" not in lines


def _command_lines() -> list[bytes]:
    found: list[bytes] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes())
        except OSError:
            continue
    return found


async def test_a_sandbox_killed_from_outside_is_not_the_commands_failure(
    sandbox: Sandbox, token: str, survivors: Callable[[str], list[int]]
) -> None:
    call = shell(sandbox, f"touch started; sleep {token}")
    await until(sandbox, "started")
    watcher = min(survivors(token))
    os.kill(watcher, 9)
    with pytest.raises(SandboxUnavailable, match="from outside by SIGKILL"):
        await call
    assert survivors(token) == []
    assert (await sandbox.exec(["echo", "again"])).stdout == "again\n"


async def test_a_workspace_that_vanished_is_not_the_commands_failure(
    sandbox: Sandbox, profile: ProfileHome
) -> None:
    profile.workspace.rename(profile.root / "elsewhere")
    with pytest.raises(SandboxUnavailable, match=r"workspace .* is gone"):
        await sandbox.exec(["true"])


async def test_without_bubblewrap_it_refuses_and_says_what_to_install(
    profile: ProfileHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match=r"apt install bubblewrap.*isolation: none"):
        await open_sandbox(SandboxConfig(), profile).__aenter__()
    health = await open_sandbox(SandboxConfig(), profile).health()
    assert not health.ok
    assert "bwrap" in health.problem
    assert "apt install bubblewrap" in health.fix


async def test_a_home_that_every_command_could_read_is_refused(
    profile: ProfileHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="RETINUE_HOME"):
        await open_sandbox(SandboxConfig(), profile).__aenter__()


def _elsewhere(words: list[str], program: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a Python program of ours by the system's interpreter, which every user can reach."""
    packages = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    system = Path("/usr/bin/python3")
    if not system.exists() or not packages.is_dir():
        cannot("there is no Python of the system")
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(place),
        "PYTHONPATH": f"{_PROJECT}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    said = subprocess.run(
        [*words, str(system), "-c", program],
        env=environment,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "ModuleNotFoundError" in said.stderr:
        cannot("the Python of the system is another version than ours")
    return said


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from orchestrator.errors import RetinueError
from orchestrator.home import Home
from orchestrator.sandbox import SandboxConfig, open_sandbox

async def main():
    home = Home(Path.cwd() / "home")
    home.create()
    profile = home.profile("team", "worker")
    profile.create()
    async with open_sandbox(SandboxConfig(processes=40), profile) as sandbox:
        await sandbox.write("a", b"put")
        line = "cat a; id -u; python3 -c 'print(7 * 6)'; grep Seccomp: /proc/self/status; echo b >b"
        result = await sandbox.exec(["sh", "-c", line])
        print(result.code, result.stdout.split(), result.stderr, await sandbox.read("b"))

try:
    asyncio.run(main())
except RetinueError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that another user may reach and write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
_NAMED_ROOT = [*_NOBODY, "unshare", "--user", "--map-root-user"]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("words", [_NOBODY, _NAMED_ROOT], ids=["normal", "root in name only"])
def test_a_normal_user_needs_no_privilege(public: Path, words: list[str]) -> None:
    said = _elsewhere(words, _PROGRAM, public)
    assert said.stdout.startswith("0 ['put1000', '42', 'Seccomp:', '2']"), said


@pytest.mark.usefixtures("root")
def test_where_user_namespaces_are_closed_the_setting_is_named(public: Path) -> None:
    closed = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" "$@"'
    said = _elsewhere([*_NAMED_ROOT, "sh", "-c", closed], _PROGRAM, public)
    assert said.stdout.startswith("NoWalls bubblewrap cannot build the sandbox"), said
    assert "sysctl -w user.max_user_namespaces" in said.stdout
