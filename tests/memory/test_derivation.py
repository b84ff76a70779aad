"""What a model reads in messages becomes conclusions once, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.errors import LimitReached, ModelRefusedError, ModelUnavailable, ToolRetry
from orchestrator.memory import rules
from orchestrator.memory.choosing import Choosing
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.derivation import Derivation
from orchestrator.memory.forgetting import Forgetting
from tests.memory.past import Past
from tests.memory.thinkers import Clock, ScriptedThinker

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
ME = "desk/writer"

TEA = {"quote": "I like tea", "about": "self", "kind": "preference", "fact": "person likes tea"}
HIKES = {
    "quote": "I hike with my dog",
    "about": "self",
    "kind": "attribute",
    "fact": "person hikes with a dog",
}


@pytest.fixture
def clock() -> Clock:
    return Clock(DAY)


@pytest.fixture
def derivation(past: Past, clock: Clock) -> Derivation:
    return Derivation(past.database, ME, Conclusions(past.database), clock)


def texts(past: Past, by: str = "scripted") -> list[str]:
    known = Conclusions(past.database).about()
    return sorted(each.text for each in known if each.by == by)


def a_process_that_has_ended() -> int:
    number = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(number, 0)
    return number


async def test_what_was_said_is_understood_with_its_message(
    past: Past, derivation: Derivation
) -> None:
    past.say("These days I hike with my dog.", at=DAY)
    derivation.read()
    assert derivation.status().pending == 1
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]}), flush=True) == 1
    (known,) = Conclusions(past.database).about("person", observer=ME)
    assert (known.text, known.by, known.valid_from) == (HIKES["fact"], "scripted", DAY)
    assert len(known.sources) == 1
    assert derivation.status().pending == 0


async def test_a_model_is_called_when_enough_was_said_or_it_has_waited_for_long(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    thinker = ScriptedThinker({"facts": []})
    past.say("I hike with my dog.")
    derivation.read()
    assert await derivation.think(thinker) == 0
    clock.now += timedelta(hours=12)
    assert await derivation.think(thinker) == 1
    past.say("I hike with my dog.".ljust(4 * 500, "!"))
    derivation.read()
    assert await derivation.think(thinker) == 0
    past.say("I hike with my cat.".ljust(4 * 12, "!"))
    derivation.read()
    assert await derivation.think(thinker) == 2


async def test_a_batch_is_of_one_person_and_small_for_a_small_model(
    past: Past, derivation: Derivation
) -> None:
    for number in range(8):
        past.say(f"I hike on path {number}.", peer="ann" if number % 2 else "bob")
    derivation.read()
    small = ScriptedThinker({"facts": []}, careful=False)
    assert await derivation.think(small, flush=True, batches=1) == 3
    assert small.prompts[0].count("I hike on path") == 3
    assert "path 1" not in small.prompts[0]
    large = ScriptedThinker({"facts": []})
    assert await derivation.think(large, flush=True) == 5
    assert len(large.prompts) == 2


async def test_what_is_said_of_another_is_the_speaker_s_view_of_them(
    past: Past, derivation: Derivation
) -> None:
    past.say("Hello", peer="Bob", kind="said")
    past.say("I think Bob works at Acme.")
    derivation.read()
    fact = {
        "quote": "Bob works at Acme",
        "about": "bob",
        "kind": "identity",
        "fact": "Bob works at Acme, person thinks",
    }
    await derivation.think(ScriptedThinker({"facts": [{**fact, "about": "Bob"}]}), flush=True)
    (known,) = Conclusions(past.database).about("Bob")
    assert known.observer == "person"
    assert Conclusions(past.database).about("Bob", observer=ME) == []
    assert Conclusions(past.database).about("person") == []


async def test_a_failure_is_told_and_tried_again_after_a_pause(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    thinker = ScriptedThinker(ToolRetry("the model wrote no JSON"), {"facts": [HIKES]})
    assert await derivation.think(thinker, flush=True) == 0
    assert derivation.status().error == "the model wrote no JSON"
    assert await derivation.think(thinker, flush=True) == 0
    assert len(thinker.prompts) == 1
    clock.now += timedelta(minutes=2)
    assert await derivation.think(thinker) == 1
    assert derivation.status().error == ""


async def test_a_message_that_no_answer_fits_is_given_up_until_a_person_says_so(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    broken = ScriptedThinker({"facts": "none"})
    for _ in range(7):
        await derivation.think(broken, flush=True)
        clock.now += timedelta(hours=1)
    assert len(broken.prompts) == 5
    assert (derivation.status().failed, derivation.status().pending) == (1, 0)
    assert derivation.retry() == 1
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]}), flush=True) == 1
    assert texts(past) == [HIKES["fact"]]


async def test_a_provider_that_fails_for_days_costs_no_message(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    down = ScriptedThinker(ModelUnavailable("no network"))
    for _ in range(20):
        await derivation.think(down, flush=True)
        clock.now += timedelta(hours=1)
    assert len(down.prompts) == 20
    assert derivation.status().failed == 0
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]}), flush=True) == 1


async def test_a_model_that_only_a_person_can_mend_is_told_at_once_and_costs_no_message(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    thinker = ScriptedThinker(ModelRefusedError("bad key"), {"facts": [HIKES]})
    with pytest.raises(ModelRefusedError, match="bad key"):
        await derivation.think(thinker, flush=True)
    assert await derivation.think(thinker, flush=True) == 1


async def test_a_limit_that_is_used_up_counts_as_no_attempt(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    thinker = ScriptedThinker(LimitReached("tokens", "used up"), {"facts": [HIKES]})
    assert await derivation.think(thinker, flush=True) == 0
    assert derivation.status().error == ""
    assert await derivation.think(thinker, flush=True) == 1


async def test_one_message_that_breaks_the_model_does_not_keep_the_others_back(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    past.say("I like tea.")
    past.say("I use the cursed word.")
    past.say("I hike with my dog.")
    derivation.read()

    def answer(prompt: str) -> Mapping[str, Any]:
        if "cursed" in prompt:
            raise ToolRetry("the model wrote no JSON")
        return {"facts": [TEA, HIKES]}

    for _ in range(12):
        await derivation.think(ScriptedThinker(answer), flush=True)
        clock.now += timedelta(hours=1)
    assert HIKES["fact"] in texts(past)
    assert (derivation.status().failed, derivation.status().pending) == (1, 0)


async def test_who_calls_it_off_leaves_the_batch_for_the_next(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    with pytest.raises(asyncio.CancelledError):
        await derivation.think(ScriptedThinker(asyncio.CancelledError()), flush=True)
    assert (derivation.status().working, derivation.status().pending) == (0, 1)
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]}), flush=True) == 1


async def test_a_batch_that_a_live_process_has_is_left_to_it(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    other = ScriptedThinker({"facts": [HIKES]})

    class Slow(ScriptedThinker):
        async def write(self, prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
            assert derivation.status().working == 1
            assert await derivation.think(other, flush=True) == 0
            return {"facts": [HIKES]}

    assert await derivation.think(Slow(), flush=True) == 1
    assert other.prompts == []


async def test_what_is_forgotten_while_a_model_reads_it_is_not_concluded(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()

    def forgetting(prompt: str) -> Mapping[str, Any]:
        past.database.execute("DELETE FROM messages")
        return {"facts": [HIKES]}

    assert await derivation.think(ScriptedThinker(forgetting), flush=True) == 0
    assert Conclusions(past.database).about() == []


async def test_a_forgotten_conclusion_comes_back_only_when_it_is_said_again(
    past: Past, derivation: Derivation
) -> None:
    past.say("These days I hike with my dog.", at=DAY)
    derivation.read()
    known = Conclusions(past.database)
    made = known.add(ME, "person", HIKES["fact"], by="other", at=DAY)
    assert made is not None
    chosen = Choosing(past.database, ME, known).conclusions([made])
    Forgetting(past.database, known).forget(chosen, by="operator", at=DAY + timedelta(hours=1))
    thinker = ScriptedThinker({"facts": [HIKES]})
    assert await derivation.think(thinker, flush=True) == 1
    assert texts(past) == []
    past.say("These days I hike with my dog.", at=DAY + timedelta(hours=2))
    derivation.read()
    assert await derivation.think(thinker, flush=True) == 1
    assert texts(past) == [HIKES["fact"]]


def test_what_is_superseded_counts_as_read(past: Past, derivation: Derivation) -> None:
    past.say("I live in Lyon.")
    past.say("I live in Nice.")
    past.database.execute(
        "INSERT INTO amendments SELECT min(id), NULL, ? FROM messages", DAY.isoformat()
    )
    assert derivation.status().unread == 1
    assert derivation.read() == 1
    assert derivation.status().unread == 0


async def test_who_has_spoken_is_known_by_name_in_any_case(
    past: Past, derivation: Derivation
) -> None:
    past.say("Good morning.", peer="Bob")
    past.say("My friend BOB likes tea a lot.")
    derivation.read()
    fact = {"quote": "BOB likes tea", "about": "BOB", "kind": "preference", "fact": "BOB likes tea"}
    await derivation.think(ScriptedThinker({"facts": [fact]}), flush=True)
    assert [each.observed for each in Conclusions(past.database).about()] == ["Bob"]


async def test_a_turn_reads_no_more_than_it_asks_for(past: Past, derivation: Derivation) -> None:
    for number in range(450):
        past.say(f"Line {number}.")
    assert derivation.read(200) == 200
    assert derivation.read() == 250


def test_what_is_forgotten_while_the_rules_read_is_not_concluded(
    past: Past, derivation: Derivation, monkeypatch: pytest.MonkeyPatch
) -> None:
    past.say("I live in Lyon.")
    past.say("I work at Acme.")

    read = rules.read

    def reading(text: str) -> Iterator[rules.Statement]:
        past.database.execute("DELETE FROM messages WHERE text = 'I live in Lyon.'")
        return read(text)

    monkeypatch.setattr(rules, "read", reading)
    assert derivation.read() == 1
    assert texts(past, by="rule") == ["person works at Acme"]


async def test_who_is_called_off_while_it_takes_a_batch_gives_it_back(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    with past.database.transaction():
        working = asyncio.create_task(derivation.think(ScriptedThinker({}), flush=True))
        await asyncio.sleep(0)
        working.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (derivation.status().working, derivation.status().pending) == (0, 1)


@pytest.mark.parametrize("back", [timedelta(days=400), timedelta(hours=3)])
async def test_a_clock_that_is_put_back_keeps_nothing_waiting(
    past: Past, derivation: Derivation, clock: Clock, back: timedelta
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    thinker = ScriptedThinker(ToolRetry("no"), {"facts": [HIKES]})
    await derivation.think(thinker, flush=True)
    clock.now -= back
    assert await derivation.think(thinker) == 1


async def test_a_clock_that_is_put_back_makes_a_message_old_enough(
    past: Past, derivation: Derivation, clock: Clock
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    clock.now -= timedelta(days=400)
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]})) == 1


async def test_the_lease_of_a_process_that_is_gone_is_free(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog.")
    derivation.read()
    past.database.execute(
        "UPDATE derivation SET holder = ?, held_until = ?, attempts = 1",
        a_process_that_has_ended(),
        (DAY + timedelta(minutes=5)).isoformat(),
    )
    assert await derivation.think(ScriptedThinker({"facts": [HIKES]}), flush=True) == 1


async def test_a_message_as_long_as_a_book_is_read_like_any_other(
    past: Past, derivation: Derivation
) -> None:
    past.say("I hike with my dog. " + "Lorem ipsum dolor. " * 3_500)
    past.say("I like tea a lot.")
    derivation.read()
    thinker = ScriptedThinker({"facts": [HIKES, TEA]})
    assert await derivation.think(thinker, flush=True) == 2
    assert max(map(len, thinker.prompts)) < 6_000
    assert HIKES["fact"] in texts(past)


async def test_a_credential_in_a_message_is_in_no_conclusion(
    past: Past, derivation: Derivation
) -> None:
    secret = "ghp_" + "a1B2c3D4" * 5
    past.say(f"I use the token {secret} for my builds.")
    derivation.read()
    fact = {
        "quote": "for my builds",
        "about": "self",
        "kind": "attribute",
        "fact": f"person uses the token {secret} for builds",
    }
    thinker = ScriptedThinker({"facts": [fact]})
    assert await derivation.think(thinker, flush=True) == 1
    assert secret not in thinker.prompts[0]
    assert all(secret not in each.text for each in Conclusions(past.database).about())
