"""`retinue memory ask` and `derive`: what a model adds to what a member knows of people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.output import Screen, counted, one_line, print_json
from orchestrator.cli.places import known_model, open_runtime
from orchestrator.cli.target import find, read_text
from orchestrator.consulting import Derived
from orchestrator.memory import AskAnswer, AskLevel

_MOST_CHARACTERS = 300


def ask(
    *,
    where: str,
    question: str,
    person: str,
    level: AskLevel,
    model: str | None,
    evidence: bool,
    as_json: bool,
) -> int:
    """Answer a question about a person, with the evidence."""
    asked = read_text(question, "question")
    answer = asyncio.run(_ask(where, asked, person, level, known_model(model), evidence))
    if as_json:
        print_json(
            {
                "person": person,
                "question": asked,
                "level": level,
                "answer": answer.text,
                "synthesis": answer.synthesis,
                "rounds": answer.rounds,
                "note": answer.note,
                "cited": [{**asdict(each), "at": each.at.isoformat()} for each in answer.cited],
            }
        )
        return 0
    with Screen() as screen:
        if answer.text:
            screen.line(answer.text)
        if answer.note:
            screen.line(answer.note, "ask")
        for each in answer.cited:
            screen.line(f"{each.ref}  {each.at:%Y-%m-%d}  {each.by}", "quiet")
            screen.line(f"  {one_line(each.text, _MOST_CHARACTERS)}")
        if not answer.text and not answer.cited:
            screen.line(f"nothing that is known of {person!r} fits")
    return 0


def derive(*, where: str, model: str | None, dream: bool, retry: bool, as_json: bool) -> int:
    """Understand what waits, and say what came of it."""
    derived = asyncio.run(_derive(where, known_model(model), dream=dream, retry=retry))
    if as_json:
        print_json(_row(derived))
        return 0
    queue, report = derived.queue, derived.dream
    with Screen() as screen:
        read = f" by {derived.model}" if derived.model else ""
        understood = counted(derived.understood, "message was", "messages were")
        screen.line(f"{understood} understood{read}", "good")
        if derived.note:
            screen.line(f"the rules alone have read: {derived.note}", "ask")
        if queue.pending:
            waiting = counted(queue.pending, "message waits", "messages wait")
            screen.line(f"{waiting} for a model", "ask")
        if queue.failed:
            failed = counted(queue.failed, "message was", "messages were")
            screen.line(f"{failed} given up; again: retinue memory derive {where} --retry", "ask")
        if queue.error:
            screen.line(f"the last failure: {one_line(queue.error)}", "ask")
        if report.state == "done":
            screen.line(
                f"gone over what is known: {report.updated} out of date, {report.contradicted} "
                f"contradicted, {report.deduced} deduced, "
                f"{counted(report.induced, 'pattern', 'patterns')}, {report.merged} joined",
                "good",
            )
        else:
            screen.line(f"not gone over what is known: {report.why}", "quiet")
    return 0


async def _ask(
    where: str, question: str, person: str, level: AskLevel, model: str | None, evidence: bool
) -> AskAnswer:
    target = find(where)
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        name = (member(team, target.profile) if target.profile else None) or SUPERVISOR
        return await runtime.ask_about(
            team, name, person, question, level=level, model=model, evidence=evidence
        )


async def _derive(where: str, model: str | None, *, dream: bool, retry: bool) -> Derived:
    target = find(where)
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        name = (member(team, target.profile) if target.profile else None) or SUPERVISOR
        return await runtime.derive(team, name, model=model, dream=dream, retry=retry)


def _row(derived: Derived) -> Mapping[str, Any]:
    return {
        "understood": derived.understood,
        "model": derived.model,
        "note": derived.note,
        "queue": asdict(derived.queue),
        "dream": asdict(derived.dream),
    }
