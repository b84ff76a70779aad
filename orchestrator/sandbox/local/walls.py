"""What a command behind bubblewrap sees of this machine, as bubblewrap's options."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.sandbox.local.interpreter import Interpreter

GATE = ("/bin/sh", "-c", 'echo && read -r go && exec "$@"', "gate")
"""Says that it stands there, and begins only when told to. Were we killed while bubblewrap starts,
before it has bound its life to ours, the command would otherwise run with nobody to end it.
"""

ETC: Mapping[str, bytes] = {
    "/etc/passwd": b"root:x:0:0::/:/bin/sh\nagent:x:1000:1000::/tmp:/bin/sh\n",
    "/etc/group": b"root:x:0:\nagent:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}

_HOST_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")

_SPACES = (
    *("--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
)

_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

_PROGRAMS = "/opt/retinue"
"""Where `python` and `python3` stand inside."""

_ENV = {
    "PATH": f"{_PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "USER": "agent",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}

CLOSED = ("--remount-ro", "/")

_SHARED_MEMORY_BYTES = 64 << 20


@dataclass(frozen=True)
class Walls:
    """The view of one sandbox; paths are those that bubblewrap's own user can walk to."""

    program: str
    workspace: Path
    python: Interpreter
    python_source: Path | None
    """Where the interpreter's folder is taken from; None when `/usr` holds it."""
    temporary_bytes: int

    def options(self, folder: str, within: str, env: Mapping[str, str]) -> Sequence[str]:
        """For a command that starts in that folder of the workspace and finds only `within` of it;
        `CLOSED` must follow them, and what else is to be made before it.
        """
        words = list(_SPACES)
        if "--disable-userns" in offered(self.program):
            words.append("--disable-userns")
        words += [*self._system(), *self._writable(within)]
        if self.python_source is not None:
            words += ["--ro-bind", str(self.python_source), str(self.python.folder)]
        for name in ("python", "python3"):
            words += ["--symlink", str(self.python.program), f"{_PROGRAMS}/{name}"]
        for name, value in {**_ENV, **env}.items():
            words += ["--setenv", name, value]
        return [*words, "--chdir", str(Path("/workspace", folder))]

    def _system(self) -> Sequence[str]:
        words = ["--ro-bind", "/usr", "/usr"]
        for name in _SYSTEM_FOLDERS:
            folder = Path("/", name)
            if folder.is_symlink():
                words += ["--symlink", str(folder.readlink()), str(folder)]
            elif folder.is_dir():
                words += ["--ro-bind", str(folder), str(folder)]
        for file in _HOST_ETC:
            words += ["--ro-bind-try", file, file]
        return [*words, "--proc", "/proc", "--dev", "/dev"]

    def _writable(self, within: str) -> Sequence[str]:
        return [
            *("--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *("--size", str(self.temporary_bytes), "--tmpfs", "/tmp"),
            *("--bind", str(self.workspace / within), str(Path("/workspace", within))),
        ]


@functools.cache
def offered(program: str) -> frozenset[str]:
    """The options this bubblewrap knows."""
    said = subprocess.run([program, "--help"], capture_output=True, text=True, env={}, check=False)
    return frozenset(word for word in said.stdout.split() if word.startswith("--"))


def memory_file(data: bytes) -> int:
    """A descriptor from which those bytes can be read."""
    descriptor = os.memfd_create("retinue")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
