"""The profiles of a home at work."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

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
