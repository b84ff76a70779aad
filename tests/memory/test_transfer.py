"""A memory can be carried away and taken in, once, whole, and without what was forgotten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.memory import Conversations, ConversationSearch, EmbeddedUserModel
from orchestrator.memory.choosing import Choosing
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.corrections import Corrections
from orchestrator.memory.forgetting import Forgetting
from orchestrator.memory.transfer import Taken, export, take
from tests.memory.past import Past

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWN = "firm/counter"
GOOD = '{"session": "s", "peer": "p", "text": "first", "at": "2026-01-02T03:04:05Z"}'


def exported(database: Database, address: str = OWN) -> Sequence[str]:
    return list(export(database, address))


def taken(database: Database, lines: Sequence[str], address: str = OWN) -> Taken:
    return take(lines, "file.jsonl", database, address, Conclusions(database))


async def grow(past: Past) -> EmbeddedUserModel:
    """A memory with all that a file can hold."""
    model = EmbeddedUserModel(past.database, OWN, past.by_words())
    past.say("I live in Paris.", at=START)
    past.say("Nice! \N{GRINNING FACE} 日本", peer=OWN, at=START + timedelta(seconds=1))
    past.say("I moved to Lyon.", at=START + timedelta(days=1))
    past.say("I work at Acme.", peer="discord:7", session="other", at=START)
    past.say("a wrong word", at=START + timedelta(days=2))
    await model.work(None)
    await model.link("discord:7", "person")
    wrong = past.said.recent("talk", most=1)[0]
    store = model.conclusions_store
    Corrections(past.database, store).amend(wrong.id, "a right word", key="edit/1", at=START)
    premise = store.about("person")[0].id
    store.add(
        OWN,
        "person",
        "person likes France",
        level="deductive",
        by="m",
        at=START,
        premises=[premise],
    )
    return model


async def test_what_is_taken_in_elsewhere_makes_the_same_file(past: Past, tmp_path: Path) -> None:
    await grow(past)
    lines = exported(past.database)
    with closing(Database(tmp_path / "other.db")) as other:
        taken(other, lines, "guild/keeper")
        assert exported(other, "guild/keeper") == lines
        said = Conversations(other).recent("talk", most=9)
        assert {each.peer for each in said} == {"person", "guild/keeper"}
        model = EmbeddedUserModel(other, "guild/keeper", ConversationSearch(other))
        assert "IDENTITY: lives in Lyon" in await model.card("person")
        assert (await model.queue()).unread == 1  # the right word, said after the others were read


async def test_taking_in_twice_changes_nothing(past: Past) -> None:
    await grow(past)
    lines = exported(past.database)
    again = taken(past.database, lines)
    assert (again.messages, again.conclusions) == (0, 0)
    assert again.known > 0
    assert exported(past.database) == lines


async def test_a_newer_file_tells_what_has_ended_meanwhile(past: Past, tmp_path: Path) -> None:
    model = EmbeddedUserModel(past.database, OWN, past.by_words())
    past.say("I live in Paris.", at=START)
    past.say("I work at Acme.", at=START)
    await model.work(None)
    with closing(Database(tmp_path / "other.db")) as other:
        elsewhere = EmbeddedUserModel(other, OWN, ConversationSearch(other))
        elsewhere.conclusions_store.add(
            OWN, "person", "person lives in Bonn", by="m", at=START - timedelta(days=9)
        )
        taken(other, exported(past.database))
        assert set(await elsewhere.card("person")) == {
            "IDENTITY: lives in Paris", "IDENTITY: works at Acme"
        }  # fmt: skip
        past.say("I no longer live in Paris.", at=START + timedelta(days=3))
        past.say("I work at Globex now.", at=START + timedelta(days=3))
        await model.work(None)
        taken(other, exported(past.database))
        assert await elsewhere.card("person") == await model.card("person")
        assert set(await elsewhere.card("person")) == {
            "IDENTITY: works at Globex", "EVENT: no longer lives in Paris"
        }  # fmt: skip


async def test_a_file_cut_off_can_be_taken_in_again(past: Past, tmp_path: Path) -> None:
    await grow(past)
    lines = exported(past.database)
    with closing(Database(tmp_path / "other.db")) as other:
        for until in range(0, len(lines), 3):
            taken(other, lines[:until])
        taken(other, lines)
        assert exported(other) == lines


@pytest.mark.slow
def test_ten_thousand_messages_come_back_as_they_were(past: Past, tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "session": f"talk {number % 50}",
                "peer": f"peer {number % 7}",
                "text": f"word{number} said \N{GRINNING FACE} once",
                "at": (START + timedelta(minutes=number)).isoformat(),
            }
        )
        for number in range(10_000)
    ]
    assert taken(past.database, lines).messages == 10_000
    first = exported(past.database)
    with closing(Database(tmp_path / "other.db")) as other:
        taken(other, first)
        assert exported(other) == first
        [hit] = ConversationSearch(other).search("word4321")
        assert hit.message.at == START + timedelta(minutes=4321)


def test_a_message_needs_four_things_alone(past: Past) -> None:
    line = '{"session": "s", "peer": "anna", "text": "a walrus", "at": "2026-01-02T03:04:05+01:00"}'
    assert taken(past.database, [line, "", line]).messages == 1
    [hit] = past.by_words().search("walrus")
    assert (hit.message.peer, hit.message.session) == ("anna", "s")
    assert hit.message.at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)


def test_messages_without_a_run_belong_to_nobody_elses(past: Past) -> None:
    at = START.isoformat()
    lines = [
        json.dumps({"session": "s", "peer": peer, "text": f"{peer} speaks", "at": at})
        for peer in ("anna", "bob")
    ]
    taken(past.database, lines)
    store = Conclusions(past.database)
    choosing = Choosing(past.database, OWN, store)
    Forgetting(past.database, store).forget(choosing.person("anna"), by="operator", at=START)
    assert [each.peer for each in past.said.recent("s", most=9)] == ["bob"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "not a JSON object"),
        ('{"type": "massage"}', "'massage'"),
        ('{"type": ["x"]}', "no line of type"),
        ('{"session": "s", "peer": "p", "text": "t", "at": "yesterday"}', "at: "),
        ('{"session": "s", "peer": "p", "text": "t", "at": "2026-01-02T03:04:05"}', "at: "),
        ('{"session": "s", "pear": "p", "text": "t", "at": "2026-01-02T03:04:05Z"}', "peer: "),
        ('{"session": "s", "peer": "", "text": "t", "at": "2026-01-02T03:04:05Z"}', "peer: "),
        (f'{GOOD[:-1]}, "extra": {{"n": NaN}}}}', "NaN is no number"),
        (f'{GOOD[:-1]}, "extra": {{"n": 1e400}}}}', "not JSON"),
        (f'{GOOD[:-1]}, "kind": "brief", "extra": {{"words": 5}}}}', "'words' must be text"),
        (GOOD.replace("2026-01-02T03:04:05Z", "0001-01-01T00:00:00+14:00"), "no such time"),
        ('{"type": "retinue-memory", "format": 2}', "newer Retinue"),
        ('{"type": "relation", "conclusion": 5}', "no conclusion 5"),
        ('{"type": "link", "alias": "a", "peer": "a"}', "one name"),
        ('{"session": "s\udce9", "peer": "p", "text": "t", "at": "2026-01-02T03:04:05Z"}', "UTF-8"),
    ],
)
def test_a_broken_line_is_named_and_those_before_it_are_kept(
    past: Past, line: str, told: str
) -> None:
    with pytest.raises(PersonError, match=r"file\.jsonl, line 2: ") as refused:
        taken(past.database, [GOOD, line, GOOD])
    assert told in str(refused.value)
    assert [each.text for each in past.said.recent("s", most=9)] == ["first"]


async def test_what_was_forgotten_stays_forgotten(past: Past) -> None:
    model = await grow(past)
    lines = exported(past.database)
    store = model.conclusions_store
    choosing = Choosing(past.database, OWN, store)
    Forgetting(past.database, store).forget(
        choosing.topic("person", "I live in Paris"), by="themself", at=START
    )
    left = exported(past.database)
    assert not any("Paris" in line for line in left)
    again = taken(past.database, lines)
    assert again.forgotten >= 2
    assert exported(past.database) == left


def test_no_link_makes_a_person_of_the_member(past: Past) -> None:
    with pytest.raises(PersonError, match="line 1: 'firm/counter' is the member itself"):
        taken(past.database, [json.dumps({"type": "link", "alias": "bob", "peer": OWN})])


async def test_a_forgotten_person_is_not_linked_again(past: Past) -> None:
    model = await grow(past)
    lines = exported(past.database)
    store = model.conclusions_store
    chosen = Choosing(past.database, OWN, store).person("discord:7")
    Forgetting(past.database, store).forget(chosen, by="operator", at=START)
    taken(past.database, lines)
    assert store.peers.links() == {}
    assert store.about(history=True) == []
    assert past.said.recent("talk", most=9) == []


def test_credentials_in_a_foreign_conclusion_are_left_out(past: Past) -> None:
    secret = "sk-proj-" + "a1B2" * 12
    line = {
        "type": "conclusion",
        "observer": None,
        "observed": "anna",
        "level": "explicit",
        "kind": "attribute",
        "text": f"anna's key for the shop is {secret}",
        "by": "rule",
        "valid_from": START.isoformat(),
        "last_said": START.isoformat(),
    }
    taken(past.database, [json.dumps(line)])
    [kept] = Conclusions(past.database).about("anna")
    assert secret not in kept.text


def test_others_go_on_writing_while_a_memory_is_carried_away(past: Past) -> None:
    past.say("before")
    lines = export(past.database, OWN)
    first = next(lines)
    with closing(Database(past.database.path)) as another:
        Conversations(another).append(
            "talk", run="r", key="k", peer="person", kind="said", text="meanwhile", tokens=1
        )
    file = "\n".join([first, *lines])
    assert "before" in file
    assert "meanwhile" not in file
    assert "meanwhile" in "\n".join(exported(past.database))
