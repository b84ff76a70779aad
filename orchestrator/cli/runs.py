"""`retinue runs …`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from orchestrator.chronicle import RunRow
from orchestrator.cli.ask import Answer
from orchestrator.cli.conduct import conduct, learn, pass_on
from orchestrator.cli.output import Screen, columns, one_line, print_json
from orchestrator.cli.places import known_model, open_runtime
from orchestrator.cli.render import Line, money, show_result
from orchestrator.cli.target import read_text
from orchestrator.errors import NotFoundError, PersonError
from orchestrator.runtime import Runtime


async def list_runs(*, team: str | None, state: str | None, as_json: bool) -> int:
    async with open_runtime() as runtime:
        rows = runtime.runs(team=team, state=state)
    if as_json:
        print_json([_row(row) for row in rows])
        return 0
    with Screen() as screen:
        for line in _table(rows) if rows else ["no runs"]:
            screen.line(line)
    return 0


async def show(*, run: str, as_json: bool) -> int:
    async with open_runtime() as runtime:
        detail = runtime.show(find_run(runtime, run))
    row, result = detail.row, detail.result
    if as_json:
        history = [dict(entry) for entry in detail.history]
        print_json({**_row(row), **result.to_dict(), "history": history})
        return 0
    with Screen() as screen:
        screen.line(f"run {row.run_id}: team {row.team}, {_time(row.created)}", "strong")
        for entry in detail.history:
            screen.line(*_said(entry))
        told = any(entry["text"] == result.answer for entry in detail.history)
        show_result(screen, result, answer=not told, interrupted=row.interrupted)
        if row.pid is not None:
            screen.line(f"process {row.pid} works on it")
        if row.verdict:
            screen.line(f"rated {row.verdict}")
    return 0


async def resume(*, run: str, model: str | None, as_json: bool) -> int:
    chosen = known_model(model)
    async with open_runtime() as runtime:
        found = find_run(runtime, run)
        return await conduct(
            runtime, lambda watch: runtime.resume(found, watch, model=chosen), as_json=as_json
        )


async def cancel(*, run: str, as_json: bool) -> int:
    async with open_runtime() as runtime:
        found = find_run(runtime, run)
        runtime.cancel(found)
        row = runtime.show(found).row
    if as_json:
        print_json(_row(row))
        return 0
    with Screen() as screen:
        if row.pid is None:
            screen.line(f"run {found} is cancelled", "good")
        else:
            screen.line(f"process {row.pid}, which works on run {found}, was told to stop", "good")
    return 0


async def answer(
    *,
    run: str,
    text: str | None,
    approve: bool,
    deny: bool,
    question: str | None,
    as_json: bool,
) -> int:
    if approve and deny:
        raise PersonError("give --approve or --deny, not both")
    if text is None and not approve and not deny:
        raise PersonError("give the answer as text, or --approve or --deny")
    given = Answer(
        read_text(text, "answer") if text is not None else "",
        "approve" if approve else "deny" if deny else None,
    )
    async with open_runtime() as runtime:
        found = find_run(runtime, run)
        return await conduct(
            runtime,
            lambda watch: pass_on(runtime, found, given, watch, question),
            as_json=as_json,
        )


async def rate(*, run: str, verdict: Literal["good", "bad"], note: str, as_json: bool) -> int:
    async with open_runtime() as runtime:
        found = find_run(runtime, run)
        runtime.rate(found, verdict, note)
        with Screen(sys.stderr if as_json else sys.stdout) as screen:
            if as_json:
                print_json({"run_id": found, "verdict": verdict, "note": note})
            else:
                screen.line(f"run {found} is rated {verdict}", "good")
            await learn(runtime, screen)
    return 0


def find_run(runtime: Runtime, text: str) -> str:
    """The id of the run: `last`, a whole id, or the beginning of just one. Raises NotFoundError,
    PersonError.
    """
    rows = runtime.runs()
    if text == "last" and rows:
        return max(rows, key=lambda row: row.created).run_id
    found = [row.run_id for row in rows if row.run_id.startswith(text)]
    if text in found:
        return text
    if not found:
        raise NotFoundError(
            "run", text, [row.run_id for row in rows], "`retinue runs list` shows them"
        )
    if len(found) > 1:
        raise PersonError(f"{len(found)} runs begin with {text!r}: {', '.join(found[:5])}")
    return found[0]


def _said(entry: Mapping[str, Any]) -> Line:
    """One entry of a run's history."""
    text, profile = str(entry["text"]), str(entry["profile"])
    peer = str(entry["peer"]).rpartition("/")[2]
    match entry["kind"]:
        case "brief":
            return Line(f"to {profile}: {text}", "quiet", peer)
        case "tool":
            return Line(one_line(f"{peer}: {text}", 300), "quiet", profile)
        case "result":
            return Line(text, who=profile)
        case _:
            return Line(text, "strong", peer)


def _table(rows: Sequence[RunRow]) -> list[str]:
    head = ("RUN", "STATE", "TEAM", "CREATED", "STEPS", "TOKENS", "COST", "RATED", "TASK")
    return columns(
        [
            head,
            *(
                (
                    row.run_id,
                    row.shown_state,
                    row.team,
                    _time(row.created),
                    str(row.steps),
                    f"{row.tokens:,}",
                    money(None if row.cost_usd is None else Decimal(row.cost_usd)),
                    row.verdict or "-",
                    row.task,
                )
                for row in rows
            ),
        ]
    )


def _row(row: RunRow) -> Mapping[str, Any]:
    times = {"created": row.created.isoformat(), "updated": row.updated.isoformat()}
    return {**dataclasses.asdict(row), **times, "interrupted": row.interrupted}


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")
