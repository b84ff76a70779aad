"""Seeing a run through: show it, ask what it asks, print what it came to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from orchestrator.cli.ask import Answer, Keyboard, ask
from orchestrator.cli.boundary import FAILED, refuse
from orchestrator.cli.output import Screen, print_json, writing
from orchestrator.cli.render import Progress, show_result
from orchestrator.errors import PersonError
from orchestrator.events import RunState, Watcher
from orchestrator.runtime import Runtime
from orchestrator.team.base import RunResult

Work = Callable[[Watcher], Awaitable[RunResult]]
"""Runs, resumes or answers."""

EXIT_CODES: dict[RunState, int] = {
    "queued": 0,
    "running": 0,
    "completed": 0,
    "failed": 1,
    "cancelled": 1,
    "waiting": 3,
    "limited": 4,
}


async def conduct(runtime: Runtime, work: Work, *, as_json: bool) -> int:
    """Do the work in front of a person, or print it as JSON; returns the exit code."""
    with Screen(sys.stderr if as_json else sys.stdout) as screen, Keyboard() as keyboard:
        asks = keyboard.attended and not as_json
        progress = Progress(screen)
        try:
            result = await see_through(runtime, work, screen, progress, keyboard if asks else None)
        except PersonError as error:
            if not progress.run:
                raise
            # What was asked for was right; the run has begun, and failed.
            refuse(error, as_json=as_json)
            return FAILED
        if as_json:
            print_json(result.to_dict())
        else:
            show_result(screen, result)
        await learn(runtime, screen)
        return EXIT_CODES[result.state]


async def learn(runtime: Runtime, screen: Screen) -> None:
    """Let members remember and learn from what has ended, now that nobody waits for it, and say
    what they have learned. What is interrupted here is made up for by the next command.
    """
    with writing():
        sys.stdout.flush()
    await runtime.remember()
    for lesson in await runtime.learn():
        for line in lesson.happened:
            screen.line(f"learned: {line}", "quiet")


async def see_through(
    runtime: Runtime, work: Work, screen: Screen, progress: Progress, keyboard: Keyboard | None
) -> RunResult:
    """The work's result. With a keyboard, open questions are put to the person until none is left
    or they leave one for later.
    """
    try:
        result = await work(progress)
        while keyboard and result.state == "waiting":
            question = result.questions[0]
            if len(result.questions) > 1:
                screen.line(f"asks: {question.text}", "ask", question.profile)
            given = await ask(screen, keyboard, question)
            if given is None:
                break
            result = await pass_on(runtime, result.run_id, given, progress, question.id)
    except asyncio.CancelledError:
        if progress.run:
            screen.line(
                f"stopped; its work is kept: `retinue runs resume {progress.run}` goes on, "
                f"`retinue runs cancel {progress.run}` drops it",
                "ask",
            )
        raise
    return result


async def pass_on(
    runtime: Runtime, run: str, answer: Answer, watch: Watcher, question: str | None
) -> RunResult:
    """Give a person's answer to a run, and what came of it; where another process works on the run,
    how it stands there.
    """
    result = await runtime.answer(
        run, answer.text, watch, decision=answer.decision, question=question
    )
    return result if result is not None else runtime.show(run).result
