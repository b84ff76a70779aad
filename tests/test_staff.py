"""The profiles of a home at work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack

from orchestrator.home import ProfileHome
from orchestrator.settings import Settings
from orchestrator.skill import Libraries
from orchestrator.staff import House, TeamStaff
from tests.company import Company


async def test_two_calls_of_one_profile_that_start_together_share_its_sandbox(
    company: Company,
) -> None:
    company.hire([])
    async with company.open() as runtime, AsyncExitStack() as stack:
        libraries = Libraries(project=company.project, home=company.home.root)
        house = House(company.home, Settings(), {}, company.project / "cache", stack, libraries)
        script = company.project / "rehearsal.yaml"
        staff = TeamStaff(house, runtime.team("team.yaml"), model="rehearsal", rehearsal=script)
        one, other = await asyncio.gather(staff.seat("counter"), staff.seat("counter"))
        assert one.sandbox is other.sandbox


async def test_what_threads_open_together_is_opened_once(company: Company) -> None:
    company.home.create()

    async def together(home: ProfileHome, house: House) -> set[int]:
        start = threading.Barrier(4, timeout=30)

        def opened(way: Callable[[ProfileHome], object]) -> int:
            start.wait()
            way(home)
            return id(house.database(home))

        ways = (house.memory, house.shelf, house.past, house.database)
        return set(await asyncio.gather(*(asyncio.to_thread(opened, way) for way in ways)))

    async with AsyncExitStack() as stack:
        libraries = Libraries(project=company.project, home=company.home.root)
        house = House(company.home, Settings(), {}, company.project / "cache", stack, libraries)
        for number in range(10):
            assert len(await together(company.home.profile("firm", f"n{number}"), house)) == 1
