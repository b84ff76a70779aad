"""Going over the conclusions keeps what follows from them, in one step, and nothing else."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.database import Database
from orchestrator.errors import ModelUnavailable
from orchestrator.memory.choosing import Choosing
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.dreams import dream, forget
from orchestrator.memory.forgetting import Forgetting
from orchestrator.memory.proposals import carry_out
from orchestrator.memory.user_model import DreamReport
from tests.memory.past import Past, by_topic
from tests.memory.thinkers import Clock, ScriptedThinker

ME = "desk/writer"
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING: Mapping[str, Any] = {
    "updates": [],
    "contradictions": [],
    "deductions": [],
    "inductions": [],
}
WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(["orchestrator.memory"])


class Mind:
    """What one profile believes, and a clock for its dreams."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.known = Conclusions(past.database)
        self.clock = Clock(DAY)

    def believe(
        self, text: str, *, days: int = 0, observed: str = "ann", observer: str = ME
    ) -> int:
        """A conclusion from a message of its own."""
        at = DAY + timedelta(days=days)
        self.past.say(text, peer=observed, at=at)
        row = self.past.database.one("SELECT max(id) AS id FROM messages")
        assert row is not None
        made = self.known.add(observer, observed, text, by="rule", at=at, sources=[row["id"]])
        assert made is not None
        return made

    async def dream(self, *answers: Any, force: bool = True) -> DreamReport:
        thinker = ScriptedThinker(*answers)
        return await dream(self.past.database, ME, self.known, thinker, force=force, now=self.clock)

    def texts(self, level: str) -> list[str]:
        return [each.text for each in self.known.about() if each.level == level]


@pytest.fixture
def mind(past: Past) -> Mind:
    return Mind(past)


async def test_without_a_model_it_says_so(mind: Mind) -> None:
    mind.believe("ann likes tea")
    report = await dream(mind.past.database, ME, mind.known, None, force=True)
    assert report == DreamReport("skipped", "no model")


async def test_a_model_that_only_reads_is_not_asked(mind: Mind) -> None:
    mind.believe("ann likes tea")
    small = ScriptedThinker(NOTHING, careful=False)
    report = await dream(mind.past.database, ME, mind.known, small, force=True)
    assert report == DreamReport("skipped", "the model is not trusted with it")
    assert small.prompts == []


async def test_a_fallback_that_only_reads_is_not_believed(mind: Mind) -> None:
    old = mind.believe("ann lives in Paris")
    new = mind.believe("ann has moved to Lyon", days=1)
    thinker = ScriptedThinker()

    async def write(prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        thinker.careful = False
        return {**NOTHING, "updates": [{"old": old, "new": new}]}

    thinker.write = write
    report = await dream(mind.past.database, ME, mind.known, thinker, force=True)
    assert report.state == "failed"
    assert len(mind.known.about("ann")) == 2


async def test_it_begins_with_fifty_new_conclusions_and_rests_for_eight_hours(mind: Mind) -> None:
    for number in range(49):
        mind.believe(f"ann likes song {number}")
    assert (await mind.dream(NOTHING, force=False)).state == "skipped"
    mind.believe("ann likes tea")
    assert (await mind.dream(NOTHING, force=False)).state == "done"
    for number in range(50):
        mind.believe(f"ann likes book {number}")
    mind.clock.now += timedelta(hours=7)
    assert (await mind.dream(NOTHING, force=False)).state == "skipped"
    mind.clock.now += timedelta(hours=1)
    assert (await mind.dream(NOTHING, force=False)).state == "done"
    assert (await mind.dream(NOTHING, force=False)).why == "too little is new"


async def test_what_was_gone_over_is_shown_again_only_beside_what_is_near_to_it(
    mind: Mind,
) -> None:
    mind.believe("ann plays the cello")
    mind.believe("ann pays her rent late")
    await mind.dream(NOTHING)
    mind.believe("ann has sold a cello")
    thinker = ScriptedThinker(NOTHING)
    await dream(mind.past.database, ME, mind.known, thinker, force=True)
    older, _, newer = thinker.prompts[0].partition("New statements:")
    assert "plays the cello" in older
    assert "rent" not in older
    assert "sold a cello" in newer
    assert "plays the cello" not in newer


async def test_what_says_the_same_is_joined_first(past: Past) -> None:
    mind = Mind(past)
    mind.known = Conclusions(past.database, by_topic)
    mind.believe("ann plays the cello")
    mind.believe("ann does play the cello", days=1)
    assert (await mind.dream(NOTHING)).merged == 1
    (kept,) = mind.known.about("ann")
    assert kept.times == 2


async def test_a_later_statement_takes_an_earlier_one_s_place_with_a_date(mind: Mind) -> None:
    old = mind.believe("ann lives in Paris")
    new = mind.believe("ann has moved to Lyon", days=30)
    report = await mind.dream({**NOTHING, "updates": [{"old": old, "new": new}]})
    assert (report.state, report.updated) == ("done", 1)
    assert [each.text for each in mind.known.about("ann")] == ["ann has moved to Lyon"]
    past = mind.known.get([old])[old]
    assert (past.invalidated_at, past.replaced_by) == (DAY + timedelta(days=30), new)


async def test_an_earlier_statement_takes_no_place(mind: Mind) -> None:
    old = mind.believe("ann lives in Paris", days=30)
    new = mind.believe("ann has moved to Lyon", days=30)
    newer = mind.believe("ann was in Rome", days=29)
    updates = [{"old": old, "new": new}, {"old": old, "new": newer}, {"old": old, "new": old}]
    assert (await mind.dream({**NOTHING, "updates": updates})).updated == 0


async def test_what_cannot_both_be_is_written_down_and_both_stay(mind: Mind) -> None:
    one = mind.believe("ann eats no meat")
    other = mind.believe("ann cooked a steak for herself", days=2)
    given = {**NOTHING, "contradictions": [{"a": other, "b": one, "why": "steak is meat"}]}
    assert (await mind.dream(given)).contradicted == 1
    assert mind.texts("contradiction") == [
        "ann eats no meat (2026-03-01), but also: ann cooked a steak for herself (2026-03-03)"
    ]
    assert len(mind.texts("explicit")) == 2


async def test_what_follows_is_kept_with_what_it_follows_from(mind: Mind) -> None:
    one = mind.believe("ann is allergic to nuts")
    two = mind.believe("ann gets marzipan from Bob, which is made of nuts", days=1)
    given = {
        **NOTHING,
        "deductions": [{"text": "ann cannot eat the marzipan from Bob", "premises": [one, two]}],
    }
    assert (await mind.dream(given)).deduced == 1
    (drawn,) = [each for each in mind.known.about("ann") if each.level == "deductive"]
    assert (drawn.premises, drawn.by) == ((one, two), "scripted")
    assert drawn.valid_from == DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("premises", "kind"), [([0], "behaviour"), ([0, 1], "behaviour"), ([0, 2], "fate")]
)
async def test_a_pattern_needs_two_messages_and_a_kind(
    mind: Mind, premises: list[int], kind: str
) -> None:
    one = mind.believe("ann came late on Monday")
    (message,) = mind.known.get([one])[one].sources
    same = mind.known.add(ME, "ann", "ann came late again", by="x", at=DAY, sources=[message])
    other = mind.believe("ann came late on Friday", days=1)
    ids = [(one, same, other)[place] for place in premises]
    given = {"text": "ann often comes late", "premises": ids, "pattern": kind}
    assert (await mind.dream({**NOTHING, "inductions": [given]})).induced == 0


async def test_a_pattern_in_two_messages_is_kept(mind: Mind) -> None:
    one = mind.believe("ann came late on Monday")
    two = mind.believe("ann came late on Friday", days=1)
    given = {"text": "ann often comes late", "premises": [one, two], "pattern": "behaviour"}
    assert (await mind.dream({**NOTHING, "inductions": [given]})).induced == 1
    assert mind.texts("inductive") == ["ann often comes late"]


@pytest.mark.parametrize(
    "text",
    [
        "ann has 3 cats",
        "ann has three cats",
        "ann has a cat from Rome",
        "Bob likes the cat of ann",
        "ann likes music",
        "ann has a cat",
        "ann 2",
        "",
        None,
        ["ann has a black cat"],
    ],
)
async def test_a_deduction_that_says_more_or_nothing_new_is_dropped(mind: Mind, text: Any) -> None:
    one = mind.believe("ann has a cat")
    given = {**NOTHING, "deductions": [{"text": text, "premises": [one]}]}
    assert (await mind.dream(given)).deduced == 0


async def test_only_what_was_shown_of_this_peer_to_this_observer_is_a_premise(mind: Mind) -> None:
    own = mind.believe("ann has a cat")
    of_bob = mind.believe("bob has a cat", observed="bob")
    told = mind.believe("ann has a cat that bites", observer="bob")
    past = mind.believe("ann has a kitten")
    mind.known.invalidate([past], DAY)
    odd: list[Any] = [of_bob, told, past, 9_999, -1, True, None, str(own), 1.0]
    given = [{"text": "ann keeps a cat", "premises": [own, each]} for each in odd]
    thinker = ScriptedThinker({**NOTHING, "deductions": given[:5]}, NOTHING)
    report = await dream(mind.past.database, ME, mind.known, thinker, force=True)
    assert report.deduced == 0
    mind.believe("ann has a cat that sleeps")
    assert (await mind.dream({**NOTHING, "deductions": given[5:]})).deduced == 0
    pair = [{"old": own, "new": of_bob}, {"old": told, "new": own}]
    mind.believe("ann has a cat that eats")
    assert (await mind.dream({**NOTHING, "updates": pair})).updated == 0


async def test_what_another_has_said_of_a_peer_is_no_premise_even_where_it_was_shown(
    mind: Mind,
) -> None:
    own = mind.believe("ann has a cat")
    told = mind.believe("ann has a cat that bites", observer="bob")
    given = [
        {"text": "ann keeps a cat", "premises": [own, told]},
        {"text": "ann keeps the cat", "premises": [own]},
    ]
    came = carry_out({"deductions": given}, [own, told], ME, "ann", mind.known, "x")
    assert (came.deduced, mind.texts("deductive")) == (1, ["ann keeps the cat"])


@pytest.mark.parametrize(
    "answer", [{}, {"updates": "all"}, ModelUnavailable("no network"), {"deductions": {"a": 1}}]
)
async def test_a_model_that_fails_is_asked_again_later(mind: Mind, answer: Any) -> None:
    for number in range(50):
        mind.believe(f"ann likes song {number}")
    failed = await mind.dream(answer, force=False)
    assert failed.state == "failed"
    assert failed.why
    assert (await mind.dream(NOTHING, force=False)).state == "skipped"
    mind.clock.now += timedelta(hours=1)
    assert (await mind.dream(NOTHING, force=False)).state == "done"


async def test_a_clock_that_is_put_back_delays_nothing(mind: Mind) -> None:
    for number in range(50):
        mind.believe(f"ann likes song {number}")
    await mind.dream(NOTHING, force=False)
    for number in range(50):
        mind.believe(f"ann likes book {number}")
    mind.clock.now -= timedelta(days=365)
    assert (await mind.dream(NOTHING, force=False)).state == "done"


async def test_what_nonsense_is_among_the_proposals_is_dropped(mind: Mind) -> None:
    old = mind.believe("ann lives in Paris")
    new = mind.believe("ann has moved to Lyon", days=1)
    updates: list[Any] = [None, 3, "x", {}, {"old": [old], "new": {}}, {"old": old, "new": new}]
    odd = {"updates": updates, "contradictions": None, "deductions": [{"premises": "all"}]}
    report = await mind.dream({**odd, "inductions": [{"text": "ann moves", "premises": [[old]]}]})
    assert (report.state, report.updated) == ("done", 1)


async def test_a_credential_gets_into_no_deduction(mind: Mind) -> None:
    one = mind.believe("ann has a key")
    secret = "sk-proj-" + "a1B2" * 8
    given = [{"text": f"ann has the key {secret}", "premises": [one]}]
    await mind.dream({**NOTHING, "deductions": given})
    assert all(secret not in each.text for each in mind.known.about())


async def test_forgotten_peers_leave_no_trace_of_their_dreams(mind: Mind) -> None:
    mind.believe("ann likes tea")
    await mind.dream(NOTHING)
    forget(mind.past.database, ["ann"])
    assert mind.past.database.all("SELECT * FROM dreams") == []


async def test_a_forgotten_deduction_is_not_drawn_again(mind: Mind) -> None:
    mind.believe("ann lives in Lyon")
    new = mind.believe("ann works at Acme in Lyon")
    answer = {**NOTHING, "deductions": [{"text": "ann works where Lyon is", "premises": [new]}]}
    await mind.dream(answer)
    (drawn,) = [each.id for each in mind.known.about() if each.level == "deductive"]
    forgetting = Forgetting(mind.past.database, mind.known)
    chosen = Choosing(mind.past.database, ME, mind.known).conclusions([drawn])
    forgetting.forget(chosen, by="operator", at=DAY)
    mind.believe("ann works in Lyon, at Acme")
    report = await dream(
        mind.past.database,
        ME,
        mind.known,
        ScriptedThinker(answer),
        force=True,
        is_forgotten=forgetting.is_forgotten_conclusion,
    )
    assert (report.state, report.deduced) == ("done", 0)
    assert mind.texts("deductive") == []


async def test_nothing_that_was_said_is_passed_over(mind: Mind) -> None:
    with mind.past.database.transaction():
        for number in range(650):
            mind.known.add(ME, "ann", f"ann likes song {number}", by="rule", at=DAY)
    thinker = ScriptedThinker(NOTHING)
    while (await dream(mind.past.database, ME, mind.known, thinker, force=True)).state == "done":
        pass
    shown = "\n".join(prompt.partition("New statements:")[2] for prompt in thinker.prompts)
    assert [shown.count(f'likes song {number}"') for number in range(650)] == [1] * 650


async def test_what_was_said_under_another_name_is_gone_over_once_it_is_linked(mind: Mind) -> None:
    mind.believe("@ann owns a violin", observed="@ann")
    for number in range(50):
        mind.believe(f"ann likes song {number}")
    assert (await mind.dream(NOTHING, force=False)).state == "done"
    mind.known.link("@ann", "ann")
    thinker = ScriptedThinker(NOTHING)
    await dream(mind.past.database, ME, mind.known, thinker, force=True)
    newer = thinker.prompts[0].partition("New statements:")[2]
    assert "violin" in newer
    assert "song" not in newer


def dream_and_die(folder: Path, old: int, new: int, *, asked: bool) -> None:
    """Be killed when the model is asked, or when half of its answer is in the transaction."""
    database = Database(folder / "memory.db")
    known = Conclusions(database)
    add = known.add

    def adding(*values: Any, **named: Any) -> int | None:
        add(*values, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    known.add = adding

    def answer(prompt: str) -> Mapping[str, Any]:
        if asked:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer_about(old, new)

    asyncio.run(dream(database, ME, known, ScriptedThinker(answer), force=True))


def answer_about(old: int, new: int) -> Mapping[str, Any]:
    deduction = {"text": "ann has left where ann was", "premises": [new]}
    return {**NOTHING, "updates": [{"old": old, "new": new}], "deductions": [deduction]}


@pytest.mark.parametrize("asked", [True, False])
async def test_a_killed_dream_has_changed_nothing_and_is_dreamt_again(
    tmp_path: Path, asked: bool
) -> None:
    past = Past(tmp_path)
    mind = Mind(past)
    old = mind.believe("ann lives in Paris")
    new = mind.believe("ann has moved from Paris to where Lyon is, ann left", days=1)
    worker = WORKERS.Process(
        target=dream_and_die, args=(tmp_path, old, new), kwargs={"asked": asked}
    )
    worker.start()
    await asyncio.to_thread(worker.join)
    assert worker.exitcode == -signal.SIGKILL
    assert {each.id for each in mind.known.about("ann")} == {old, new}
    report = await mind.dream(answer_about(old, new))
    assert (report.state, report.updated, report.deduced) == ("done", 1, 1)
    past.database.close()
