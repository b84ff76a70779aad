"""What a profile takes in once a run has ended, and where it stays."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.memory import Conversations, ConversationSearch, EmbeddedUserModel
from tests.company import Company
from tests.model.servers import Answer, Fail, OpenAIDouble


def known(company: Company, profile: str, person: str = "person") -> list[str]:
    """The card that the profile has of the person by now."""
    home = company.home.profile("firm", profile)
    home.create()
    with closing(Database(home.memory_db)) as database:
        past = ConversationSearch(database)
        return list(EmbeddedUserModel(database, home.address, past).card_now(person))


async def told(company: Company, text: str, **request: object) -> None:
    """Say something, and let the profiles remember it."""
    async with company.open() as runtime:
        await runtime.run(company.request(runtime, text, **request), company.watch)
        await runtime.remember()


async def test_a_member_remembers_what_it_was_told(company: Company) -> None:
    company.hire([{"profile": "scribe", "say": "Noted."}])
    await told(company, "I live in Paris.", target="scribe")
    assert known(company, "scribe") == ["IDENTITY: lives in Paris"]
    assert known(company, "counter") == []
    assert known(company, "supervisor") == []


async def test_each_person_has_a_card_of_their_own(company: Company) -> None:
    company.hire([{"profile": "scribe", "say": "Noted.", "repeat": True}])
    await told(company, "I live in Paris.", target="scribe", person="ann")
    await told(company, "I live in Lyon.", target="scribe", person="bob")
    assert known(company, "scribe", "ann") == ["IDENTITY: lives in Paris"]
    assert known(company, "scribe", "bob") == ["IDENTITY: lives in Lyon"]


async def test_a_member_told_to_observe_nobody_keeps_nothing_about_people(
    company: Company,
) -> None:
    script = [{"profile": "scribe", "say": "Noted.", "repeat": True}]
    company.hire(script, members={"scribe": {"memory": {"observe": False}}, "counter": {}})
    await told(company, "I live in Paris.", target="scribe")
    company.hire(script)
    await told(company, "I like tea.", target="scribe")
    assert known(company, "scribe") == ["PREFERENCE: likes tea"]


async def test_under_a_supervisor_only_the_persons_own_words_count(company: Company) -> None:
    company.hire(
        [
            {
                "profile": "supervisor",
                "calls": [
                    {
                        "tool": "assign",
                        "arguments": {"member": "scribe", "goal": "I live in Oslo. Write it."},
                    }
                ],
            },
            {"profile": "scribe", "say": "Written."},
            {"profile": "supervisor", "say": "Done."},
        ]
    )
    await told(company, "I live in Paris. Have it written down.", person="ann")
    assert known(company, "scribe", "ann") == ["IDENTITY: lives in Paris"]
    assert known(company, "scribe", "firm/supervisor") == []
    assert known(company, "supervisor", "ann") == ["IDENTITY: lives in Paris"]


async def test_a_process_that_dies_before_it_remembers_makes_up_for_it(company: Company) -> None:
    company.hire([{"profile": "scribe", "say": "Noted.", "repeat": True}])
    await company.run("I live in Paris.", target="scribe")
    await told(company, "How are you?", target="scribe")
    assert known(company, "scribe") == ["IDENTITY: lives in Paris"]


@pytest.mark.parametrize("name", ["firm/scribe", "Firm/Supervisor", " ", "x" * 300, "ann\udce9"])
async def test_nobody_speaks_under_the_name_of_a_member_or_of_nobody(
    company: Company, name: str
) -> None:
    company.hire([{"profile": "scribe", "say": "Noted."}])
    with pytest.raises(PersonError, match=r"name of a person|member of the team"):
        await told(company, "I live in Paris.", target="scribe", person=name)


async def test_a_member_that_has_worked_still_answers_what_it_knows(company: Company) -> None:
    tools = {"tools": ["plan", "write"]}
    company.hire([{"profile": "scribe", "say": "Noted."}], members={"scribe": tools, "counter": {}})
    async with company.open() as runtime:
        for text in ("I live in Paris.", "What do you know about me?"):
            request = company.request(runtime, text, target="scribe")
            result = await runtime.run(request, company.watch)
    assert result.state == "completed"
    assert "lives in Paris" in result.answer


def grown_old(company: Company, profile: str) -> None:
    """Something was said to the profile long ago."""
    company.home.create()
    home = company.home.profile("firm", profile)
    home.create()
    with closing(Database(home.memory_db)) as database:
        Conversations(database).append(
            "s",
            run="old",
            key="k",
            peer="ann",
            kind="said",
            text="It was long ago.",
            tokens=4,
            at=datetime(2001, 1, 1, tzinfo=UTC),
        )


def said(company: Company, profile: str) -> list[str]:
    with closing(Database(company.home.profile("firm", profile).memory_db)) as database:
        return [row["text"] for row in database.all("SELECT text FROM messages ORDER BY id")]


async def test_without_a_model_that_can_be_used_the_rules_remember(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    company.hire([])
    async with company.open() as runtime:
        request = company.request(runtime, "I live in Paris.")
        request = replace(request, model="nobody/x", rehearsal=None)
        result = await runtime.run(request, company.watch)
        await runtime.remember()
    assert result.state == "failed"
    assert "firm/supervisor remembers without a model" in caplog.text
    assert known(company, "supervisor") == ["IDENTITY: lives in Paris"]


async def test_a_refused_model_keeps_no_profile_from_what_needs_none(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    company.hire([], members={"scribe": {"tools": ["plan"]}, "counter": {}})
    async with OpenAIDouble([Answer("Noted."), Fail(401, "bad key")]) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url}
        async with company.open() as runtime:
            text = "I live in Paris. These days I hike with my dog. " * 60
            request = company.request(runtime, text, target="scribe")
            request = replace(request, model="custom/x", rehearsal=None)
            result = await runtime.run(request, company.watch)
            await runtime.remember()
    assert result.state == "completed", result.error
    assert "firm/scribe remembers without its model" in caplog.text
    assert known(company, "scribe") == ["IDENTITY: lives in Paris"]


async def test_one_profile_that_fails_in_an_unknown_way_ends_nothing(company: Company) -> None:
    old = {"memory": {"keep_days": 30}}
    company.hire([{"profile": "scribe", "say": "Noted."}], members={"scribe": old, "counter": {}})
    grown_old(company, "scribe")
    assert known(company, "scribe") == []
    with closing(Database(company.home.profile("firm", "scribe").memory_db)) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON conclusions "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    await told(company, "I live in Paris.", target="scribe")
    assert said(company, "scribe") == ["I live in Paris.", "Noted."]


async def test_whoever_keeps_for_some_days_only_need_not_have_worked(company: Company) -> None:
    company.hire(
        [{"profile": "scribe", "say": "Noted."}],
        members={"scribe": {}, "counter": {"memory": {"keep_days": 30}}},
    )
    grown_old(company, "counter")
    await told(company, "Hello.", target="scribe")
    assert said(company, "counter") == []
