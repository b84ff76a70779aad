"""The backend `local`: commands on this machine, behind bubblewrap's walls or, by consent, none."""

from orchestrator.home import ProfileHome
from orchestrator.sandbox.base import Sandbox, SandboxConfig
from orchestrator.sandbox.local.bubblewrap import Bubblewrap
from orchestrator.sandbox.local.plain import Plain

__all__ = ["Bubblewrap", "Plain", "local_sandbox"]


def local_sandbox(config: SandboxConfig, home: ProfileHome) -> Sandbox:
    return Plain(config, home) if config.isolation == "none" else Bubblewrap(config, home)
