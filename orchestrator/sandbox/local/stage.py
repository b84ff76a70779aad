"""How root hands folders to an unprivileged user who may not walk to them.

The home of root is closed to others, and so is what lies below it. A private mount namespace in
which those folders also appear under a path that is open to all solves it without touching the
permissions of the host. It is held by a file descriptor, not by a process, and is gone with us.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.errors import SandboxUnavailable

_PLACES = (Path("/mnt"), Path("/media"), Path("/srv"), Path("/opt"))

_SCRIPT = """
set -e
place=$1; shift
mount -t tmpfs -o mode=0755,size=64k,nosuid,nodev stage "$place"
number=0
for source in "$@"; do
    mkdir "$place/$number"
    mount --bind "$source" "$place/$number"
    number=$((number + 1))
done
echo ready
read -r end || :
"""


class Stage:
    """Folders shown to `user`, and the words before a command that runs as that user and sees them.

    Blocks for some milliseconds while it is built; raises SandboxUnavailable.
    """

    def __init__(self, folders: Sequence[Path], user: int) -> None:
        place = _place_for(folders)
        self._user = user
        self._shown = {folder: place / str(number) for number, folder in enumerate(folders)}
        self._namespace = _build(place, folders)

    def path(self, folder: Path) -> Path:
        """Where that folder appears on the stage."""
        return self._shown[folder]

    @property
    def entering(self) -> tuple[str, ...]:
        return (
            _program("nsenter"),
            f"--mount=/proc/{os.getpid()}/fd/{self._namespace}",
            f"--setgid={self._user}",
            f"--setuid={self._user}",
            "--",
        )

    def close(self) -> None:
        os.close(self._namespace)


def _place_for(folders: Sequence[Path]) -> Path:
    """A folder every Linux has, and under which none of those to be shown lies."""
    for place in _PLACES:
        if place.is_dir() and not any(folder.is_relative_to(place) for folder in folders):
            return place
    raise SandboxUnavailable(
        f"root needs one of {', '.join(map(str, _PLACES))} to exist and to be unused by Retinue"
    )


def _build(place: Path, folders: Sequence[Path]) -> int:
    """A descriptor of a mount namespace with the folders below `place`."""
    words = [_program("unshare"), "--mount", "--propagation", "slave", "--"]
    words += ["/bin/sh", "-c", _SCRIPT, "sh", str(place), *map(str, folders)]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    ) as helper:
        assert helper.stdout is not None
        if helper.stdout.readline() == b"ready\n":
            return os.open(f"/proc/{helper.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _, errors = helper.communicate()
    raise SandboxUnavailable(
        "root cannot prepare a private mount namespace: "
        f"{errors.decode(errors='replace').strip() or 'no reason given'}; "
        "give the container CAP_SYS_ADMIN, or run Retinue as a normal user"
    )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SandboxUnavailable(f"{name} is missing; install util-linux")
    return found
