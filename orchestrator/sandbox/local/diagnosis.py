"""Why the walls cannot be built on this machine, and what mends it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import SandboxUnavailable

_CONSENT = "or write `isolation: none` into the sandbox to run commands without walls"


class NoWalls(SandboxUnavailable):
    """The cause and the fix, apart."""

    def __init__(self, problem: str, fix: str) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(f"{problem}; {fix}")


def missing() -> NoWalls:
    return NoWalls(
        "the local sandbox needs bubblewrap, and there is no `bwrap` on the PATH",
        f"install it (`apt install bubblewrap`, `dnf install bubblewrap`), {_CONSENT}",
    )


def too_old(option: str) -> NoWalls:
    return NoWalls(
        f"this bubblewrap is too old: it lacks {option}",
        f"install version 0.6 or later, {_CONSENT}",
    )


def exposed(home: Path, shown: Path) -> NoWalls:
    return NoWalls(
        f"every command may read {shown}, and the profile's home {home} lies in it",
        "set RETINUE_HOME to a folder elsewhere",
    )


def refused(said: str, *, proc: Path = Path("/proc/sys")) -> NoWalls:
    """The cause behind bubblewrap's own words, as far as the machine's settings tell it."""
    quoted = f"bubblewrap cannot build the sandbox ({said.strip() or 'it gave no reason'})"
    if _setting(proc / "user/max_user_namespaces") == "0":
        return NoWalls(
            f"{quoted}: user namespaces are switched off",
            f"run `sysctl -w user.max_user_namespaces=10000`, {_CONSENT}",
        )
    if _setting(proc / "kernel/unprivileged_userns_clone") == "0":
        return NoWalls(
            f"{quoted}: user namespaces are closed to normal users",
            f"run `sysctl -w kernel.unprivileged_userns_clone=1`, {_CONSENT}",
        )
    if _setting(proc / "kernel/apparmor_restrict_unprivileged_userns") == "1":
        return NoWalls(
            f"{quoted}: AppArmor closes user namespaces to programs without a profile",
            "install bubblewrap's profile (`apt install apparmor-profiles`, then link "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict into /etc/apparmor.d and "
            "reload AppArmor), or run "
            f"`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, {_CONSENT}",
        )
    return NoWalls(
        quoted,
        "in a container, allow it to make user namespaces and mounts (for Docker: "
        f"`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`), {_CONSENT}",
    )


def _setting(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return None
