"""What was said is changed and taken back as new facts: history keeps it, nothing else shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.memory import EmbeddedUserModel
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import Message
from orchestrator.memory.corrections import Corrections
from tests.memory.past import Past

LATER = datetime(2027, 1, 2, tzinfo=UTC)


def corrections(past: Past) -> Corrections:
    return Corrections(past.database, Conclusions(past.database))


def said(past: Past) -> Sequence[Message]:
    return past.said.of_run("run")


def test_a_changed_message_is_found_in_its_new_words_alone(past: Past) -> None:
    past.say("the walrus sings in the cello")
    [old] = said(past)
    new = corrections(past).amend(old.id, "the tapir sings", key="edit/1", at=LATER)
    search = past.search()
    assert past.by_words().search("walrus") == []
    [hit] = search.search("walrus tapir")
    assert (hit.message.id, hit.message.peer, hit.message.at) == (new, "person", LATER)
    assert [each.text for each in past.said.recent("talk", most=9)] == ["the tapir sings"]
    assert search.index.missing() == 0
    assert len(search.index) == 1


def test_history_shows_what_was_changed_and_by_what(past: Past) -> None:
    past.say("first words")
    [old] = said(past)
    new = corrections(past).amend(old.id, "second words", key="edit/1", at=LATER)
    assert [each.text for each in said(past)] == ["first words", "second words"]
    assert past.said.amendments([old.id, new])[old.id].by == new
    assert new not in past.said.amendments([old.id, new])


def test_a_message_taken_back_is_no_neighbour(past: Past) -> None:
    for text in ("one", "two walrus", "three"):
        past.say(text)
    first, second, third = said(past)
    corrections(past).retract(second.id)
    assert past.said.around(first) == ([], [third])
    assert past.said.before(third) == first
    found = past.search().search("walrus")
    assert {hit.message.id for hit in found} == {first.id, third.id}


def test_what_a_tool_gave_back_can_be_taken_back(past: Past) -> None:
    past.say("walrus", kind="tool")
    [tool] = said(past)
    corrections(past).retract(tool.id)
    assert past.by_words().search("walrus", tools=True) == []


def test_a_message_is_changed_once(past: Past) -> None:
    past.say("words")
    [old] = said(past)
    corrections(past).amend(old.id, "new words", key="edit/1")
    with pytest.raises(PersonError, match="already"):
        corrections(past).amend(old.id, "newer words", key="edit/2")
    with pytest.raises(PersonError, match="already"):
        corrections(past).retract(old.id)
    with pytest.raises(NotFoundError, match="memory search"):
        corrections(past).retract(99)


def test_a_change_is_written_down_under_a_key_of_its_own(past: Past) -> None:
    past.say("words")
    past.say("others")
    first, second = said(past)
    with pytest.raises(PersonError, match="new key"):
        corrections(past).amend(first.id, "new words", key=second.key)
    assert past.said.amendments([first.id]) == {}


async def test_what_rests_on_it_alone_holds_no_more(past: Past) -> None:
    model = EmbeddedUserModel(past.database, "firm/counter", past.by_words())
    past.say("I live in Paris.")
    past.say("I work at Acme.")
    past.say("I work at Acme.", session="other")
    await model.work(None)
    paris, acme, again = said(past)
    made = Corrections(past.database, model.conclusions_store)
    made.retract(paris.id, at=LATER)
    made.retract(acme.id, at=LATER)
    left = [each.text for each in await model.conclusions("person")]
    assert left == ["person works at Acme"]
    made.retract(again.id, at=LATER)
    assert await model.conclusions("person") == []
    ended = await model.conclusions("person", history=True)
    assert {each.invalidated_at for each in ended} == {LATER}


async def test_a_message_changed_before_it_was_read_is_read_in_its_new_words(past: Past) -> None:
    model = EmbeddedUserModel(past.database, "firm/counter", past.by_words())
    past.say("I live in Paris.")
    [old] = said(past)
    made = Corrections(past.database, model.conclusions_store)
    made.amend(old.id, "I live in Lyon.", key="edit/1")
    await model.work(None)
    found = await model.conclusions("person", history=True)
    assert [each.text for each in found] == ["person lives in Lyon"]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["say", "tool", "amend", "retract", "delete", "embed", "rebuild"]),
        st.integers(0, 5),
    ),
    max_size=14,
)


@given(ACTIONS)
@settings(max_examples=60, deadline=None)
def test_the_index_is_right_whatever_is_changed_and_deleted(
    actions: Sequence[tuple[str, int]],
) -> None:
    with TemporaryDirectory() as folder:
        past = Past(Path(folder))
        made = corrections(past)
        for number, (action, which) in enumerate(actions):
            ids = [each.id for each in said(past)]
            gone = past.said.amendments(ids)
            standing = [each for each in ids if each not in gone]
            match action:
                case "say" | "tool":
                    past.say(f"word{number} common", kind="said" if action == "say" else "tool")
                case "amend" if standing:
                    one = standing[which % len(standing)]
                    made.amend(one, f"word{number} common", key=f"edit/{number}")
                case "retract" if standing:
                    made.retract(standing[which % len(standing)])
                case "delete" if ids:
                    past.database.execute(
                        "DELETE FROM messages WHERE id = ?", ids[which % len(ids)]
                    )
                case "embed":
                    past.search()
                case "rebuild":
                    past.by_words().index.rebuild()
                case _:
                    pass
        search = past.search()
        ids = [each.id for each in said(past)]
        gone = past.said.amendments(ids)
        found = {hit.message.id for hit in search.search("common", most=99, tools=True)}
        assert found == {each for each in ids if each not in gone}
        for table in ("message_words", "tool_words"):
            past.database.execute(
                f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)"
            )
        assert search.index.missing() == 0
        past.database.close()
