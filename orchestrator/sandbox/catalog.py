"""Which sandbox backends there are, and how a profile gets its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from orchestrator.errors import PersonError
from orchestrator.home import ProfileHome
from orchestrator.registry import Registry
from orchestrator.sandbox.base import Sandbox, SandboxConfig

SANDBOXES = Registry(
    "sandbox backend",
    "retinue.sandboxes",
    {"local": "orchestrator.sandbox.local:local_sandbox"},
)
"""Each name leads to a callable of (SandboxConfig, ProfileHome) that returns a Sandbox."""

_PLANNED = ("docker", "ssh", "singularity", "daytona", "modal")


def open_sandbox(config: SandboxConfig, home: ProfileHome) -> Sandbox:
    """The sandbox of one profile, to be entered with `async with`.

    Raises PersonError when the configuration asks for what cannot be had, NotFoundError for an
    unknown backend; entering it raises SandboxUnavailable when the machine cannot build the walls.
    """
    check(config)
    backend = cast(
        "Callable[[SandboxConfig, ProfileHome], Sandbox]", SANDBOXES.load(config.backend)
    )
    return backend(config, home)


def check(config: SandboxConfig) -> None:
    """Raise PersonError or NotFoundError for what no machine could give; touches nothing."""
    if config.backend not in SANDBOXES and config.backend in _PLANNED:
        raise PersonError(
            f"the sandbox backend {config.backend!r} is planned but not part of this version; "
            "use 'local'"
        )
    if config.backend not in SANDBOXES:
        SANDBOXES.load(config.backend)
    if config.allowed_hosts:
        raise PersonError(
            f"allowed_hosts {list(config.allowed_hosts)} cannot be kept: commands have no network "
            "at all until the egress proxy exists; remove it from `sandbox` (what web_fetch may "
            "reach stands in the member's own `allowed_hosts`)"
        )
