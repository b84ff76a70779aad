"""Ways out of the sandbox, each tried, and the harmless ones also without it: they must work there.

`escape_cases.json` holds them: what is run, what its output must hold or lack, what must still be
true of the host. No output may hold one of the three marks planted outside.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from orchestrator.errors import ToolRetry
from orchestrator.home import Home, ProfileHome
from orchestrator.sandbox import Sandbox, SandboxConfig, open_sandbox

pytestmark = pytest.mark.usefixtures("bubblewrap")

CONFIG = SandboxConfig(
    memory_mb=128, disk_mb=16, processes=64, output_kb=64, timeout_seconds=30, cpu_seconds=30
)


class Case(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    category: str
    why: str
    command: str
    control: Literal["leaks", "root leaks", "may leak", "holds", "never"]
    present: tuple[str, ...] = ("done",)
    absent: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    timeout_seconds: float = 20
    ended: Literal["", "timeout", "flood"] = ""
    slow: bool = False
    operation: Literal["", "read", "write", "list", "get", "remove"] = ""
    path: str = ""
    allowed: bool = False
    """The operation may succeed; else it must be refused."""


_FILE = Path(__file__).with_name("escape_cases.json")
CASES = [Case.model_validate(case) for case in json.loads(_FILE.read_text("utf-8"))["cases"]]


def _parameters(wanted: Callable[[Case], bool]) -> list[object]:
    return [
        pytest.param(case, id=case.id, marks=[pytest.mark.slow] if case.slow else [])
        for case in CASES
        if wanted(case)
    ]


@dataclass(frozen=True)
class Outside:
    """What is worth reaching, and the marks that betray it."""

    secret: Path
    words: Mapping[str, str]
    marks: tuple[str, ...]
    victim: subprocess.Popen[bytes]

    def fill(self, text: str) -> str:
        return text.format_map(self.words)

    def leaked(self, case: Case, output: str) -> list[str]:
        """What the output shows that it must not, and lacks that it must show."""
        forbidden = [*self.marks, *map(self.fill, case.absent)]
        missing = [f"no {wanted!r}" for wanted in case.present if wanted not in output]
        return [word for word in forbidden if word in output] + missing


@pytest.fixture
def outside(
    home: Home, profile: ProfileHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Outside]:
    marks = tuple(f"mark-{uuid.uuid4().hex}" for _ in range(3))
    folder = tmp_path / "outside"
    folder.mkdir()
    secret = folder / "host-secret.txt"
    secret.write_text(marks[0])
    peer = home.profile(profile.team, "peer")
    peer.create()
    (peer.workspace / "diary.txt").write_text(f"diary-of-the-peer {marks[1]}")
    monkeypatch.setenv("RETINUE_TEST_MARK", marks[2])
    nap = str(1_000_000 + uuid.uuid4().int % 1_000_000_000)
    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(["sleep", nap], cwd=folder) as victim,
    ):
        abstract.bind(f"\0{marks[0]}-socket")
        abstract.listen()
        words = {
            "secret": str(secret),
            "outside": str(folder),
            "peer": str(peer.workspace),
            "victim": str(victim.pid),
            "nap": nap,
            "port": str(service.getsockname()[1]),
            "abstract": f"{marks[0]}-socket",
        }
        yield Outside(secret, words, marks, victim)
        victim.kill()


@pytest.fixture
async def sandbox(profile: ProfileHome) -> AsyncIterator[Sandbox]:
    async with open_sandbox(CONFIG, profile) as sandbox:
        yield sandbox


@pytest.mark.parametrize("case", _parameters(lambda case: not case.operation))
async def test_no_command_gets_out(
    case: Case, sandbox: Sandbox, outside: Outside, survivors: Callable[[str], list[int]]
) -> None:
    result = await sandbox.exec(
        ["sh", "-c", outside.fill(case.command)], timeout=timedelta(seconds=case.timeout_seconds)
    )
    assert outside.leaked(case, result.stdout + result.stderr) == []
    if case.ended:
        assert result.timed_out == (case.ended == "timeout")
        assert ("it printed more than" in result.stderr) == (case.ended == "flood")
    await _check_host(case, sandbox, outside)
    if "no survivor" in case.host:
        left = [pid for pid in survivors(outside.words["nap"]) if pid != outside.victim.pid]
        assert left == []


@pytest.mark.parametrize("case", _parameters(lambda case: bool(case.operation)))
async def test_no_file_operation_gets_out(
    case: Case, sandbox: Sandbox, outside: Outside, tmp_path: Path
) -> None:
    planted = await sandbox.exec(["sh", "-c", outside.fill(case.command)])
    assert planted.code == 0, planted.stderr
    path = outside.fill(case.path)
    tried = asyncio.wait_for(_operate(sandbox, case.operation, path, tmp_path), 20)
    with nullcontext() if case.allowed else pytest.raises(ToolRetry):
        shown = await tried
        assert not [mark for mark in outside.marks if mark in shown]
    await _check_host(case, sandbox, outside)


async def _operate(sandbox: Sandbox, operation: str, path: str, folder: Path) -> str:
    """Do it, and return all that it brought out."""
    if operation == "write":
        await sandbox.write(path, b"overwritten")
    elif operation == "remove":
        await sandbox.remove(path)
    elif operation == "list":
        return str(await sandbox.list(path, recursive=True))
    elif operation == "read":
        return (await sandbox.read(path)).decode()
    else:
        target = folder / "got"
        await sandbox.get(path, target)
        return "".join(file.read_text() for file in target.rglob("*") if file.is_file())
    return ""


async def _check_host(case: Case, sandbox: Sandbox, outside: Outside) -> None:
    if "victim alive" in case.host:
        assert outside.victim.poll() is None
    if "usable" in case.host:
        assert (await sandbox.exec(["echo", "alive"])).stdout == "alive\n"
    if "nothing ran" in case.host:
        assert all(entry.path != "ran" for entry in await sandbox.list(recursive=True))
    assert outside.secret.read_text() == outside.marks[0]


@pytest.mark.parametrize(
    "case", _parameters(lambda case: case.control not in ("never", "may leak"))
)
def test_the_check_would_see_a_leak(case: Case, outside: Outside, tmp_path: Path) -> None:
    """The same command as a plain process of ours."""
    place = tmp_path / "unprotected"
    place.mkdir()
    said = subprocess.run(
        ["sh", "-c", outside.fill(case.command)],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    leaked = outside.leaked(case, said.stdout.decode(errors="replace"))
    if case.control == "holds" or (case.control == "root leaks" and os.geteuid() != 0):
        assert leaked == []
    else:
        assert leaked
