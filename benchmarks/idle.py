"""What a profile adds to a process that has opened its memory and does nothing with it."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.figure import Figure, show
from orchestrator.home import Home
from orchestrator.settings import Settings
from orchestrator.skill import Libraries
from orchestrator.staff import House

PROFILES = 100


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.create()
        house = House(
            home=home,
            settings=Settings(),
            environment={},
            cache=Path(folder) / "cache",
            stack=AsyncExitStack(),
            libraries=Libraries(project=Path(folder), home=home.root),
        )
        for number in range(5):
            _open(house, f"warm-{number}")
        before = _resident_kb()
        for number in range(PROFILES):
            _open(house, f"member-{number}")
        each = (_resident_kb() - before) / 1024 / PROFILES
        for database in house.databases.values():
            database.close()
    note = "conversations, user model and skills opened, a card read"
    return [Figure(f"memory of an idle profile, of {PROFILES}", round(each, 2), "MB", 1, note=note)]


def _open(house: House, profile: str) -> None:
    home = house.home.profile("firm", profile)
    house.past(home)
    house.shelf(home)
    house.user_model(home).card_now("person")


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


if __name__ == "__main__":
    show(measure())
