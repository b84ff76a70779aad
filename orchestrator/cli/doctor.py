"""`retinue doctor`."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator.cli.boundary import FAILED, describe
from orchestrator.cli.output import Screen, print_json
from orchestrator.cli.places import cache, home, settings
from orchestrator.errors import HomeError, PersonError
from orchestrator.index import MODEL, Embedder
from orchestrator.model import ModelFound, find_model, list_models, price_of
from orchestrator.sandbox import SandboxConfig, open_sandbox

_log = logging.getLogger(__name__)

_LEAST_FREE, _ENOUGH_FREE = 100_000_000, 1_000_000_000
"""Bytes."""


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    found: str = ""
    """What is there, in one line."""
    problem: str = ""
    fix: str = ""
    needed: bool = True
    """False: nothing stops working without it."""
    notes: tuple[str, ...] = ()


async def doctor(*, as_json: bool) -> int:
    checks = [await _checked(name, check) for name, check in _CHECKS.items()]
    if as_json:
        print_json([dataclasses.asdict(check) for check in checks])
    else:
        with Screen() as screen:
            for check in checks:
                _show(screen, check)
    return FAILED if any(check.needed and not check.ok for check in checks) else 0


async def _checked(name: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await check()
    except Exception as error:
        _log.exception("the check %s failed", name)
        problem, _, fix = describe(error).partition("; ")
        return Check(name, False, problem=problem, fix=fix)


def _show(screen: Screen, check: Check) -> None:
    if check.ok:
        screen.line(f"ok: {check.found}", "good", check.name)
    elif check.needed:
        screen.line(f"BROKEN: {check.problem}", "bad", check.name)
    else:
        screen.line(f"not well: {check.problem}", "ask", check.name)
    if check.fix and not check.ok:
        screen.line(f"fix: {check.fix}", who=" ")
    for note in check.notes:
        screen.line(note, "quiet", " ")


async def _python() -> Check:
    return Check("python", True, f"{platform.python_version()} at {sys.executable}")


async def _home() -> Check:
    place = home()
    place.create()
    for env in place.state.glob("*/*/.env"):
        if env.stat().st_mode & 0o077:
            return Check("home", False, "", f"{env} can be read by others", f"run: chmod 600 {env}")
    return Check("home", True, f"{place.root}, private and writable")


async def _settings() -> Check:
    settings()
    file = home().root / "settings.yaml"
    return Check("settings", True, str(file) if file.exists() else "none, all defaults")


async def _disk() -> Check:
    place = home().root
    free = shutil.disk_usage(next(each for each in (place, *place.parents) if each.exists())).free
    found = f"{free / 1e9:.1f} GB free in {place}"
    if free >= _ENOUGH_FREE:
        return Check("disk", True, found)
    fix = "make room, or set RETINUE_HOME to a folder on another disk"
    return Check("disk", False, "", f"only {found}", fix, needed=free < _LEAST_FREE)


async def _sandbox() -> Check:
    try:
        home().create()
    except HomeError:
        problem = "it cannot be checked until the home is usable"
        return Check("sandbox", False, "", problem, needed=False)
    place = home().profile(".doctor", "check")
    sandbox = open_sandbox(SandboxConfig(), place)
    try:
        health = await sandbox.health()
    finally:
        shutil.rmtree(place.root.parent, ignore_errors=True)
    if not health.ok:
        return Check("sandbox", False, "", health.problem, health.fix)
    return Check("sandbox", True, f"{sandbox.isolation} ran `true`", notes=tuple(health.warnings))


async def _embedder() -> Check:
    try:
        await asyncio.to_thread(Embedder().embed, ["ready"])
    except PersonError as error:
        problem, _, fix = str(error).partition("; ")
        return Check("embedder", False, "", problem, fix, needed=False)
    return Check("embedder", True, MODEL)


async def _model() -> Check:
    chosen = settings()
    found = find_model(chosen.model, environment=os.environ, settings=chosen, cache=cache())
    rows = list_models(environment=os.environ, settings=chosen, cache=cache())
    missing = next((row.missing for row in rows if row.provider == found.spec.provider), "")
    if missing:
        return Check("model", False, "", f"{found.spec} ({found.how}) cannot be called", missing)
    return Check("model", True, f"{found.spec} ({found.how}), {_cost(found)}")


def _cost(found: ModelFound) -> str:
    if not found.spends:
        return "calls cost nothing"
    price = price_of(found.spec, found.base_url)
    if price is None:
        return "calls cost money, the price is unknown"
    return f"calls cost {price.input} USD in, {price.output} USD out per million tokens"


_CHECKS = {
    "python": _python,
    "home": _home,
    "settings": _settings,
    "disk": _disk,
    "sandbox": _sandbox,
    "embedder": _embedder,
    "model": _model,
}
