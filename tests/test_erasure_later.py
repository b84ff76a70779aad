"""Forgetting a person some of whose words were forgotten before, or whose wish was cut off."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import HomeError
from orchestrator.memory import Conversations
from orchestrator.team.audit import Audit
from tests.company import Company
from tests.test_erasure import (
    MARK,
    MEMBERS,
    OTHER,
    SCRIPT,
    approve,
    audited,
    beliefs,
    hits,
    say,
    talk,
    tombstones,
    traces,
)


@pytest.fixture
def firm(company: Company) -> Company:
    company.hire(SCRIPT, members=MEMBERS)
    return company


async def forget_message(company: Company, profile: str, peer: str) -> None:
    """As `memory forget --message` does, of everything that a peer has said to a profile."""
    async with company.open() as runtime:
        erasure = runtime.erasure
        homes = erasure.homes(runtime.team("team.yaml"), profile)
        with closing(Database(homes[0].memory_db)) as database:
            rows = database.all("SELECT id FROM messages WHERE peer = ?", peer)
        ids = [row["id"] for row in rows]
        erasure.forget(erasure.choose(homes, lambda one: one.messages(ids)), by="operator")
        erasure.finish()


async def test_forget_me_takes_the_runs_of_which_the_words_were_forgotten_before(
    firm: Company,
) -> None:
    await talk(firm)
    await approve(firm, await say(firm, f"Forget what I said about {MARK}", "anna"))
    assert [Path(path).name for path in traces(firm.home.root, MARK)] == ["note.md"]
    asked = await say(firm, "Forget me", "anna")
    assert "runs with their files" in asked.questions[0].text
    await approve(firm, asked)
    assert traces(firm.home.root, MARK) == []
    assert traces(firm.home.root, "anna") == []
    assert traces(firm.home.root, OTHER) != []


async def test_a_person_is_forgotten_whole_after_each_message_was(firm: Company) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "counter")
    await forget_message(firm, "counter", "anna")
    assert traces(firm.home.root, MARK) != []
    async with firm.open() as runtime:
        erasure = runtime.erasure
        homes = erasure.homes(runtime.team("team.yaml"), None)
        erasure.forget(erasure.choose_person(homes, "anna"), by="operator")
        erasure.finish()
        assert erasure.choose_person(homes, "anna") == []
    assert traces(firm.home.root, MARK) == []
    assert traces(firm.home.root, "anna") == []


async def test_what_is_known_names_the_runs_whose_words_are_gone(firm: Company) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "counter")
    await forget_message(firm, "counter", "anna")
    answer = (await say(firm, "What do you know about me?", "anna")).answer
    assert "firm/counter keeps" in answer
    assert "1 run with its files" in answer


FORGET = """\
import asyncio, os, signal, sys
from pathlib import Path
from orchestrator.erasure import Erasure
from orchestrator.home import Home
from orchestrator.runtime import Runtime
from orchestrator.team.audit import Audit

async def main():
    home = Home(Path(sys.argv[2]))
    async with Runtime(project=Path(sys.argv[1]), home=home, environment={}) as r:
        homes = r.erasure.homes(r.team("team.yaml"), None)
        found = r.erasure.choose_person(homes, "anna")
        die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[3] == "before":
            Erasure._close = die
        else:
            Audit.carried_out = die
        r.erasure.forget(found, by="operator")

asyncio.run(main())
"""


async def kill_while_forgetting(company: Company, where: str) -> None:
    """A process that forgets anna dies before it has begun, or after the first profile."""
    script = [sys.executable, "-c", FORGET, company.project, company.home.root, where]
    killed = await asyncio.create_subprocess_exec(*script)
    assert await killed.wait() == -signal.SIGKILL


@pytest.mark.parametrize("where", ["before", "after the first"])
async def test_what_a_killed_process_had_yet_to_forget_is_forgotten_at_the_next_opening(
    firm: Company, where: str
) -> None:
    await talk(firm)
    await kill_while_forgetting(firm, where)
    assert hits(firm, "keeper", MARK) != []
    async with firm.open():
        pass
    assert traces(firm.home.root, MARK) == []
    assert traces(firm.home.root, "anna") == []
    assert hits(firm, "counter", OTHER) != []
    assert beliefs(firm, "keeper", "bob") == [f"bob lives in {OTHER}"]
    assert len(audited(firm)) == 2


@contextmanager
def cut_off() -> Generator[None]:
    """Forgetting fails after the first profile has forgotten, before that is noted."""

    def full(*_: object) -> None:
        raise HomeError("no space is left")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Audit, "carried_out", full)
        yield


async def test_a_disk_that_fills_up_between_two_profiles_costs_only_time(firm: Company) -> None:
    await talk(firm)
    async with firm.open() as runtime:
        erasure = runtime.erasure
        found = erasure.choose_person(erasure.homes(runtime.team("team.yaml"), None), "anna")
        assert [each.home.profile for each in found] == ["counter", "keeper"]
        with cut_off(), pytest.raises(HomeError):
            erasure.forget(found, by="operator")
        assert hits(firm, "keeper", MARK) != []
        erasure.finish()
    assert traces(firm.home.root, MARK) == []
    assert traces(firm.home.root, "anna") == []


async def test_what_was_said_after_a_profile_forgot_is_not_taken_for_what_it_forgot(
    firm: Company,
) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "keeper")
    keeper = firm.home.profile("firm", "keeper")
    async with firm.open() as runtime:
        erasure = runtime.erasure
        found = erasure.choose_person(erasure.homes(runtime.team("team.yaml"), None), "anna")
        with cut_off(), pytest.raises(HomeError):
            erasure.forget(found, by="operator")
        with closing(Database(keeper.memory_db)) as database:
            said = Conversations(database)
            for number in range(9):  # their numbers are those of what was forgotten
                said.append(
                    "s", run="r", key=f"{number}", peer="bob", kind="said", text=OTHER, tokens=1
                )
        erasure.finish()
    assert hits(firm, "keeper", OTHER) == ["bob"] * 9
    assert len(tombstones(firm, "keeper")) == 1
    with closing(Database(firm.home.ledger_db)) as database:
        assert Audit(database).ordered() == []
        assert Audit(database).begun() == []


async def test_what_is_yet_to_be_forgotten_goes_before_more_is(
    firm: Company,
) -> None:
    await talk(firm)
    async with firm.open() as runtime:
        erasure = runtime.erasure
        homes = erasure.homes(runtime.team("team.yaml"), None)
        found = erasure.choose_person(homes, "anna")
        with cut_off(), pytest.raises(HomeError):
            erasure.forget(found, by="operator")
        erasure.forget(erasure.choose_person(homes, "bob"), by="operator")
        assert hits(firm, "keeper", MARK) == []
        assert hits(firm, "keeper", OTHER) == []
