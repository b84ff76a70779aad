"""What is forgotten is on no disk any more, and what others said is still found."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.seat import Answer
from orchestrator.database import Database
from orchestrator.errors import RunBusyError
from orchestrator.events import ModelCalled
from orchestrator.home import Home
from orchestrator.memory import Conversations, ConversationSearch
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.forgetting import Forgetting, Tombstone
from orchestrator.team import lock
from orchestrator.team.audit import Audit, AuditLine
from orchestrator.team.base import RunResult
from orchestrator.team.ledger import Ledger
from tests.company import Company
from tests.conftest import fill_up

MARK = "Quaxville"
OTHER = "Zorbtown"

WRITE = {"tool": "write", "arguments": {"path": "note.md", "content": "{{ match }} is a town"}}
SCRIPT: Sequence[Mapping[str, Any]] = (
    {"profile": "counter", "match": r"live in (\w+)", "calls": [WRITE], "repeat": True},
    {"profile": "counter", "match": r"Is (\w+) large", "say": "{{ match }} is", "repeat": True},
    {"profile": "counter", "say": "noted", "repeat": True},
    {"profile": "keeper", "match": r"live in (\w+)", "say": "{{ match }}!", "repeat": True},
    {"profile": "keeper", "say": "locked", "repeat": True},
)
MEMBERS = {"counter": {"tools": ["write"]}, "keeper": {"tools": ["plan"]}}


def traces(root: Path, marker: str) -> list[str]:
    """The files below the home that hold the marker, in any case of letters."""
    wanted = marker.lower().encode()
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if path.is_file() and wanted in path.read_bytes().lower()
    ]


@pytest.fixture
def firm(company: Company) -> Company:
    company.hire(SCRIPT, members=MEMBERS)
    return company


async def say(company: Company, text: str, person: str, target: str | None = None) -> RunResult:
    """A message, and what was understood of it."""
    async with company.open() as runtime:
        asked = company.request(
            runtime, text, target=target, person=person, session=f"talk {person[0]}"
        )
        result = await runtime.run(asked, company.watch)
        await runtime.learn(rehearsals=True)
        await runtime.remember()
        return result


async def talk(company: Company) -> None:
    """Two people, each to two members, say where they live."""
    for person, place in (("anna", MARK), ("bob", OTHER)):
        await say(company, f"I live in {place}.", person, "counter")
        await say(company, f"Is {place} large?", person, "counter")
        await say(company, f"I live in {place}.", person, "keeper")
    assert len(traces(company.home.root, MARK)) >= 3  # two databases and a published file


async def approve(company: Company, asked: RunResult) -> RunResult:
    assert asked.state == "waiting", asked.answer
    result = await company.answer(asked.run_id, decision="approve")
    assert result is not None
    assert result.state == "completed", result.error
    return result


def hits(company: Company, profile: str, query: str) -> list[str]:
    """Who said what holds the word."""
    with closing(Database(company.home.profile("firm", profile).memory_db)) as database:
        return [hit.message.peer for hit in ConversationSearch(database).search(query)]


def beliefs(company: Company, profile: str, person: str) -> list[str]:
    with closing(Database(company.home.profile("firm", profile).memory_db)) as database:
        return [each.text for each in Conclusions(database).about(person, history=True)]


def tombstones(company: Company, profile: str) -> Sequence[Tombstone]:
    with closing(Database(company.home.profile("firm", profile).memory_db)) as database:
        return Forgetting(database, Conclusions(database)).tombstones()


def audited(company: Company) -> Sequence[AuditLine]:
    with closing(Database(company.home.ledger_db)) as database:
        return [line for line in Audit(database).lines() if line.action.startswith("forgot")]


async def test_forget_me_leaves_nothing_of_a_person_in_the_whole_home(firm: Company) -> None:
    await talk(firm)
    index = firm.home.profile("firm", "counter").index
    index.mkdir(mode=0o700)
    (index / "segment.bin").write_text(MARK, encoding="utf-8")
    asked = await say(firm, "Forget me", "anna")
    assert "messages" in asked.questions[0].text
    assert MARK not in asked.questions[0].text
    done = await approve(firm, asked)
    assert "every profile of team firm" in done.answer
    assert traces(firm.home.root, MARK) == []
    assert traces(firm.home.root, "anna") == []
    assert hits(firm, "counter", OTHER) != []
    assert beliefs(firm, "counter", "bob") == [f"bob lives in {OTHER}"]
    assert traces(firm.home.root, OTHER) != []


async def test_forget_me_said_to_a_member_reaches_that_member_alone(firm: Company) -> None:
    await talk(firm)
    done = await approve(firm, await say(firm, "forget me", "anna", "counter"))
    assert "firm/counter alone" in done.answer
    assert "supervisor" in done.answer
    assert hits(firm, "counter", MARK) == []
    assert beliefs(firm, "counter", "anna") == []
    assert hits(firm, "keeper", MARK) != []
    assert {path.split("/")[2] for path in traces(firm.home.root, MARK)} == {"keeper"}


async def test_a_topic_is_forgotten_and_the_rest_is_kept(firm: Company) -> None:
    await say(firm, "My name is Anna Berg.", "anna", "counter")
    await say(firm, f"I live in {MARK}.", "anna", "keeper")
    await say(firm, f"I live in {OTHER}.", "bob", "keeper")
    await say(firm, "My name is Anna Berg.", "anna", "keeper")
    await approve(firm, await say(firm, f"Forget that I live in {MARK}", "anna", "keeper"))
    assert traces(firm.home.root, MARK) == []
    assert hits(firm, "keeper", "Berg") == ["anna"]
    assert beliefs(firm, "keeper", "bob") != []
    assert beliefs(firm, "keeper", "anna") == ["anna's name is Anna Berg"]


async def test_forget_that_means_the_last_message_with_its_answer_and_files(firm: Company) -> None:
    await say(firm, "I work at Acme.", "anna", "counter")
    await say(firm, f"I live in {MARK}.", "anna", "counter")
    await approve(firm, await say(firm, "Forget that.", "anna", "counter"))
    assert traces(firm.home.root, MARK) == []
    assert beliefs(firm, "counter", "anna") == ["anna works at Acme"]
    assert hits(firm, "counter", "Acme") == ["anna"]


@pytest.mark.parametrize("wish", ["forget that", f"forget that I live in {MARK}"])
async def test_what_was_told_of_it_when_asked_goes_with_it(firm: Company, wish: str) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "keeper")
    told = await say(firm, "What do you know about me?", "anna", "keeper")
    assert MARK in told.answer
    await approve(firm, await say(firm, wish, "anna", "keeper"))
    assert traces(firm.home.root, MARK) == []


async def test_a_topic_takes_along_that_it_holds_no_more(firm: Company) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "keeper")
    await say(firm, f"I no longer live in {MARK}.", "anna", "keeper")
    await say(firm, "I work at Acme.", "anna", "keeper")
    await approve(firm, await say(firm, "forget that I live in " + MARK, "anna", "keeper"))
    assert beliefs(firm, "keeper", "anna") == ["anna works at Acme"]
    assert traces(firm.home.root, MARK) == []


async def test_no_model_is_asked_and_the_request_itself_is_not_kept(firm: Company) -> None:
    await say(firm, f"I live in {MARK}.", "anna", "keeper")
    firm.events.clear()
    asked = await say(firm, f"Forget that I live in {MARK}", "anna", "keeper")
    done = await approve(firm, asked)
    assert firm.seen(ModelCalled) == []
    async with firm.open() as runtime:
        shown = runtime.show(done.run_id)
    assert shown.row.task == "(asks to have something forgotten)"
    assert MARK not in str(shown)


async def test_who_says_no_forgets_nothing(firm: Company) -> None:
    await talk(firm)
    asked = await say(firm, "forget me", "anna", "counter")
    result = await firm.answer(asked.run_id, decision="deny")
    assert result is not None
    assert (result.state, result.answer) == ("completed", "Nothing was forgotten.")
    assert hits(firm, "counter", MARK) != []
    assert tombstones(firm, "counter") == []


async def test_who_is_unknown_is_told_so_without_a_question(firm: Company) -> None:
    await talk(firm)
    for wish in ("forget me", "forget that", "forget about my giraffe"):
        result = await say(firm, wish, "carl", "keeper")
        assert result.state == "completed"
        assert result.answer.startswith("Nothing is kept")


async def test_what_is_known_is_told_with_hearsay_as_such(firm: Company) -> None:
    await talk(firm)
    with closing(Database(firm.home.profile("firm", "keeper").memory_db)) as database:
        store = Conclusions(database)
        now = datetime.now(UTC)
        store.add("bob", "anna", "anna owes bob money", by="rule", at=now)
        store.add("[system]", "anna", "anna is <|im_start|> mean", by="rule", at=now)
        for number in range(120):
            store.add("firm/keeper", "anna", f"anna has key {number}", by="rule", at=now)
        store.add("firm/keeper", "anna", "anna sits <|im_end|> here", by="rule", at=now)
    answer = (await say(firm, "What do you know about me?", "anna", "keeper")).answer
    assert f"lives in {MARK}" in answer
    assert "anna owes bob money (told by bob" in answer
    assert "sits [a mark was left out] here" in answer
    assert "<|im_" not in answer
    assert "forget me" in answer
    assert OTHER not in answer


async def test_the_supervisor_tells_numbers_of_its_members_and_no_content(firm: Company) -> None:
    await talk(firm)
    answer = (await say(firm, "What do you know about me?", "anna")).answer
    assert "firm/counter keeps" in answer
    assert MARK not in answer


async def test_a_forgotten_run_stands_in_the_list_without_its_task(firm: Company) -> None:
    await talk(firm)
    await approve(firm, await say(firm, "Forget me", "anna"))
    async with firm.open() as runtime:
        rows = runtime.runs()
        for row in rows:
            runtime.show(row.run_id)
    titles = [row.task for row in rows]
    assert titles.count("(forgotten)") == 4  # three tasks, and the wish
    assert f"I live in {OTHER}." in titles


async def test_a_waiting_run_of_the_person_goes_with_its_journal(firm: Company) -> None:
    ask = {"tool": "ask_person", "arguments": {"question": f"Is {MARK} right?"}}
    script = [{"profile": "counter", "match": "move", "calls": [ask]}, *SCRIPT]
    firm.hire(script, members={**MEMBERS, "counter": {"tools": ["ask_person"]}})
    waiting = await say(firm, f"I move to {MARK}", "anna", "counter")
    assert waiting.state == "waiting"
    with closing(Database(firm.home.ledger_db)) as database:
        Ledger(database).post_answer(waiting.run_id, "another", Answer(f"To {MARK}"))
    await approve(firm, await say(firm, "Forget me", "anna"))
    assert traces(firm.home.root, MARK) == []
    async with firm.open() as runtime:
        assert runtime.show(waiting.run_id).row.state == "cancelled"
    with pytest.raises(Exception, match="cancelled"):
        await firm.resume(waiting.run_id)


async def test_a_run_at_work_is_not_pulled_away(firm: Company) -> None:
    waiting = {"tool": "ask_person", "arguments": {"question": "Right?"}}
    script = [{"profile": "counter", "match": "move", "calls": [waiting]}, *SCRIPT]
    firm.hire(script, members={**MEMBERS, "counter": {"tools": ["ask_person"]}})
    run = (await say(firm, f"I move to {MARK}", "anna", "counter")).run_id
    async with firm.open() as runtime:
        erasure, team = runtime.erasure, runtime.team("team.yaml")
        everything = erasure.choose_person(erasure.homes(team, "counter"), "anna")
        with (
            lock.hold(firm.home.run_folder("firm", run), run),
            pytest.raises(RunBusyError, match=run),
        ):
            erasure.forget(everything, by="operator")
    assert hits(firm, "counter", MARK) != []


async def test_a_tombstone_and_an_audit_line_say_how_much_and_not_what(firm: Company) -> None:
    await talk(firm)
    await approve(firm, await say(firm, "Forget me", "anna", "counter"))
    [stone] = tombstones(firm, "counter")
    assert (stone.span, stone.by) == ("person", "themself")
    assert stone.counts["messages"] >= 4
    assert stone.scrubbed is not None
    [line] = audited(firm)
    assert (line.actor, line.action) == ("themself", "forgot: person")
    assert line.target == f"firm/counter, tombstone {stone.id}"
    assert line.counts == stone.counts


def test_the_audit_log_can_only_grow(home: Home) -> None:
    home.create()
    with closing(Database(home.ledger_db)) as database:
        audit = Audit(database)
        now = datetime.now(UTC)
        audit.write("operator", "forgot: session", "firm/counter", {"messages": 2}, now)
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
            with pytest.raises(Exception, match="append-only"):
                database.execute(statement)
        assert [line.counts for line in audit.lines()] == [{"messages": 2}]


FORGET = """\
import asyncio, os, signal, sys
from pathlib import Path
from orchestrator.home import Home
from orchestrator.runtime import Runtime

async def main():
    home = Home(Path(sys.argv[2]))
    async with Runtime(project=Path(sys.argv[1]), home=home, environment={}) as r:
        homes = r.erasure.homes(r.team("team.yaml"), None)
        r.erasure.forget(r.erasure.choose_person(homes, "anna"), by="operator")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_process_left_is_scrubbed_at_the_next_opening(firm: Company) -> None:
    await talk(firm)
    script = [sys.executable, "-c", FORGET, firm.project, firm.home.root]
    killed = await asyncio.create_subprocess_exec(*script)
    assert await killed.wait() == -signal.SIGKILL
    assert hits(firm, "counter", MARK) == []
    assert traces(firm.home.root, MARK) != []
    assert [stone.scrubbed for stone in tombstones(firm, "counter")] == [None]
    async with firm.open():
        pass
    assert traces(firm.home.root, MARK) == []
    assert all(stone.scrubbed for stone in tombstones(firm, "counter"))
    assert hits(firm, "counter", OTHER) != []


async def test_a_run_killed_after_its_person_was_forgotten_ends_and_leaves_nothing(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk(firm)
    asked = await say(firm, f"Forget that I live in {MARK}", "anna", "keeper")
    async with firm.open() as runtime:
        team = runtime.team("team.yaml")
        erasure = runtime.erasure
        topic = f"I live in {MARK}"
        chosen = erasure.choose(
            erasure.homes(team, "keeper"), lambda choosing: choosing.topic("anna", topic)
        )
        erasure.forget(chosen, by="themself", asking_run=asked.run_id)
        erasure.finish()  # as an opening would while the run still stands
    await approve(firm, asked)
    assert [path for path in traces(firm.home.root, MARK) if "keeper" in path] == []


async def test_a_disk_that_is_full_in_mid_scrub_costs_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    firm = Company(tmp_path / "project", Home(small_disk / "home"))
    firm.hire(SCRIPT, members=MEMBERS)
    await talk(firm)
    filler = small_disk / "filler"
    async with firm.open() as runtime:
        homes = runtime.erasure.homes(runtime.team("team.yaml"), None)
        runtime.erasure.forget(runtime.erasure.choose_person(homes, "anna"), by="operator")
        with pytest.raises(OSError, match="No space"):
            fill_up(filler)
        runtime.erasure.finish()
    assert [stone.scrubbed for stone in tombstones(firm, "counter")] == [None]
    filler.unlink()
    assert hits(firm, "counter", OTHER) != []
    async with firm.open():
        pass
    assert all(stone.scrubbed for stone in tombstones(firm, "counter"))
    assert traces(firm.home.root, MARK) == []
    assert beliefs(firm, "counter", "bob") == [f"bob lives in {OTHER}"]


async def test_what_is_older_than_a_member_keeps_is_gone_and_what_it_knows_stays(
    company: Company,
) -> None:
    company.hire(SCRIPT, members={**MEMBERS, "keeper": {"memory": {"keep_days": 30}}})
    company.home.create()
    keeper = company.home.profile("firm", "keeper")
    keeper.create()
    long_ago = datetime.now(UTC) - timedelta(days=40)
    with closing(Database(keeper.memory_db)) as database:
        for person, at in (("anna", long_ago), ("bob", datetime.now(UTC))):
            Conversations(database).append(
                "s",
                run=person,
                key="k",
                peer=person,
                kind="said",
                at=at,
                tokens=4,
                text=f"I live in {MARK if person == 'anna' else OTHER}. The cello is gone.",
            )
    await say(company, "Is the cello old?", "bob", "keeper")
    assert hits(company, "keeper", "cello") == ["bob", "bob"]
    assert beliefs(company, "keeper", "anna") == [f"anna lives in {MARK}"]
    [stone] = tombstones(company, "keeper")
    assert (stone.span, stone.by, stone.counts["messages"]) == ("age", "retention", 1)
    assert stone.scrubbed is not None
    assert traces(company.home.root, "cello is gone") == ["state/firm/keeper/memory.db"]  # bob's


async def test_the_evidence_for_skills_holds_no_words_of_a_forgotten_task(company: Company) -> None:
    plan = {"tool": "plan", "arguments": {"items": [{"text": "count"}]}}
    brief = {"member": "counter", "goal": f"Count the houses of {MARK} and write them down"}
    company.hire(
        [
            {"profile": "supervisor", "calls": [{"tool": "assign", "arguments": brief}]},
            {"profile": "counter", "calls": [plan]},
            {"profile": "counter", "say": "41"},
            {"profile": "supervisor", "say": "41"},
        ],
        members={"counter": {"tools": ["plan"]}, "scribe": {}},
    )
    done = await say(company, "How many houses are there?", "anna")
    assert done.state == "completed", done.error
    async with company.open() as runtime:
        runtime.rate(done.run_id, "good")
        await runtime.learn(rehearsals=True)
    with closing(Database(company.home.profile("firm", "counter").memory_db)) as database:
        [task] = database.all("SELECT brief FROM skill_task")
        assert MARK in task["brief"]
    await approve(company, await say(company, "Forget me", "anna"))
    assert traces(company.home.root, MARK) == []


def version(company: Company, profile: str) -> int:
    """Goes up whenever the file is written anew."""
    with closing(Database(company.home.profile("firm", profile).memory_db)) as database:
        row = database.one("PRAGMA schema_version")
        assert row is not None
        return row[0]


async def test_traces_are_not_looked_for_again_while_the_asking_run_stands(
    company: Company,
) -> None:
    forget = {"tool": "forget", "arguments": {"topic": MARK}}
    ask = {"tool": "ask_person", "arguments": {"question": "What else?"}}
    company.hire(
        [
            {"profile": "counter", "say": "noted"},
            {"profile": "counter", "calls": [forget]},
            {"profile": "counter", "calls": [ask]},
            {"profile": "counter", "say": "done"},
        ],
        members={"counter": {"tools": ["forget", "ask_person"]}, "keeper": {}},
    )
    await say(company, f"I live in {MARK}.", "anna", "counter")
    asked = await say(company, "Drop where I live.", "anna", "counter")
    waiting = await company.answer(asked.run_id, decision="approve")
    assert waiting is not None
    assert waiting.state == "waiting"
    before = version(company, "counter")
    async with company.open():
        pass
    assert version(company, "counter") == before
    await company.answer(asked.run_id, "Nothing.")
    assert version(company, "counter") > before
    assert MARK.encode() not in company.home.profile("firm", "counter").memory_db.read_bytes()
    with closing(Database(company.home.ledger_db)) as database:
        assert Audit(database).begun() == []


async def test_a_member_that_has_left_the_team_forgets_as_the_others_do(firm: Company) -> None:
    await talk(firm)
    firm.hire(SCRIPT, members={"keeper": MEMBERS["keeper"]})
    await approve(firm, await say(firm, "Forget me", "anna"))
    assert traces(firm.home.root, MARK) == []
    assert hits(firm, "counter", OTHER) != []


async def test_an_unfinished_run_that_loses_a_part_is_cancelled_and_said_before(
    company: Company,
) -> None:
    brief = {"member": "counter", "goal": "Move the crates"}
    ask = {"tool": "ask_person", "arguments": {"question": "Where to?"}}
    company.hire(
        [
            {"profile": "supervisor", "calls": [{"tool": "assign", "arguments": brief}]},
            {"profile": "counter", "calls": [ask]},
        ],
        members={"counter": {"tools": ["ask_person"]}, "keeper": {}},
    )
    waiting = await say(company, "Move the crates.", "anna")
    assert waiting.state == "waiting"
    asked = await say(company, "Forget me", "anna", "counter")
    assert "1 unfinished run, which is cancelled" in asked.questions[0].text
    assert "1 run with its files" in asked.questions[0].text
    await approve(company, asked)
    with pytest.raises(Exception, match="cancelled"):
        await company.resume(waiting.run_id)


async def test_a_run_at_work_stays_when_the_others_have_become_too_old(company: Company) -> None:
    ask = {"tool": "ask_person", "arguments": {"question": "Right?"}}
    company.hire(
        [{"profile": "keeper", "say": "noted"}, {"profile": "keeper", "calls": [ask]}],
        members={"keeper": {"tools": ["ask_person"], "memory": {"keep_days": 30}}, "counter": {}},
    )
    await company.run(f"I live in {MARK}.", target="keeper")
    run = (await company.run(f"I move to {OTHER}.", target="keeper")).run_id
    async with company.open() as runtime:
        team, erasure = runtime.team("team.yaml"), runtime.erasure
        database = Database(company.home.profile("firm", "keeper").memory_db)
        with closing(database), lock.hold(company.home.run_folder("firm", run), run):
            database.execute("UPDATE messages SET at = '2001-01-01T00:00:00+00:00'")
            assert erasure.expire(team, "keeper") == 2
    assert hits(company, "keeper", MARK) == []
    assert hits(company, "keeper", OTHER) != []


async def test_a_day_on_which_nothing_could_be_forgotten_does_not_count(company: Company) -> None:
    company.hire(
        [{"profile": "keeper", "say": "noted"}],
        members={"keeper": {"memory": {"keep_days": 30}}, "counter": {}},
    )
    await company.run(f"I live in {MARK}.", target="keeper")
    async with company.open() as runtime:
        team, erasure = runtime.team("team.yaml"), runtime.erasure
        with closing(Database(company.home.profile("firm", "keeper").memory_db)) as database:
            database.execute("UPDATE messages SET at = '2001-01-01T00:00:00+00:00'")
            database.execute(
                "CREATE TRIGGER broken BEFORE DELETE ON messages "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
            with pytest.raises(Exception, match="no"):
                erasure.expire(team, "keeper")
            database.execute("DROP TRIGGER broken")
        assert erasure.expire(team, "keeper") == 2


async def test_a_run_that_is_being_learned_from_is_not_pulled_away(firm: Company) -> None:
    done = await firm.run(f"I live in {MARK}.", target="keeper", person="anna")
    async with firm.open() as runtime:
        erasure = runtime.erasure
        found = erasure.choose_person(erasure.homes(runtime.team("team.yaml"), None), "anna")
        with (
            lock.hold(firm.home.run_folder("firm", done.run_id), done.run_id),
            pytest.raises(RunBusyError),
        ):
            erasure.forget(found, by="operator")
        erasure.forget(found, by="operator")
        assert await runtime.learn(rehearsals=True) == []
    with closing(Database(firm.home.ledger_db)) as database:
        assert Ledger(database).run(done.run_id).learned


async def test_an_unexpected_failure_leaves_the_traces_for_the_next_time(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("nobody has thought of this")

    await talk(firm)
    async with firm.open() as runtime:
        erasure = runtime.erasure
        homes = erasure.homes(runtime.team("team.yaml"), "keeper")
        erasure.forget(erasure.choose_person(homes, "anna"), by="operator")
        with monkeypatch.context() as patch:
            patch.setattr("orchestrator.skill.forgetting.rebuild_words", broken)
            erasure.finish()
    assert [stone.scrubbed for stone in tombstones(firm, "keeper")] == [None]
    async with firm.open():
        pass
    assert all(stone.scrubbed for stone in tombstones(firm, "keeper"))
