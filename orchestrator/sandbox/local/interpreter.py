"""The Python that commands get: the one that runs us, without our packages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Interpreter:
    """An installation of Python, not a virtual environment."""

    program: Path
    folder: Path
    """Holds the program and its standard library."""


def interpreter() -> Interpreter:
    folder = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(folder / "bin" / name, folder)
