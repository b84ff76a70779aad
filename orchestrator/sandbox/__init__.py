"""The hands of a profile: a place to run commands and keep files that leads nowhere else.

`open_sandbox` gives one of the backends in `SANDBOXES`, all of which keep the promises of
`Sandbox`.
"""

from orchestrator.sandbox.base import (
    ExecResult,
    FileEntry,
    Health,
    OutputWatcher,
    Sandbox,
    SandboxConfig,
)
from orchestrator.sandbox.catalog import SANDBOXES, check, open_sandbox

__all__ = [
    "SANDBOXES",
    "ExecResult",
    "FileEntry",
    "Health",
    "OutputWatcher",
    "Sandbox",
    "SandboxConfig",
    "check",
    "open_sandbox",
]
