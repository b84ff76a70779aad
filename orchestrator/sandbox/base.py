"""The one interface every sandbox offers: run commands, move files, keep limits, be honest about
isolation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field


class SandboxConfig(BaseModel):
    """The `sandbox:` key of a member. A limit written here that the backend cannot keep is refused
    at start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = "local"
    isolation: Literal["full", "none"] = "full"
    """`none` is the person's consent to run without walls; every result then says so."""
    memory_mb: int = Field(default=1024, ge=16)
    """Of all commands together where a control group can be made, else of each process."""
    processes: int = Field(default=128, ge=1)
    """Processes and threads of one command."""
    cpu_seconds: int = Field(default=300, ge=1)
    """CPU time of each process of a command."""
    disk_mb: int = Field(default=1024, ge=1)
    """Largest file a command may write."""
    output_kb: int = Field(default=256, ge=1)
    """Output kept per stream and command; the rest is dropped and the result says so."""
    timeout_seconds: int = Field(default=120, ge=1)
    """Longest time a command may take, whatever it asks for."""
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExecResult:
    """How a command ended."""

    code: int
    """Exit code; 128 + signal when a signal ended it."""
    stdout: str
    stderr: str
    isolation: str
    """What held the command, e.g. `bubblewrap`, or `none`."""
    timed_out: bool = False
    truncated: bool = False
    """Output beyond the cap was dropped."""
    out_of_memory: bool = False


@dataclass(frozen=True)
class FileEntry:
    path: str
    """POSIX, relative to the workspace."""
    size: int
    folder: bool = False


@dataclass(frozen=True)
class Health:
    ok: bool
    problem: str = ""
    fix: str = ""
    """The command or setting that mends it."""
    limits: Mapping[str, str] = field(default_factory=dict[str, str])
    """What keeps each limit of the configuration, and for whom."""
    warnings: tuple[str, ...] = ()
    """Limits that were not asked for and that nothing keeps."""


OutputWatcher = Callable[[Literal["stdout", "stderr"], bytes], None]


class Sandbox(Protocol):
    """The hands of one profile. Paths are POSIX, relative to the workspace, and never lead out of
    it.

    An async context manager; `open` raises SandboxUnavailable when no wall can be built. File
    methods raise ToolRetry for a path that leaves the workspace or does not exist.
    """

    @property
    def isolation(self) -> str: ...

    @property
    def root(self) -> str:
        """The workspace as its commands see it: an absolute path."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

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
        """Run a command to its end, its timeout or our cancellation; none of its processes is left
        behind. Behind walls it finds nothing of the workspace but the folder `within`, in which
        `cwd` must lie.
        """
        ...

    async def read(self, path: str, *, limit: int | None = None) -> bytes:
        """The file's bytes, at most `limit` of them."""
        ...

    async def write(self, path: str, data: bytes) -> None:
        """Replace the file in one step, making its folders."""
        ...

    async def list(self, path: str = ".", *, recursive: bool = False) -> Sequence[FileEntry]: ...

    async def put(self, source: Path, path: str) -> None:
        """Copy a file or folder of the host into the workspace."""
        ...

    async def get(self, path: str, target: Path) -> None:
        """Copy a file or folder of the workspace out; links are not followed."""
        ...

    async def remove(self, path: str) -> None: ...

    async def snapshot(self, target: Path) -> None:
        """Save the workspace as one archive file."""
        ...

    async def restore(self, source: Path) -> None: ...

    async def suspend(self) -> None: ...

    async def resume(self) -> None: ...

    async def health(self) -> Health: ...
