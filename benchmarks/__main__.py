"""Every figure, as one JSON array; exit code 1 when one is missed."""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.figure import Figure, show

SCRIPTS = (
    *("start", "turn", "routed", "routing", "prompt", "growth", "idle"),
    *("memory", "context", "skills", "learning"),
)


def main() -> int:
    figures: list[Figure] = []
    for script in SCRIPTS:
        print(f"measuring {script} …", file=sys.stderr)
        figures += import_module(f"benchmarks.{script}").measure()
    show(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
