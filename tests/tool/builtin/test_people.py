"""`remember` and `ask_about`, through the tool search, as a member uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.database import Database
from orchestrator.errors import ModelUnavailable
from orchestrator.events import ToolFinished
from orchestrator.memory import Conversations, ConversationSearch, EmbeddedUserModel
from orchestrator.memory.conclusions import Conclusions
from orchestrator.sandbox import Sandbox
from orchestrator.tool.base import ToolContext
from orchestrator.tool.toolset import Call, Toolset
from tests.company import Company
from tests.memory.past import Past
from tests.memory.thinkers import Answer, ScriptedThinker

ME = "firm/scribe"
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def calling(tool: str, **arguments: Any) -> Mapping[str, Any]:
    call = {"tool": "call_tool", "arguments": {"name": tool, "arguments": arguments}}
    return {"profile": "scribe", "calls": [call]}


DONE = {"profile": "scribe", "say": "Done."}


async def results(company: Company, *steps: Mapping[str, Any], **request: Any) -> Sequence[Any]:
    """What the tool calls of a run have come to."""
    company.hire([*steps, DONE])
    before = len(company.seen(ToolFinished))
    await company.run("Go on.", target="scribe", **request)
    return company.seen(ToolFinished)[before:]


def card(company: Company, person: str) -> Sequence[str]:
    home = company.home.profile("firm", "scribe")
    with closing(Database(home.memory_db)) as database:
        people = EmbeddedUserModel(database, home.address, ConversationSearch(database))
        return people.card_now(person)


async def test_a_note_is_kept_of_the_person_the_work_is_for(company: Company) -> None:
    note = "ann wants reports on Fridays"
    [done] = await results(company, calling("remember", text=note), person="ann")
    assert done.outcome == "ok"
    assert card(company, "ann") == ["ATTRIBUTE: wants reports on Fridays"]
    assert card(company, "bob") == []


async def test_a_note_rests_on_what_was_said_and_is_forgotten_with_it(company: Company) -> None:
    note = calling("remember", text="ann wants reports on Fridays")
    talk = {"target": "scribe", "person": "ann", "session": "talk"}
    company.hire([note, note, DONE])
    await company.run("Fridays are best.", **talk)
    with closing(Database(company.home.profile("firm", "scribe").memory_db)) as database:
        [kept] = Conclusions(database).about("ann")
        said = Conversations(database).get(kept.sources)
    assert [message.text for message in said.values()] == ["Fridays are best."]
    assert kept.times == 1
    asked = await company.run("Forget that.", **talk)
    assert asked.questions[0].text.startswith(
        "Shall this of yours or about you be forgotten: 4 messages, 1 conclusion and 1 run with "
        "its files? It is deleted for good"
    )
    await company.answer(asked.run_id, decision="approve")
    assert card(company, "ann") == []
    assert holders(company, "Fridays") == set()


async def test_a_note_of_a_piece_of_work_rests_on_its_brief(company: Company) -> None:
    brief = {"member": "scribe", "goal": "Write down when reports are due."}
    company.hire(
        [
            {"profile": "supervisor", "calls": [{"tool": "assign", "arguments": brief}]},
            calling("remember", text="ann wants reports on Fridays"),
            DONE,
            {"profile": "supervisor", "say": "Done."},
        ]
    )
    await company.run("Reports on Fridays, please.", person="ann", session="talk")
    asked = await company.run("Forget that.", person="ann", session="talk")
    await company.answer(asked.run_id, decision="approve")
    assert holders(company, "Fridays") == set()


async def test_a_note_that_is_a_credential_is_refused(company: Company) -> None:
    secret = calling("remember", text="password: hunter2hunter2")
    [done] = await results(company, secret)
    assert done.outcome == "failed"
    assert "credential" in done.preview
    assert card(company, "person") == []


async def test_what_is_known_comes_back_quoted_with_its_source(company: Company) -> None:
    await results(company, calling("remember", text="person wants reports on Fridays"))
    [done] = await results(company, calling("ask_about", question="When are reports wanted?"))
    assert done.preview.startswith("> [c1] ")
    assert "on Fridays" in done.preview


@pytest.mark.parametrize(
    ("level", "note"),
    [
        ("low", "no evidence holds 12"),
        ("low", "the answer cites nothing that was shown: do not rely on it"),
        ("low", "no synthesis: no network"),
        (None, "no synthesis: the evidence alone was asked for"),
    ],
)
async def test_what_a_reader_of_the_answer_must_know_is_said(
    tmp_path: Path, level: str | None, note: str
) -> None:
    past = Past(tmp_path)
    tea = Conclusions(past.database).add(ME, "ann", "ann likes tea", by="rule", at=DAY)
    says: Mapping[str, Answer] = {
        "no evidence holds 12": {"known": True, "answer": "12 teas.", "cited": [f"c{tea}"]},
        "the answer": {"known": True, "answer": "Tea.", "cited": []},
        "no synthesis: no network": ModelUnavailable("no network"),
    }
    thinker = ScriptedThinker(*(told for start, told in says.items() if note.startswith(start)))
    context = ToolContext(
        address=ME,
        run="now",
        workdir="now",
        sandbox=cast(Sandbox, None),
        people=EmbeddedUserModel(past.database, ME, past.by_words()),
        person="ann",
        thinker=lambda: thinker,
    )
    asked = Call("ask_about", {"question": "Which tea?", "level": level})
    result = await Toolset.of(["ask_about"]).run(asked, context)
    assert result.text.splitlines()[-1] == f"({note})"
    past.database.close()


async def test_of_a_stranger_nothing_is_made_up(company: Company) -> None:
    [done] = await results(company, calling("ask_about", question="Age?", person="eve"))
    assert done.preview.startswith("(empty) nothing is known of 'eve'")


async def test_something_is_forgotten_when_the_person_agrees_and_not_before(
    company: Company,
) -> None:
    company.hire([{"profile": "scribe", "say": "Noted."}])
    await company.run("My locker has the code Zebrafish.", target="scribe", person="ann")
    company.hire([calling("forget", topic="locker code zebrafish"), DONE])
    asked = await company.run("Drop what I told you.", target="scribe", person="ann")
    assert asked.state == "waiting"
    assert holders(company, "Zebrafish") == {"memory.db"}
    denied = await company.answer(asked.run_id, decision="deny")
    assert denied is not None
    assert holders(company, "Zebrafish") == {"memory.db"}
    company.hire([calling("forget", topic="locker code zebrafish"), DONE])
    again = await company.run("Drop what I told you.", target="scribe", person="ann")
    done = await company.answer(again.run_id, decision="approve")
    assert done is not None
    assert done.state == "completed"
    assert holders(company, "Zebrafish") == set()
    assert holders(company, "zebrafish") == set()


def holders(company: Company, word: str) -> set[str]:
    """The files of the home that hold the word, what is not yet in its place included."""
    return {
        path.name.removesuffix("-wal")
        for path in company.home.root.rglob("*")
        if path.is_file() and word.encode() in path.read_bytes()
    }
