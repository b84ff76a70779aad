"""What is chosen to be forgotten, and what stands in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.database import Schema
from orchestrator.errors import NotFoundError, PersonError
from orchestrator.memory import EmbeddedUserModel
from orchestrator.memory.choosing import Choosing, Chosen
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.corrections import Corrections
from orchestrator.memory.forgetting import SCHEMA, Forgetting
from tests.memory.past import Past

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OWN = "firm/counter"


def choosing(past: Past) -> Choosing:
    return Choosing(past.database, OWN, Conclusions(past.database))


def forgetting(past: Past) -> Forgetting:
    return Forgetting(past.database, Conclusions(past.database))


def forget(past: Past, chosen: Chosen) -> None:
    forgetting(past).forget(chosen, by="operator", at=NOW)


def left(past: Past) -> list[str]:
    return [row["text"] for row in past.database.all("SELECT text FROM messages ORDER BY id")]


def test_what_others_say_in_the_same_room_stays(past: Past) -> None:
    past.say("hello", peer="anna", run="1")
    past.say("hello anna", peer=OWN, run="1")
    past.say("hi all", peer="bob", run="2")
    past.say("hi bob", peer=OWN, run="2")
    forget(past, choosing(past).person("anna"))
    assert left(past) == ["hi all", "hi bob"]


def test_a_conversation_with_nobody_else_goes_whole(past: Past) -> None:
    past.say("hello", peer="anna", run="1")
    past.say("hello anna", peer=OWN, run="2")  # carried over from elsewhere, without runs
    past.say("thanks", kind="tool", peer="web", run="2")
    past.say("bye", peer="bob", session="other", run="3")
    forget(past, choosing(past).person("anna"))
    assert left(past) == ["bye"]


def test_work_done_for_a_person_goes_with_them(past: Past) -> None:
    for person, run in (("anna", "1"), ("bob", "2")):
        past.said.append(
            "s",
            run=run,
            key="counter#1/brief",
            peer="firm/supervisor",
            kind="brief",
            text=f"count for {person}",
            tokens=3,
            extra={"person": person},
        )
        past.say(f"three for {person}", kind="result", peer=OWN, run=run, session="s")
    forget(past, choosing(past).person("anna"))
    assert left(past) == ["count for bob", "three for bob"]


def test_who_began_a_run_is_known_when_their_words_are_forgotten(past: Past) -> None:
    past.say("my cello is old", peer="anna", run="1")
    past.say("wrote note.md", kind="tool", peer="write", run="1")
    past.say("and where is it?", peer="bob", run="2")
    forget(past, choosing(past).messages([1]))
    chosen = choosing(past).person("anna")
    assert (chosen.messages, chosen.runs) == ({2}, {"1"})
    forget(past, chosen)
    assert left(past) == ["and where is it?"]
    assert not choosing(past).person("anna")


def test_a_conversation_with_nobody_else_is_known_when_their_words_are_forgotten(
    past: Past,
) -> None:
    past.say("hello", peer="anna", run="1")
    past.say("hello anna", peer=OWN, run="2")  # carried over from elsewhere, without runs
    forget(past, choosing(past).messages([1]))
    forget(past, choosing(past).person("anna"))
    assert left(past) == []


def test_a_conversation_stays_that_of_others_whose_words_are_forgotten(past: Past) -> None:
    past.say("hello", peer="anna", run="1")
    past.say("hi all", peer="bob", run="2")
    past.say("hi bob", peer=OWN, run="3")
    forget(past, choosing(past).messages([2]))
    forget(past, choosing(past).person("anna"))
    assert left(past) == ["hi bob"]


def test_a_verdict_on_a_run_does_not_make_it_ones_own(past: Past) -> None:
    past.say("hi all", peer="bob", run="1")
    past.said.append(
        "talk", run="1", key="verdict/1", peer="anna", kind="said", text="(good)", tokens=1
    )
    chosen = choosing(past).person("anna")
    assert chosen.runs == frozenset()
    forget(past, chosen)
    assert left(past) == ["hi all"]


def test_all_names_of_a_person_are_meant(past: Past) -> None:
    store = Conclusions(past.database)
    store.link("discord:7", "anna")
    past.say("one", peer="anna", run="1")
    past.say("two", peer="discord:7", run="2", session="other")
    forget(past, choosing(past).person("discord:7"))
    assert left(past) == []
    assert store.peers.links() == {}


def test_earlier_and_later_words_of_a_message_go_with_it(past: Past) -> None:
    past.say("I live in Paris", peer="anna", run="1")
    made = Corrections(past.database, Conclusions(past.database))
    made.amend(1, "I live in Lyon", key="edit", run="1")
    assert choosing(past).messages([1]).messages == {1, 2}
    assert choosing(past).messages([2]).messages == {1, 2}
    assert choosing(past).topic("anna", "Paris").messages == {1, 2}


def test_a_topic_takes_what_others_said_of_it_along_only_in_answers(past: Past) -> None:
    past.say("my cello is old", peer="anna", run="1")
    past.say("how old is the cello?", peer=OWN, run="1")
    past.say("my cello is old", peer="bob", run="2")
    past.say("my lease is old", peer="anna", run="3")
    forget(past, choosing(past).topic("anna", "my old cello"))
    assert left(past) == ["my cello is old", "my lease is old"]


def call(past: Past, run: str, key: str, **arguments: object) -> None:
    past.said.append(
        "talk",
        run=run,
        key=key,
        peer="write",
        kind="tool",
        text="written",
        tokens=1,
        extra={"call": "c1", "arguments": arguments},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"content": "The CELLO is old"},
        {"content": "a\\nCello"},
        {"path": "my_cello.md"},
        {"path": "theCello.md"},
        {"rows": [{"what": ["two cellos"]}]},
        {"values": {"cello": 3}},
        {"content": "Çello"},
    ],
)
def test_a_topic_takes_along_the_calls_of_tools_that_name_it(
    past: Past, arguments: dict[str, object]
) -> None:
    past.say("my cello is old", peer="anna", run="1")
    call(past, "1", "1", **arguments)
    call(past, "1", "2", content="the lease")
    call(past, "2", "3", content="my cello is old")  # of somebody else
    forget(past, choosing(past).topic("anna", "my old cello"))
    rows = past.database.all("SELECT key FROM messages ORDER BY id")
    assert [row["key"] for row in rows] == ["2", "3"]


def test_a_call_of_a_tool_that_says_it_all_is_of_the_topic(past: Past) -> None:
    past.say("write down what I play", peer="anna", run="1")
    call(past, "1", "1", content="plays an old cello")
    assert choosing(past).topic("anna", "my old cello").messages == {2}


@pytest.mark.parametrize("topic", ["what I play about content", "the arguments of C++", "my art"])
def test_a_topic_does_not_take_along_calls_for_how_tools_are_called(past: Past, topic: str) -> None:
    past.say(topic, peer="anna", run="1")
    call(past, "1", "1", content="the cello, and its artist")
    assert choosing(past).topic("anna", topic).messages == {1}


def test_the_words_of_a_person_go_with_a_topic_from_the_brief_they_are_in(past: Past) -> None:
    past.say("my cello is old", peer="anna", run="1")
    for run, words in (("1", "my cello is old"), ("2", "my cello is new")):
        past.said.append(
            "talk",
            run=run,
            key="counter#1/brief",
            peer="firm/supervisor",
            kind="brief",
            text="look it up",
            tokens=3,
            extra={"person": "anna", "words": words},
        )
    assert choosing(past).topic("anna", "my old cello").messages == {1, 2}


def test_a_topic_in_a_script_without_spaces_is_found(past: Past) -> None:
    past.say("私は東京に住んでいます", peer="anna", run="1")
    past.say("私は猫が好きです", peer="anna", run="2")
    forget(past, choosing(past).topic("anna", "東京"))
    assert left(past) == ["私は猫が好きです"]


async def test_what_rests_on_other_words_too_stays(past: Past) -> None:
    model = EmbeddedUserModel(past.database, OWN, past.by_words())
    past.say("I work at Acme.", peer="anna", run="1")
    past.say("I work at Acme.", peer="anna", run="2", session="other")
    await model.work(None)
    forget(past, choosing(past).messages([1]))
    [kept] = await model.conclusions("anna")
    assert kept.sources == (2,)
    forget(past, choosing(past).messages([2]))
    assert await model.conclusions("anna", history=True) == []


async def test_a_message_with_a_forgotten_ones_number_is_read(past: Past) -> None:
    model = EmbeddedUserModel(past.database, OWN, past.by_words())
    for number in range(3):
        past.say(f"I like film{number}.", peer="anna", run=str(number))
    await model.work(None)
    forget(past, choosing(past).messages([2, 3]))
    past.say("I work at Acme.", peer="bob", run="9")
    await model.work(None)
    assert [each.text for each in await model.conclusions("bob")] == ["bob works at Acme"]


def test_a_vector_of_a_forgotten_message_is_not_that_of_its_successor(past: Past) -> None:
    past.say("the cello is old", peer="anna", run="1")
    search = past.search()
    search.search("music")
    forget(past, choosing(past).messages([1]))
    past.say("the fridge is cold", peer="bob", run="2")
    search.embed_missing()
    [hit] = search.search("freezer")
    assert hit.message.id == 1
    assert (hit.vector or 0) > 0.9


@pytest.mark.parametrize("choose", ["messages", "conclusions"])
def test_a_number_that_leads_nowhere_is_named(past: Past, choose: str) -> None:
    past.say("one")
    for number in (99, 10**22):
        with pytest.raises(NotFoundError, match=rf"'{number}'.*--json"):
            getattr(choosing(past), choose)([1, number] if choose == "messages" else [number])
    assert left(past) == ["one"]


def test_a_name_that_is_no_unicode_is_nobody_and_no_session(past: Past) -> None:
    past.say("one", peer="ann")
    assert not choosing(past).person("ann\udcff")
    with pytest.raises(NotFoundError):
        choosing(past).session("s\udcff")


def test_what_is_older_goes_and_its_conclusions_stay(past: Past) -> None:
    store = Conclusions(past.database)
    past.say("I live in Paris", peer="anna", run="1", at=NOW - timedelta(days=40))
    store.add(OWN, "anna", "anna lives in Paris", by="rule", at=NOW, sources=[1])
    past.say("hello", peer="anna", run="2", at=NOW - timedelta(days=20))
    forget(past, choosing(past).older(NOW - timedelta(days=30), NOW))
    assert left(past) == ["hello"]
    assert [each.text for each in store.about("anna")] == ["anna lives in Paris"]


def test_a_message_from_a_clock_that_was_wrong_is_not_taken_for_old(past: Past) -> None:
    past.say("old", run="1", at=NOW - timedelta(days=40))
    past.say("fresh", run="2", at=NOW - timedelta(days=1))
    past.say("said with the clock at 1970", run="3", at=datetime(1970, 1, 1, tzinfo=UTC))
    forget(past, choosing(past).older(NOW - timedelta(days=30), NOW))
    assert left(past) == ["fresh", "said with the clock at 1970"]


def test_a_message_from_the_future_keeps_no_other(past: Past) -> None:
    past.say("said with the clock at 2099", run="1", at=datetime(2099, 1, 1, tzinfo=UTC))
    past.say("old", run="2", at=NOW - timedelta(days=40))
    forget(past, choosing(past).older(NOW - timedelta(days=30), NOW))
    assert left(past) == ["said with the clock at 2099"]


def test_a_clock_put_back_deletes_nothing(past: Past) -> None:
    past.say("hello", run="1", at=NOW)
    back = NOW - timedelta(days=400)
    assert not choosing(past).older(back - timedelta(days=30), back)


def test_retention_is_due_once_a_day_also_with_the_clock_put_back(past: Past) -> None:
    keeps = forgetting(past)
    assert keeps.is_due(NOW)
    assert keeps.is_due(NOW)
    keeps.looked(NOW)
    assert not keeps.is_due(NOW + timedelta(hours=23))
    assert keeps.is_due(NOW + timedelta(hours=25))
    keeps.looked(NOW + timedelta(hours=25))
    back = NOW - timedelta(days=100)
    assert not keeps.is_due(back)
    assert keeps.is_due(back + timedelta(hours=25))


def test_a_tombstone_holds_numbers_and_neither_words_nor_names(past: Past) -> None:
    for number in range(300):
        past.say(f"I live in Quaxville, number {number}", peer="anna", run=str(number))
    forget(past, choosing(past).person("anna"))
    [stone] = forgetting(past).pending()
    assert stone.counts == {"messages": 300, "conclusions": 0, "runs": 300}
    assert forgetting(past).scrub()
    forgetting(past).scrubbed([stone.id], NOW)
    stored = past.database.path.read_bytes()
    assert b"Quaxville" not in stored
    assert b"anna" not in stored
    assert forgetting(past).pending() == []
    assert [each.scrubbed for each in forgetting(past).tombstones()] == [NOW]


def test_a_choice_is_forgotten_whole_or_not_at_all(past: Past) -> None:
    past.say("one", run="1")
    past.say("two", run="2")
    past.database.execute(
        "CREATE TRIGGER broken BEFORE DELETE ON messages WHEN old.id = 1 "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(Exception, match="no"):
        forget(past, choosing(past).messages([1, 2]))
    assert left(past) == ["one", "two"]
    assert forgetting(past).tombstones() == []


def test_what_was_looked_up_for_somebody_else_goes_too(past: Past) -> None:
    past.say("my locker is behind the mill", peer="anna", run="1", session="one")
    past.say("where is that locker?", peer="bob", run="2", session="two")
    past.say("> anna: my locker is behind the mill", kind="tool", peer="recall", run="2")
    past.say("ls", kind="tool", peer="shell", run="2", session="two")
    forget(past, choosing(past).person("anna"))
    assert left(past) == ["where is that locker?", "ls"]
    assert not choosing(past).person("anna").runs


def test_what_was_drawn_from_something_forgotten_does_not_come_back(past: Past) -> None:
    store = Conclusions(past.database)
    home = store.add(OWN, "anna", "anna lives in Lyon", by="m", at=NOW)
    assert home is not None
    store.add(OWN, "anna", "anna votes in Lyon", level="deductive", by="m", at=NOW, premises=[home])
    forget(past, choosing(past).conclusions([home]))
    assert forgetting(past).is_forgotten_conclusion("anna", "anna votes in Lyon")


def test_a_clock_far_ahead_deletes_nothing_before_a_day_has_passed(past: Past) -> None:
    keeps = forgetting(past)
    keeps.looked(NOW)
    ahead = NOW + timedelta(days=400)
    assert not keeps.is_due(ahead)
    assert not keeps.is_due(NOW)
    keeps.looked(ahead)
    assert keeps.is_due(ahead + timedelta(days=1))


def test_the_profile_itself_is_no_person_to_be_forgotten(past: Past) -> None:
    with pytest.raises(PersonError, match="is no person"):
        choosing(past).person(OWN)


def test_tombstones_of_the_first_version_are_read(past: Past) -> None:
    past.database.migrate(Schema("forgetting", SCHEMA.steps[:1]))
    past.database.execute(
        "INSERT INTO tombstones (at, span, by, counts, runs, whole) "
        "VALUES ('2026-01-01T00:00:00+00:00', 'topic', 'operator', '{}', '[]', 0)"
    )
    [stone] = forgetting(past).tombstones()
    assert stone.span == "topic"
    assert forgetting(past).done("an order") is None


def test_that_somebody_is_not_observed_is_forgotten_with_them(past: Past) -> None:
    peers = Conclusions(past.database).peers
    past.say("hello", peer="anna")
    peers.observe("anna", on=False)
    peers.observe("bob", on=False)
    forget(past, choosing(past).person("anna"))
    assert peers.unobserved() == ["bob"]
