"""Commands behind bubblewrap: own user, mount, process and network spaces, and nothing of this
machine but `/usr`, our Python (both read-only) and the workspace.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, cast

from orchestrator.errors import SandboxUnavailable
from orchestrator.home import ProfileHome
from orchestrator.sandbox.base import SandboxConfig
from orchestrator.sandbox.local import cgroup, seccomp
from orchestrator.sandbox.local.diagnosis import exposed, missing, refused, too_old
from orchestrator.sandbox.local.interpreter import interpreter
from orchestrator.sandbox.local.limits import counts_processes_per_sandbox, prlimit
from orchestrator.sandbox.local.orphans import end_orphans
from orchestrator.sandbox.local.sandbox import LocalSandbox
from orchestrator.sandbox.local.stage import Stage
from orchestrator.sandbox.local.tree import NamespaceTree, Tree
from orchestrator.sandbox.local.walls import CLOSED, ETC, GATE, Walls, memory_file, offered
from orchestrator.sandbox.workspace import INSIDE

_NEEDED = ("--json-status-fd", "--size", "--perms", "--clearenv")

_USERS = range(61_184, 65_520)
"""Numbers that systemd keeps for services without a user of their own; none belongs to a person."""


class Bubblewrap(LocalSandbox):
    """Refuses to open where the walls cannot be built."""

    isolation = "bubblewrap"

    def __init__(self, config: SandboxConfig, home: ProfileHome) -> None:
        self._user = _user_for(home)
        super().__init__(config, home, owner=self._user)
        self._building: asyncio.Task[Walls] | None = None
        self._walls: Walls | None = None
        self._stage: Stage | None = None
        self._group: cgroup.MemoryGroup | None = None
        self._filter = b""
        self._proven = False

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            await self.exec(["true"])
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._proven = True
        return self

    @property
    def root(self) -> str:
        return INSIDE

    @property
    def _limits(self) -> Mapping[str, str]:
        limits = {
            "memory_mb": "all commands together (control group)",
            "processes": "each command (RLIMIT_NPROC)",
            "cpu_seconds": "each process (RLIMIT_CPU)",
            "disk_mb": "each file (RLIMIT_FSIZE)",
            "output_kb": "each stream of a command",
            "timeout_seconds": "each command",
        }
        if self._group is None:
            limits["memory_mb"] = "each process (RLIMIT_AS)"
        if self._user is None and not counts_processes_per_sandbox():
            del limits["processes"]
        return limits

    async def _prepare(self) -> None:
        if self._building is None:
            self._building = asyncio.create_task(asyncio.to_thread(self._build))
        try:
            self._walls = await asyncio.shield(self._building)
        except SandboxUnavailable:
            await self._release()
            raise
        except OSError as error:
            await self._release()
            raise SandboxUnavailable(f"the sandbox cannot be prepared: {error}") from error

    def _build(self) -> Walls:
        program = shutil.which("bwrap")
        if program is None:
            raise missing()
        for option in _NEEDED:
            if option not in offered(program):
                raise too_old(option)
        python = interpreter()
        taken = None if python.folder.resolve().is_relative_to("/usr") else python.folder.resolve()
        workspace = self._home.workspace.resolve()
        for shown in (Path("/usr"), taken):
            if shown is not None and workspace.is_relative_to(shown):
                raise exposed(self._home.root, shown)
        self._filter = seccomp.program(os.uname().machine)
        end_orphans()
        self._group = cgroup.make(self._config.memory_mb << 20)
        if self._user is not None:
            self._stage = Stage([workspace] if taken is None else [workspace, taken], self._user)
            workspace = self._stage.path(workspace)
            taken = None if taken is None else self._stage.path(taken)
        temporary = min(self._config.disk_mb, self._config.memory_mb) << 20
        return Walls(program, workspace, python, taken, temporary)

    def _launch(
        self, command: Sequence[str], folder: str, within: str, env: Mapping[str, str]
    ) -> BubblewrapLaunch:
        assert self._walls is not None
        before: list[str] = []
        if self._group is not None:
            before += [*cgroup.JOIN, self._group.joining]
        if self._stage is not None:
            before += self._stage.entering
        limits = prlimit(
            self._config, memory=self._group is None, processes="processes" in self._limits
        )
        return BubblewrapLaunch(
            [*before, self._walls.program],
            self._walls.options(folder, within, env),
            self._filter,
            [*GATE, *limits, *command],
        )

    def _kills(self) -> int:
        return 0 if self._group is None else self._group.kills()

    def _explain(self, returncode: int, said: str) -> SandboxUnavailable:
        if not self._proven:
            return refused(said)
        if returncode < 0:
            name = signal.Signals(-returncode).name
            return SandboxUnavailable(f"the command's sandbox was ended from outside by {name}")
        return SandboxUnavailable(f"the command's sandbox could not be built: {said.strip()}")

    async def _release(self) -> None:
        if self._building is not None:
            await asyncio.wait([self._building])
        self._building = self._walls = None
        if self._stage is not None:
            self._stage.close()
            self._stage = None
        if self._group is not None:
            self._group.remove()
            self._group = None


class BubblewrapLaunch:
    """One call of bubblewrap. Options and environment go through a descriptor, since other users
    of the machine can read a process's arguments.
    """

    env: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    cwd = "/"
    greeting = b"\n"
    gate = b"go\n"

    def __init__(
        self,
        before: Sequence[str],
        options: Sequence[str],
        system_call_filter: bytes,
        command: Sequence[str],
    ) -> None:
        # Not a pipe: bubblewrap would die of writing to it when we are dead, and leave its child.
        self._status = memory_file(b"")
        self._lent: list[int] = []
        words = [*options, "--json-status-fd", str(self._status)]
        words += ["--seccomp", self._lend(system_call_filter)]
        for path, content in ETC.items():
            words += ["--perms", "0444", "--file", self._lend(content), path]
        words += CLOSED
        arguments = self._lend(b"".join(os.fsencode(word) + b"\0" for word in words))
        self.words = [*before, "--args", arguments, "--", *command]

    def _lend(self, data: bytes) -> str:
        self._lent.append(memory_file(data))
        return str(self._lent[-1])

    @property
    def descriptors(self) -> Sequence[int]:
        return [self._status, *self._lent]

    def started(self) -> None:
        while self._lent:
            os.close(self._lent.pop())

    def tree(self, pid: int) -> Tree | None:
        """Below bubblewrap's first process inside; `pid` is only its watcher."""
        child = self._told("child-pid")
        return None if child is None else NamespaceTree(child)

    def code(self, returncode: int) -> int | None:
        return self._told("exit-code")

    def _told(self, key: str) -> int | None:
        for line in os.pread(self._status, 65_536, 0).splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found = cast("dict[str, object]", json.loads(line)).get(key)
                if isinstance(found, int):
                    return found
        return None

    def close(self) -> None:
        self.started()
        os.close(self._status)


def _user_for(home: ProfileHome) -> int | None:
    """The user that root becomes for this profile, the same one every time. None for everybody
    else, and for a root that is only called so: one in a user namespace without other users.
    """
    if os.geteuid() != 0:
        return None
    user = _USERS[zlib.crc32(str(home.root).encode()) % len(_USERS)]
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        first, _, count = map(int, line.split())
        if first <= user < first + count:
            return user
    return None
