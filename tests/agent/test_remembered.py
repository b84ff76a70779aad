"""What a member remembers stands in its prompt, and stands there again after a crash."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from orchestrator.agent.remembered import Remembered
from orchestrator.database import Database
from orchestrator.engine.journal import Journal
from orchestrator.events import Warned
from orchestrator.memory import Turn
from tests.company import Company


def say(profile: str, text: str, **line: Any) -> dict[str, Any]:
    return {"profile": profile, "say": text, **line}


def assign(goal: str, **line: Any) -> dict[str, Any]:
    arguments = {"member": "scribe", "goal": goal}
    return {
        "profile": "supervisor",
        "calls": [{"tool": "assign", "arguments": arguments}],
        **line,
    }


async def tell(company: Company, text: str, **request: Any) -> str:
    """Say something, let it be remembered, and return the answer."""
    async with company.open() as runtime:
        result = await runtime.run(company.request(runtime, text, **request), company.watch)
        await runtime.remember()
    return result.answer


async def test_a_member_has_its_notes_on_whoever_speaks_to_it(company: Company) -> None:
    company.hire(
        [
            say("scribe", "I know.", match=r"(?s)notes on ann.*lives in Paris.*Where do I live"),
            say("scribe", "No idea.", match="Where do I live"),
            say("scribe", "Noted."),
        ]
    )
    await tell(company, "I live in Paris.", target="scribe", person="ann", session="one")
    question = "Where do I live?"
    assert await tell(company, question, target="scribe", person="ann") == "I know."
    assert await tell(company, question, target="scribe", person="bob") == "No idea."


async def test_earlier_turns_and_what_was_said_elsewhere_come_along(company: Company) -> None:
    company.hire(
        [
            say("scribe", "Blue.", match=r"(?s)The colour\?.*> scribe|> ann: My gate is blue"),
            say("scribe", "Noted.", repeat=True),
        ]
    )
    asked = {"target": "scribe", "person": "ann"}
    await tell(company, "My gate is blue paint.", session="one", **asked)
    answer = await tell(company, "Which blue paint has my gate?", session="two", **asked)
    assert answer == "Blue."


async def test_for_a_supervisor_it_gets_a_few_notes_with_the_brief(company: Company) -> None:
    company.hire(
        [
            assign("Write to the landlord.", match="(?s)^Members:.*Request: Write"),
            say("scribe", "Written.", match=r"(?s)Write to the landlord\..*> IDENTITY: lives in"),
            say("scribe", "Noted."),
            say("supervisor", "Done.", match="Written"),
        ]
    )
    await tell(company, "I live in Paris.", target="scribe", person="ann")
    assert await tell(company, "Write a letter for me.", person="ann") == "Done."


async def test_a_brief_is_stored_with_the_person_and_their_words(company: Company) -> None:
    company.hire([assign("Write."), say("scribe", "Written."), say("supervisor", "Done.")])
    await company.run("Please write it.", person="ann")
    with closing(Database(company.home.profile("firm", "scribe").memory_db)) as database:
        row = database.one("SELECT peer, extra FROM messages WHERE kind = 'brief'")
    assert row is not None
    assert row["peer"] == "firm/supervisor"
    assert json.loads(row["extra"]) == {"person": "ann", "words": "Please write it."}


async def test_the_supervisor_remembers_too(company: Company) -> None:
    company.hire(
        [
            say("supervisor", "In Paris.", match=r"(?s)> IDENTITY: lives in Paris.*Members:"),
            say("supervisor", "Noted."),
        ]
    )
    await tell(company, "I live in Paris.", person="ann", session="one")
    assert await tell(company, "Where do I live?", person="ann", session="two") == "In Paris."


async def test_what_was_remembered_is_the_same_after_a_crash(company: Company) -> None:
    company.hire([say("scribe", "Noted.", match="^I like tea")])
    await tell(company, "I like tea.", target="scribe", person="ann")
    failed = await company.run("What do I like?", target="scribe", person="ann")
    assert failed.state == "failed"
    home = company.home.profile("firm", "scribe")
    with closing(Database(home.memory_db)) as database:
        journal = Journal(database)
        before = journal.get(failed.run_id, "scribe#1", "recall")
        database.execute("DELETE FROM conclusions")
        company.hire([say("scribe", "Tea.", match=r"(?s)> PREFERENCE: likes tea.*What do I")])
        assert (await company.resume(failed.run_id)).answer == "Tea."
    assert before is not None
    assert set(before.payload) == {"brief", "history", "notes", "recalled"}


async def test_a_memory_that_is_broken_is_told_and_the_talk_goes_on(company: Company) -> None:
    company.hire(
        [say("scribe", "Still here.", match="(?s)And now"), say("scribe", "Yes.")],
    )
    asked = {"target": "scribe", "session": "talk"}
    await tell(company, "Are you there, old friend?", **asked)
    with closing(Database(company.home.profile("firm", "scribe").memory_db)) as database:
        database.execute("UPDATE message_words_data SET block = x'00' WHERE id > 10")
    assert (await company.run("And now, old friend?", **asked)).answer == "Still here."
    assert any("memory cannot be searched" in event.message for event in company.seen(Warned))


async def test_no_memory_at_all_can_be_wished_for(company: Company) -> None:
    company.hire(
        [
            say("scribe", "I forget.", match=r"^Where do I live"),
            say("scribe", "Noted."),
        ],
        members={"scribe": {"memory": {"context_tokens": 0}}, "counter": {}},
    )
    asked = {"target": "scribe", "session": "talk"}
    await tell(company, "I live in Paris.", **asked)
    assert await tell(company, "Where do I live?", **asked) == "I forget."


async def test_the_preview_of_the_first_request_has_it(company: Company) -> None:
    company.hire([say("scribe", "Noted.")])
    await tell(company, "I live in Paris.", target="scribe")
    async with company.open() as runtime:
        team = runtime.team("team.yaml")
        shown = runtime.first_request(team, "scribe", "Where do I live?").messages[1]["content"]
        empty = runtime.first_request(team, "counter", "Where do I live?").messages[1]["content"]
    assert "> IDENTITY: lives in Paris" in shown
    assert empty.startswith("Where do I live?")


def test_the_prompt_begins_with_one_message_of_the_other_side() -> None:
    notes = Remembered("Notes.", (Turn(False, "One"), Turn(True, "Two")))
    assert [(m.type, m.text) for m in notes.before("Three")] == [
        ("human", "Notes.\n\nOne"),
        ("ai", "Two"),
        ("human", "Three"),
    ]
    mine = Remembered("Notes.", (Turn(True, "Two"),))
    assert [(m.type, m.text) for m in mine.before("Three")] == [
        ("human", "Notes."),
        ("ai", "Two"),
        ("human", "Three"),
    ]
    assert Remembered.from_payload(json.loads(json.dumps(notes.payload()))) == notes
    assert Remembered.from_payload({"brief": "Old.", "history": [[True, "A"]]}).turns == (
        Turn(True, "A"),
    )
