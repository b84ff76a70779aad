"""`retinue version`."""

from __future__ import annotations

import platform

from orchestrator import __version__
from orchestrator.cli.output import print_json


def version(*, as_json: bool) -> int:
    if as_json:
        print_json({"retinue": __version__, "python": platform.python_version()})
    else:
        print(f"retinue {__version__}")
    return 0
