"""Where teams, agents and skills are found: project folder, then home, then what Retinue brings
along.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Kind = Literal["profiles", "agents", "skills"]

_PACKAGE = Path(__file__).parent


def bundled(kind: Kind) -> Path:
    """The folder of that content Retinue brings along: inside the package when installed, beside it
    in a checkout.
    """
    installed = _PACKAGE / "_content" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def search_path(kind: Kind, *, project: Path | None, home: Path) -> Iterator[Path]:
    """The folders to look in, the first hit winning; those that do not exist are left out."""
    candidates = [home / kind, bundled(kind)]
    if project is not None:
        candidates.insert(0, project / kind)
    seen: set[Path] = set()
    for folder in candidates:
        resolved = folder.resolve()
        if folder.is_dir() and resolved not in seen:
            seen.add(resolved)
            yield folder
