"""Commands without walls, by the person's consent `isolation: none`: they can do what we can.

The environment is scrubbed and the limits are kept as far as the kernel keeps them for a single
process; that protects from accidents, not from intent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from orchestrator.errors import SandboxUnavailable
from orchestrator.home import ProfileHome
from orchestrator.sandbox.base import SandboxConfig
from orchestrator.sandbox.local.interpreter import interpreter
from orchestrator.sandbox.local.limits import prlimit
from orchestrator.sandbox.local.sandbox import LocalSandbox
from orchestrator.sandbox.local.tree import MarkedTree, Tree

_MARK = "RETINUE_COMMAND"


class Plain(LocalSandbox):
    """Every result says `none`."""

    isolation = "none"

    def __init__(self, config: SandboxConfig, home: ProfileHome) -> None:
        super().__init__(config, home, owner=None)

    @property
    def root(self) -> str:
        return str(self._home.workspace)

    @property
    def _limits(self) -> Mapping[str, str]:
        return {
            "memory_mb": "each process (RLIMIT_AS)",
            "cpu_seconds": "each process (RLIMIT_CPU)",
            "disk_mb": "each file (RLIMIT_FSIZE)",
            "output_kb": "each stream of a command",
            "timeout_seconds": "each command",
        }

    async def _prepare(self) -> None:
        pass

    def _launch(
        self, command: Sequence[str], folder: str, within: str, env: Mapping[str, str]
    ) -> PlainLaunch:
        workspace = self._home.workspace
        own = {
            "PATH": f"{interpreter().folder}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(workspace),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        words = [*prlimit(self._config, memory=True, processes=False), *command]
        return PlainLaunch(words, {**own, **env}, str(workspace / folder))

    def _kills(self) -> int:
        return 0

    def _explain(self, returncode: int, said: str) -> SandboxUnavailable:
        return SandboxUnavailable(f"the command could not be started: {said.strip()}")

    async def _release(self) -> None:
        pass


class PlainLaunch:
    greeting = b""
    gate = b""
    descriptors: Sequence[int] = ()

    def __init__(self, words: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.words = words
        self.env = {**env, name: value}
        self.cwd = cwd

    def started(self) -> None:
        pass

    def tree(self, pid: int) -> Tree | None:
        return MarkedTree(pid, self._mark)

    def code(self, returncode: int) -> int | None:
        return returncode if returncode >= 0 else 128 - returncode

    def close(self) -> None:
        pass
