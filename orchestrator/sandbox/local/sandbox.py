"""What both kinds of local sandbox share: files, the life of commands, suspending, limits."""

from __future__ import annotations

import asyncio
import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from orchestrator.errors import PersonError, RetinueError, SandboxUnavailable, ToolRetry
from orchestrator.home import ProfileHome
from orchestrator.sandbox import archive
from orchestrator.sandbox.base import (
    ExecResult,
    FileEntry,
    Health,
    OutputWatcher,
    SandboxConfig,
)
from orchestrator.sandbox.local.command import FLOOD_BYTES, Command, Launch, Reason
from orchestrator.sandbox.local.diagnosis import NoWalls
from orchestrator.sandbox.local.output import Output
from orchestrator.sandbox.workspace import Workspace

LIMITS = ("memory_mb", "processes", "cpu_seconds", "disk_mb", "output_kb", "timeout_seconds")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class LocalSandbox(ABC):
    """Files are handled by us, on the host, inside the workspace; commands by the subclass."""

    isolation: ClassVar[str]

    @property
    @abstractmethod
    def root(self) -> str:
        """The workspace as its commands see it."""

    def __init__(self, config: SandboxConfig, home: ProfileHome, *, owner: int | None) -> None:
        self._config = config
        self._home = home
        self._files = Workspace(home.workspace, largest=config.disk_mb << 20, owner=owner)
        self._commands: set[Command] = set()
        self._awake = asyncio.Event()
        self._awake.set()
        self._calls = 0
        self._open = False

    @abstractmethod
    async def _prepare(self) -> None:
        """Be ready to start commands; called before each of them. Raises SandboxUnavailable."""

    @abstractmethod
    def _launch(
        self, command: Sequence[str], folder: str, within: str, env: Mapping[str, str]
    ) -> Launch: ...

    @abstractmethod
    def _kills(self) -> int:
        """How many processes the memory limit has ended so far."""

    @abstractmethod
    async def _release(self) -> None:
        """Give back what `_prepare` made."""

    @property
    @abstractmethod
    def _limits(self) -> Mapping[str, str]:
        """What keeps each limit, and for whom; one that nothing keeps is missing."""

    @property
    def _unkept(self) -> Sequence[str]:
        return [name for name in LIMITS if name not in self._limits]

    async def __aenter__(self) -> Self:
        for name in self._unkept:
            if name in self._config.model_fields_set:
                raise PersonError(
                    f"the sandbox limit `{name}` cannot be kept with isolation "
                    f"{self.isolation!r} on this machine; remove it"
                )
        self._files.create()
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        self._awake.set()
        running = tuple(self._commands)
        for command in running:
            command.close()
        for command in running:
            await command.gone.wait()
        await self._release()

    async def exec(
        self,
        command: Sequence[str],
        *,
        cwd: str = ".",
        within: str = ".",
        timeout: timedelta | None = None,  # noqa: ASYNC109  it is the command's, not ours
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        on_output: OutputWatcher | None = None,
    ) -> ExecResult:
        variables = dict(env or {})
        _check(command, variables)
        await self._awake.wait()
        if not self._open:
            raise SandboxUnavailable("the sandbox is closed")
        self._calls += 1
        try:
            folder = await asyncio.to_thread(self._files.folder, cwd)
            bounds = await asyncio.to_thread(self._files.folder, within)
            if bounds != "." and not f"{folder}/".startswith(f"{bounds}/"):
                raise ToolRetry(f"{cwd!r} does not lie in {within!r}")
            await self._prepare()
            launch = self._launch(command, folder, bounds, variables)
            return await self._run(launch, timeout, stdin, on_output)
        finally:
            self._calls -= 1

    async def _run(
        self,
        launch: Launch,
        timeout: timedelta | None,  # noqa: ASYNC109  it is the command's, not ours
        stdin: bytes,
        on_output: OutputWatcher | None,
    ) -> ExecResult:
        longest = timedelta(seconds=self._config.timeout_seconds)
        cap = self._config.output_kb << 10
        stdout, stderr = Output("stdout", cap, on_output), Output("stderr", cap, on_output)
        kills = self._kills()
        try:
            command = _start(launch, stdout, stderr, self._awake)
            self._commands.add(command)
            try:
                returncode, reason = await command.result(stdin, min(timeout or longest, longest))
            finally:
                self._commands.discard(command)
            code = launch.code(returncode)
        finally:
            launch.close()
        out_of_memory = self._kills() > kills and (code is None or code >= 128)
        if reason == "flood":
            stderr.add(b"[ended: it printed more than %d MB]" % (FLOOD_BYTES >> 20))
        return ExecResult(
            code=137 if out_of_memory else self._exit_code(code, returncode, reason, stderr),
            stdout=stdout.text(),
            stderr=stderr.text(),
            isolation=self.isolation,
            timed_out=reason == "timeout",
            truncated=bool(stdout.dropped or stderr.dropped),
            out_of_memory=out_of_memory,
        )

    def _exit_code(self, code: int | None, returncode: int, reason: Reason, stderr: Output) -> int:
        if reason == "closed":
            raise SandboxUnavailable("the sandbox was closed while the command ran")
        if reason in ("timeout", "flood"):
            return 137
        if code is None:
            raise self._explain(returncode, stderr.text())
        return code

    @abstractmethod
    def _explain(self, returncode: int, said: str) -> SandboxUnavailable:
        """Why a command never began, or its end was lost."""

    async def read(self, path: str, *, limit: int | None = None) -> bytes:
        return await asyncio.to_thread(self._files.read, path, limit)

    async def write(self, path: str, data: bytes) -> None:
        await asyncio.to_thread(self._files.write, path, data)

    async def list(self, path: str = ".", *, recursive: bool = False) -> Sequence[FileEntry]:
        return await asyncio.to_thread(self._files.list, path, recursive)

    async def put(self, source: Path, path: str) -> None:
        await asyncio.to_thread(self._files.put, source, path)

    async def get(self, path: str, target: Path) -> None:
        await asyncio.to_thread(self._files.get, path, target)

    async def remove(self, path: str) -> None:
        await asyncio.to_thread(self._files.remove, path)

    async def snapshot(self, target: Path) -> None:
        await asyncio.to_thread(archive.save, self._files, target)

    async def restore(self, source: Path) -> None:
        if self._calls:
            raise SandboxUnavailable("commands are running; restore when they have ended")
        was_awake = self._awake.is_set()
        self._awake.clear()
        try:
            await asyncio.to_thread(archive.restore, self._files, source)
            await self._release()
        finally:
            if was_awake:
                self._awake.set()

    async def suspend(self) -> None:
        self._awake.clear()
        for command in tuple(self._commands):
            await command.suspend()

    async def resume(self) -> None:
        for command in tuple(self._commands):
            await command.resume()
        self._awake.set()

    async def health(self) -> Health:
        was_open = self._open
        try:
            if not was_open:
                await self.__aenter__()
            try:
                await self.exec(["true"])
                limits = self._limits
            finally:
                if not was_open:
                    await self.__aexit__(None, None, None)
        except NoWalls as error:
            return Health(ok=False, problem=error.problem, fix=error.fix)
        except RetinueError as error:
            return Health(ok=False, problem=str(error))
        warnings = tuple(f"nothing keeps the limit `{name}` here" for name in self._unkept)
        return Health(ok=True, limits=limits, warnings=warnings)


def _check(command: Sequence[str], env: Mapping[str, str]) -> None:
    if not command:
        raise ToolRetry("the command is empty")
    if any("\0" in word for word in command):
        raise ToolRetry("a command cannot hold NUL bytes")
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise ToolRetry(f"{name!r} cannot be an environment variable")


def _start(launch: Launch, stdout: Output, stderr: Output, awake: asyncio.Event) -> Command:
    try:
        return Command(launch, stdout, stderr, awake)
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise ToolRetry(
                "the command is too long for the system; write it to a file and run that"
            ) from error
        raise SandboxUnavailable(f"cannot start a command: {error}") from error
