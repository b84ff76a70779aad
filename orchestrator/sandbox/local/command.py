"""One running command: what goes in, what comes out within bounds, and its end in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import IO, Literal, Protocol

from orchestrator.sandbox.local.output import Output
from orchestrator.sandbox.local.tree import Tree, exited, halt, proceed

FLOOD_BYTES = 64 << 20
"""A command that prints more than this is ended: reading it costs as much as printing it."""

_CHUNK = 65_536

_PATIENCE_SECONDS = 10.0
"""How long a killed command may take to go."""

_DRAIN_SECONDS = 2.0
"""How long its last words may take, once it is gone."""

Reason = Literal["ended", "timeout", "flood", "closed"]


class Launch(Protocol):
    """What to start, and how to tell its end. Used once."""

    @property
    def words(self) -> Sequence[str]: ...

    @property
    def env(self) -> Mapping[str, str]: ...

    @property
    def cwd(self) -> str: ...

    @property
    def greeting(self) -> bytes:
        """What it says on stdout, first of all, when it is ready to begin."""
        ...

    @property
    def gate(self) -> bytes:
        """What it then waits for on stdin."""
        ...

    @property
    def descriptors(self) -> Sequence[int]:
        """What the started process inherits."""
        ...

    def started(self) -> None:
        """Close the descriptors: they were inherited, or never will be."""
        ...

    def tree(self, pid: int) -> Tree | None:
        """The processes behind the started one; None while they are not known yet."""
        ...

    def code(self, returncode: int) -> int | None:
        """The command's own exit code; None when it never began or that was lost."""
        ...

    def close(self) -> None: ...


class Command:
    """A started command. `result` must be awaited: it alone ends the processes."""

    def __init__(
        self, launch: Launch, stdout: Output, stderr: Output, awake: asyncio.Event
    ) -> None:
        """Start it; raises OSError. While `awake` is not set it does not begin."""
        self._loop = asyncio.get_running_loop()
        self._launch = launch
        self._awake = awake
        self._tree: Tree | None = None
        self._clock: asyncio.Timeout | None = None
        self._seconds_left = 0.0
        self._over: asyncio.Future[Reason] = self._loop.create_future()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._greeting = launch.greeting
        self.gone = asyncio.Event()
        """Set when none of its processes is left."""
        self._process = _start(launch)
        self._pidfd = os.pidfd_open(self._process.pid)
        if not launch.greeting:
            self._ready.set_result(None)
        self._streams = [
            self._pump(self._process.stdout, stdout),
            self._pump(self._process.stderr, stderr),
        ]

    async def result(self, stdin: bytes, timeout: timedelta) -> tuple[int, Reason]:  # noqa: ASYNC109  it is the command's
        """The exit code as subprocess has it, negative for a signal, and why it is over. Then, and
        when we are cancelled, none of its processes is left.
        """
        reason: Reason = "timeout"
        try:
            async with asyncio.timeout(timeout.total_seconds()) as self._clock:
                reason = await self._run(stdin)
        except TimeoutError:
            pass
        finally:
            self._clock = None
            await _unhurried(self._finish())
        return self._process.returncode, reason

    async def _run(self, stdin: bytes) -> Reason:
        self._loop.add_reader(self._pidfd, self._end_with, "ended")
        await self._ready
        self._tree = self._launch.tree(self._process.pid)
        await self._awake.wait()
        if not self._over.done():
            self._feed(memoryview(self._launch.gate + stdin))
        return await self._over

    def close(self) -> None:
        """Have it ended; `result` then returns soon."""
        self._end_with("closed")

    async def suspend(self) -> None:
        """Halt its processes and its clock."""
        if self._clock is not None and (deadline := self._clock.when()) is not None:
            self._seconds_left = deadline - self._loop.time()
            self._clock.reschedule(None)
        if self._tree is not None:
            await asyncio.to_thread(halt, self._tree.pids)

    async def resume(self) -> None:
        if self._tree is not None:
            await asyncio.to_thread(proceed, self._tree.pids)
        if self._clock is not None and self._clock.when() is None:
            self._clock.reschedule(self._loop.time() + self._seconds_left)

    def _end_with(self, reason: Reason) -> None:
        if not self._over.done():
            self._loop.remove_reader(self._pidfd)
            self._over.set_result(reason)

    def _pump(self, stream: IO[bytes] | None, output: Output) -> asyncio.Future[None]:
        """Read the stream until it ends, which is when the future is done."""
        assert stream is not None
        finished: asyncio.Future[None] = self._loop.create_future()

        def read() -> None:
            try:
                data = os.read(stream.fileno(), _CHUNK)
            except BlockingIOError:
                return
            output.add(self._welcome(data) if stream is self._process.stdout else data)
            if output.total > FLOOD_BYTES:
                self._end_with("flood")
            if not data:
                self._loop.remove_reader(stream.fileno())
                finished.set_result(None)

        os.set_blocking(stream.fileno(), False)
        self._loop.add_reader(stream.fileno(), read)
        return finished

    def _welcome(self, data: bytes) -> bytes:
        """Take the greeting off; a command that ends without one is past waiting for, too."""
        if not self._ready.done():
            self._ready.set_result(None)
        greeting, self._greeting = self._greeting, b""
        return data.removeprefix(greeting)

    def _feed(self, data: memoryview) -> None:
        """Write what is left of stdin as the command takes it, then close it."""
        stream = self._process.stdin
        assert stream is not None
        if stream.closed:
            return
        self._loop.remove_writer(stream.fileno())
        os.set_blocking(stream.fileno(), False)
        try:
            data = data[os.write(stream.fileno(), data[:_CHUNK]) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            data = data[len(data) :]
        if data:
            self._loop.add_writer(stream.fileno(), partial(self._feed, data))
        else:
            stream.close()

    async def _finish(self) -> None:
        """End what still runs, take what was still printed, give everything back.

        What is not known yet stands before its gate, and goes by itself when stdin is closed.
        """
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        if not stdin.closed:
            self._loop.remove_writer(stdin.fileno())
            stdin.close()
        self._loop.remove_reader(self._pidfd)
        tree = self._tree or self._launch.tree(self._process.pid)
        if tree is not None:
            await tree.end()
        if not await exited(self._pidfd, _PATIENCE_SECONDS):
            self._process.send_signal(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await asyncio.gather(*self._streams)
        for stream in (stdout, stderr):
            self._loop.remove_reader(stream.fileno())
            stream.close()
        await asyncio.to_thread(self._process.wait)
        os.close(self._pidfd)
        self.gone.set()


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            launch.words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.env),
            cwd=launch.cwd,
            pass_fds=launch.descriptors,
            start_new_session=True,
        )
    finally:
        launch.started()


async def _unhurried(cleanup: Coroutine[None, None, None]) -> None:
    """Finish the cleanup although we are cancelled meanwhile; it must bound itself."""
    task = asyncio.create_task(cleanup)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
