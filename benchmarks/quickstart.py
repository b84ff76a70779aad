"""The quickstart on the local model: are all questions right, and how long does it take?

Not one of the scripts `python -m benchmarks` runs: it takes minutes, and needs the weights.
"""

from __future__ import annotations

import csv
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figure import Figure, run_process, show
from orchestrator.agent.figures import untraced
from orchestrator.database import Database
from orchestrator.memory import Conversations

EXAMPLE = Path(__file__).parents[1] / "examples/quickstart"


def _expected() -> Sequence[Sequence[str]]:
    """For each question what its answer must hold, computed from the inputs."""
    with (EXAMPLE / "inputs/seattle-weather.csv").open(newline="") as table:
        days = list(csv.DictReader(table))
    most = max((day["precipitation"] for day in days), key=float)
    snow = sum(day["weather"] == "snow" for day in days)
    document = (EXAMPLE / "inputs/ghcn-daily-elements.txt").read_text()
    unit = re.findall(r"PRCP = Precipitation \((.+)\)", document)
    return [(most,), (str(snow),), unit]


def _tool_results(home: Path, run: str) -> Sequence[str]:
    texts: list[str] = []
    for path in home.glob("state/*/*/memory.db"):
        database = Database(path)
        said = Conversations(database).of_run(run)
        texts += [message.text for message in said if message.kind in ("tool", "brief")]
        database.close()
    return texts


def measure() -> Sequence[Figure]:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        began = time.monotonic()
        process = run_process(
            ["orchestrator.cli", "run", str(EXAMPLE), "--model", "local", "--json"],
            {**os.environ, "RETINUE_HOME": str(home)},
        )
        seconds = time.monotonic() - began
        result = json.loads(process.output)
        loose = untraced(result["answer"], _tool_results(home, result["run_id"]))
    right = sum(all(part in result["answer"] for part in answer) for answer in _expected())
    return [
        Figure("quickstart on the local model: right answers", right, "of 3", at_least=3),
        Figure("figures in the answers that no tool gave", len(loose), "figures", at_most=0),
        Figure("time, load of the model included", seconds, "s", at_most=180),
        Figure("CPU time", process.cpu_seconds, "s CPU"),
        Figure("memory", process.peak_mb, "MB"),
    ]


if __name__ == "__main__":
    show(measure())
