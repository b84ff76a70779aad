"""Kill -9 at every journal step: nothing that finished runs twice, no answer is lost."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.database import Database
from orchestrator.engine import Journal
from orchestrator.errors import RunBusyError
from orchestrator.events import Event, ToolStarted
from orchestrator.home import Home
from orchestrator.team import lock
from orchestrator.team.base import RunResult
from tests.company import Company

WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(["tests.company", "langgraph.graph", "orchestrator.team.workflow"])

SCRIPT: list[dict[str, Any]] = [
    {
        "profile": "supervisor",
        "match": "^Members:",
        "calls": [
            {"tool": "assign", "arguments": {"member": "counter", "goal": "count"}},
            {"tool": "assign", "arguments": {"member": "scribe", "goal": "write"}},
        ],
    },
    {
        "profile": "counter",
        "calls": [
            {"tool": "shell", "arguments": {"command": "echo ran >> log.txt"}},
            {"tool": "write", "arguments": {"path": "count.txt", "content": "41"}},
        ],
    },
    {"profile": "counter", "say": "41, see count.txt, log.txt"},
    {"profile": "scribe", "say": "Dear Sir"},
    {"profile": "supervisor", "match": "41[^$]*Dear Sir", "say": "41, Dear Sir"},
]
TOOLS = {"tools": ["shell", "write", "plan"]}


def company_at(folder: Path) -> Company:
    return Company(folder / "project", Home(folder / "home"))


def hire(company: Company, **team: Any) -> None:
    company.hire(SCRIPT, members={"counter": TOOLS, "scribe": TOOLS}, **team)


def work_and_die(folder: Path, at: int, when: Literal["before", "after"]) -> None:
    """Run the task and kill this very process around the journal's write number `at`."""
    writes = itertools.count(1)
    for name in ("intend", "finish"):
        write = getattr(Journal, name)

        def dying(self: Journal, *values: Any, write: Any = write) -> None:
            number = next(writes)
            if number == at and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            write(self, *values)
            if number == at:
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(Journal, name, dying)
    asyncio.run(company_at(folder).run("Count and write"))


async def carry_on(company: Company) -> RunResult:
    """Resume the only run; whatever was cut off in the middle is not run again."""
    async with company.open() as runtime:
        (row,) = runtime.runs()
        result = await runtime.resume(row.run_id, company.watch)
        while result.state == "waiting":
            question = result.questions[0]
            assert question.kind == "unknown"
            answered = await runtime.answer(
                row.run_id, "", company.watch, decision="deny", question=question.id
            )
            assert answered is not None
            result = answered
    return result


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_run_killed_at_any_journal_step_is_carried_on(
    tmp_path: Path, when: Literal["before", "after"]
) -> None:
    kills = 0
    for at in range(1, 100):
        folder = tmp_path / str(at)
        company = company_at(folder)
        hire(company)
        process = WORKERS.Process(target=work_and_die, args=(folder, at, when))
        process.start()
        await asyncio.to_thread(process.join)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        async with company.open() as runtime:
            if not runtime.runs():
                continue  # killed before the run was written down: nothing was promised
        result = await carry_on(company)
        assert (result.state, result.answer) == ("completed", "41, Dear Sir"), f"killed at {at}"
        files = {Path(each.path).name: Path(each.path) for each in result.artifacts}
        ran = files.pop("log.txt").read_text().count("ran") if "log.txt" in files else 0
        assert ran <= 1, f"killed {when} write {at}: the shell ran {ran} times"
        assert list(files) == ["count.txt"]
        async with company.open() as runtime:
            said = [
                entry["text"]
                for entry in runtime.show(result.run_id).history
                if entry["kind"] in ("said", "result")
            ]
        told = ["41, Dear Sir", "41, see count.txt, log.txt", "Count and write", "Dear Sir"]
        assert sorted(said) == told
    assert kills > 12


def hold_run(folder: Path) -> None:
    company = company_at(folder)
    asyncio.run(company.run("Count and write"))


async def test_two_processes_on_one_run_the_second_is_told_the_pid(company: Company) -> None:
    ask = {"tool": "ask_person", "arguments": {"question": "Now?"}}
    company.hire(
        [{"profile": "supervisor", "calls": [ask]}], members={"counter": TOOLS, "scribe": TOOLS}
    )
    waiting = await company.run("Count")
    folder = company.home.run_folder("firm", waiting.run_id)
    with lock.hold(folder, waiting.run_id), pytest.raises(RunBusyError, match=str(os.getpid())):
        await company.resume(waiting.run_id)


async def test_two_processes_on_one_home_both_work(company: Company) -> None:
    hire(company)
    folder = company.project.parent
    processes = [WORKERS.Process(target=hold_run, args=(folder,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
    assert [process.exitcode for process in processes] == [0, 0]
    async with company.open() as runtime:
        assert [row.state for row in runtime.runs()] == ["completed", "completed"]


async def test_a_run_is_cancelled_from_elsewhere_while_a_tool_runs(company: Company) -> None:
    company.hire(
        [
            {
                "profile": "counter",
                "calls": [{"tool": "shell", "arguments": {"command": "sleep 60"}}],
            }
        ],
        members={"counter": TOOLS},
    )
    started = asyncio.Event()

    def watch(event: Event) -> None:
        if isinstance(event, ToolStarted):
            started.set()

    async with company.open() as runtime:
        company.listener = watch
        running = asyncio.create_task(company.run("Go"))
        await started.wait()
        runtime.cancel("last")
        result = await running
    assert result.state == "cancelled"
    assert result.error == "cancelled by a person"


async def test_a_cancelled_run_leaves_nothing_behind_and_its_cost_is_known(
    company: Company,
) -> None:
    sleep = {"tool": "shell", "arguments": {"command": "sleep 60"}}
    company.hire(
        [
            {
                "profile": "supervisor",
                "calls": [{"tool": "assign", "arguments": {"member": "counter", "goal": "count"}}],
            },
            {"profile": "counter", "calls": [sleep]},
        ],
        members={"counter": TOOLS, "scribe": TOOLS},
    )

    async with company.open() as runtime:
        company.listener = lambda event: (
            runtime.cancel("last") if isinstance(event, ToolStarted) else None
        )
        result = await company.run("Go")
    assert result.state == "cancelled"
    assert [(member.profile, member.state) for member in result.members] == [
        ("counter", "cancelled")
    ]
    assert result.steps == 2
    home = company.home.profile("firm", "counter")
    assert Journal(Database(home.memory_db)).runs() == []
    assert list(home.workspace.iterdir()) == []
