"""A profile's own model reads what waits and answers about people, outside of any run."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.consulting import Derived
from orchestrator.database import Database
from orchestrator.errors import NotFoundError, PersonError
from orchestrator.memory import AskAnswer, Conversations
from orchestrator.memory.conclusions import Conclusions
from tests.company import Company
from tests.model.servers import Answer, Fail, OpenAIDouble

HIKES = {
    "quote": "I hike with my dog",
    "about": "self",
    "kind": "attribute",
    "fact": "person hikes with a dog",
}


@contextmanager
def memory(company: Company, profile: str = "scribe") -> Generator[Database]:
    company.home.create()
    home = company.home.profile("firm", profile)
    home.create()
    database = Database(home.memory_db)
    try:
        yield database
    finally:
        database.close()


def say(company: Company, text: str, profile: str = "scribe") -> None:
    with memory(company, profile) as database:
        key = f"{datetime.now(UTC)}"
        Conversations(database).append(
            "talk", run="before", key=key, peer="person", kind="said", text=text, tokens=9
        )


def known(company: Company, profile: str = "scribe") -> list[str]:
    with memory(company, profile) as database:
        return [each.text for each in Conclusions(database).about()]


def told(value: Mapping[str, Any]) -> Answer:
    return Answer(json.dumps(value))


@pytest.fixture(autouse=True)
def hired(company: Company) -> None:
    company.hire([])


async def derive(
    company: Company,
    profile: str = "scribe",
    *,
    model: str | None = None,
    dream: bool = False,
    retry: bool = False,
) -> Derived:
    async with company.open() as runtime:
        team = runtime.team("team.yaml")
        return await runtime.derive(team, profile, model=model, dream=dream, retry=retry)


async def ask(
    company: Company, question: str, *, model: str | None = None, evidence: bool = False
) -> AskAnswer:
    async with company.open() as runtime:
        team = runtime.team("team.yaml")
        return await runtime.ask_about(
            team, "scribe", "person", question, level="low", model=model, evidence=evidence
        )


@pytest.mark.parametrize("profile", ["scribe", "supervisor"])
async def test_a_named_model_reads_what_waits(company: Company, profile: str) -> None:
    say(company, "These days I hike with my dog.", profile)
    async with OpenAIDouble(told({"facts": [HIKES]})) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url}
        derived = await derive(company, profile, model="custom/x")
    assert (derived.understood, derived.model, derived.note) == (1, "custom/x", "")
    assert derived.queue.pending == 0
    assert known(company, profile) == [HIKES["fact"]]


async def test_without_a_model_the_rules_read_and_it_says_so(company: Company) -> None:
    say(company, "I live in Paris. These days I hike with my dog.")
    derived = await derive(company)
    assert (derived.understood, derived.model) == (0, None)
    assert derived.note.startswith("no model is there")
    assert (derived.dream.state, derived.dream.why) == ("skipped", "no model")
    assert derived.queue.pending == 1
    assert known(company) == ["person lives in Paris"]


async def test_a_named_model_that_cannot_be_used_is_an_error(company: Company) -> None:
    say(company, "I hike with my dog.")
    for model, why in [("rehearsal", "plays a script"), ("openai/gpt-4.1", "OPENAI_API_KEY")]:
        with pytest.raises(PersonError, match=why):
            await derive(company, model=model)
        with pytest.raises(PersonError, match=why):
            await ask(company, "Does she hike?", model=model)


async def test_a_key_that_is_refused_leaves_the_work_to_the_rules_when_nobody_named_the_model(
    company: Company,
) -> None:
    say(company, "I hike with my dog.")
    async with OpenAIDouble(Fail(401, "bad key")) as server:
        company.environment = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": server.base_url}
        derived = await derive(company)
        answer = await ask(company, "Who does hike?")
    assert derived.model is None
    assert "key" in derived.note
    assert derived.queue.pending == 1
    assert (answer.synthesis, [each.text for each in answer.cited]) == (
        False,
        ["I hike with my dog."],
    )
    assert answer.note.startswith("no synthesis: no model: ")


async def test_what_was_given_up_is_tried_again_when_a_person_says_so(company: Company) -> None:
    say(company, "I hike with my dog.")
    async with OpenAIDouble([Answer("no JSON"), told({"facts": [HIKES]})]) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url}
        first = await derive(company, model="custom/x")
        paused = await derive(company, model="custom/x")
        assert len(server.posts) == 1
        again = await derive(company, model="custom/x", retry=True)
    assert first.queue.error.startswith("the model wrote no JSON")
    assert (paused.understood, again.understood) == (0, 1)


async def test_a_dream_can_be_had_at_once(company: Company) -> None:
    say(company, "I live in Paris.")
    nothing: dict[str, Any] = {"updates": [], "contradictions": []}
    async with OpenAIDouble(told({"facts": [], **nothing})) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url}
        waiting = await derive(company, model="custom/x")
        dreamt = await derive(company, model="custom/x", dream=True)
    assert (waiting.dream.state, dreamt.dream.state) == ("skipped", "done")


async def test_an_answer_about_a_person_cites_what_was_said(company: Company) -> None:
    say(company, "These days I hike with my dog.")
    given = {"known": True, "answer": "With a dog.", "cited": ["m1"]}
    async with OpenAIDouble(told(given)) as server:
        company.environment = {"CUSTOM_BASE_URL": server.base_url}
        answer = await ask(company, "With whom does she hike?", model="custom/x")
        evidence = await ask(company, "Who does hike?", model="custom/x", evidence=True)
        assert len(server.posts) == 1
    assert (answer.text, [each.ref for each in answer.cited]) == ("With a dog.", ["m1"])
    assert evidence.note == "no synthesis: the evidence alone was asked for"
    assert not evidence.synthesis


async def test_only_members_are_asked(company: Company) -> None:
    async with company.open() as runtime:
        team = runtime.team("team.yaml")
        with pytest.raises(NotFoundError, match="scrib"):
            await runtime.derive(team, "scrib", model=None, dream=False, retry=False)


async def test_who_keeps_nothing_about_people_understands_nothing(company: Company) -> None:
    company.hire([], members={"scribe": {"memory": {"observe": False}}, "counter": {}})
    say(company, "I live in Paris.")
    with pytest.raises(PersonError, match="keeps nothing about people"):
        await derive(company)
    assert (await ask(company, "Where does she live?")).note.startswith("no synthesis")
    assert known(company) == []
