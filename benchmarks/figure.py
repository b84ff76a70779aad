"""A measured figure beside the one to keep, and how CPU time is taken."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement; `met` compares it with `at_most` or `at_least`, where there is one."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


async def cpu_ms(work: Callable[[], Awaitable[object]], times: int, warm_up: int = 5) -> float:
    """Median CPU time of our own process, all threads, in milliseconds."""
    taken: list[float] = []
    for n in range(warm_up + times):
        before = time.process_time()
        await work()
        if n >= warm_up:
            taken.append(time.process_time() - before)
    return statistics.median(taken) * 1000


@dataclass(frozen=True)
class Process:
    """What one command used, its children included."""

    cpu_seconds: float
    peak_mb: float
    """Of the Python process itself."""
    output: str


_WITH_PEAK = """\
import atexit, runpy, sys
def report():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            print(line.split()[1], file=sys.stderr)
atexit.register(report)
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run_process(arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Run a module with its arguments to its end; raises when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", _WITH_PEAK, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Process(cpu, int(done.stderr.split()[-1]) / 1024, done.stdout)


def show(figures: Sequence[Figure]) -> None:
    print(json.dumps([figure.to_dict() for figure in figures], indent=1))
