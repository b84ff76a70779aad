"""What it costs to start: `retinue --help`, and `retinue run` on a new home."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, Process, run_process, show
from benchmarks.firm import write_team

SCRIPT = [{"profile": "supervisor", "say": "Nobody needs to work."}]


def _run(arguments: Sequence[str], times: int) -> Sequence[Process]:
    taken: list[Process] = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_team(folder, 3, SCRIPT)
            environment = {"RETINUE_HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder)}
            filled = [each.replace("FOLDER", str(folder)) for each in arguments]
            taken.append(run_process(["orchestrator.cli", *filled], environment))
    return taken


def measure() -> Sequence[Figure]:
    helped = _run(["--help"], 7)
    run = _run(["run", "FOLDER", "Do nothing.", "--model", "rehearsal", "--json"], 7)
    return [
        Figure(
            "retinue --help",
            statistics.median(each.cpu_seconds for each in helped),
            "s CPU",
            at_most=0.20,
        ),
        Figure("retinue --help, memory", helped[0].peak_mb, "MB", at_most=30),
        Figure(
            "retinue run on a new home, one model call, to its end",
            statistics.median(each.cpu_seconds for each in run),
            "s CPU",
            at_most=2.5,
            note="the figure to keep is up to the first model call; this holds the rest too",
        ),
    ]


if __name__ == "__main__":
    show(measure())
