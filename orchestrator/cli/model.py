"""`retinue model …`."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TextIO

from orchestrator.cli.boundary import FAILED
from orchestrator.cli.output import Screen, columns, print_json
from orchestrator.cli.places import cache, settings
from orchestrator.cli.render import money
from orchestrator.errors import PersonError
from orchestrator.model import ModelFound, ModelRow, find_model, list_models, test_model, weights

_LINES = 20
"""Lines that a whole download prints where there is no terminal."""


def list_all(*, as_json: bool) -> int:
    chosen = settings()
    rows = list_models(environment=os.environ, settings=chosen, cache=cache())
    found, problem = _find(chosen.model)
    if as_json:
        print_json(
            {
                "default": _found(found),
                "problem": problem,
                "providers": [dataclasses.asdict(row) for row in rows],
            }
        )
        return 0
    head = ("PROVIDER", "MODEL", "USD PER MILLION IN / OUT", "WINDOW", "NEEDS")
    table = [
        (row.provider, row.model or "-", _price(row), f"{row.window:,}", row.missing or "-")
        for row in rows
    ]
    with Screen() as screen:
        for line in columns([head, *table]):
            screen.line(line)
        screen.line()
        if found is None:
            screen.line(problem, "ask")
        else:
            screen.line(f"when none is named: {found.spec} ({found.how})", "good")
    return 0


async def test(*, model: str | None, as_json: bool) -> int:
    chosen = settings()
    found = _named_or_found(model or chosen.model)
    done = await test_model(
        str(found.spec),
        credentials=os.environ,
        settings=chosen,
        cache=cache(),
        base_url=found.base_url,
    )
    if as_json:
        print_json(dataclasses.asdict(done))
        return 0 if done.ok else FAILED
    with Screen() as screen:
        if done.ok:
            screen.line(f"{done.model} says {done.text!r}", "good")
            screen.line(
                f"{done.seconds:.1f} s, {done.usage.total} tokens, cost {money(done.cost_usd)}"
            )
        else:
            screen.line(f"{done.model}: {done.error}", "bad")
    return 0 if done.ok else FAILED


async def pull(*, as_json: bool) -> int:
    with download_progress(sys.stderr if as_json else sys.stdout) as progress:
        path = await weights.pull(cache(), progress=progress)
    if as_json:
        print_json({"path": str(path), "bytes": weights.QWEN.size, "sha256": weights.QWEN.sha256})
        return 0
    with Screen() as screen:
        screen.line(f"the local model is at {path}, sha256 verified", "good")
        screen.line("try it: retinue model test local")
    return 0


@contextmanager
def download_progress(stream: TextIO) -> Generator[Callable[[int, int], None]]:
    """Takes the bytes that are here and those there will be: a bar on a terminal, else about
    twenty lines.
    """
    if not stream.isatty():
        yield _Lines(Screen(stream))
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    bar = Progress(
        BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(file=stream)
    )
    with bar:
        task = bar.add_task("model")
        yield lambda here, whole: bar.update(task, completed=here, total=whole)


class _Lines:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = -1

    def __call__(self, here: int, whole: int) -> None:
        part = here * _LINES // whole
        if part > self._shown:
            self._shown = part
            self._screen.line(
                f"{100 * here // whole} % ({here / 1e6:,.0f} of {whole / 1e6:,.0f} MB)"
            )


def _named_or_found(named: str | None) -> ModelFound:
    return find_model(named, environment=os.environ, settings=settings(), cache=cache())


def _find(named: str | None) -> tuple[ModelFound | None, str]:
    """What serves, or why nothing does."""
    try:
        return _named_or_found(named), ""
    except PersonError as error:
        return None, str(error)


def _found(found: ModelFound | None) -> dict[str, Any] | None:
    return None if found is None else {**dataclasses.asdict(found), "spec": str(found.spec)}


def _price(row: ModelRow) -> str:
    if row.price is None:
        return "unknown"
    when = f" ({row.price_checked:%Y-%m-%d})" if row.price_checked else ""
    return f"{row.price.input} / {row.price.output}{when}" if row.price.input else "free"
