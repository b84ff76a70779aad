"""Forgetting a person some of whose words were forgotten before, or whose wish was cut off."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.database import Database
from tests.company import Company
from tests.test_erasure import MARK, MEMBERS, OTHER, SCRIPT, approve, say, talk, traces


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
