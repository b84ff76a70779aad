"""A run as a person sees it."""

from __future__ import annotations

import io
from decimal import Decimal

from orchestrator.cli.output import Screen
from orchestrator.cli.render import Progress, show_result
from orchestrator.errors import Question
from orchestrator.events import (
    ArtifactPublished,
    Event,
    MemberFinished,
    MemberStarted,
    ModelCalled,
    PersonAsked,
    ReasoningDelta,
    Routed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Warned,
)
from orchestrator.model.base import Usage
from orchestrator.team.base import Artifact, RunResult

RUN = "r1"


def shown(*events: Event, chat: bool = False) -> list[str]:
    out = io.StringIO()
    with Screen(out) as screen:
        progress = Progress(screen, chat=chat)
        for event in events:
            progress(event)
    return out.getvalue().splitlines()


def called(profile: str, attempts: int = 1) -> ModelCalled:
    return ModelCalled(RUN, profile, "openai/x", 10, 5, None, attempts)


def test_a_run_reads_as_who_does_what() -> None:
    assert shown(
        RunStarted(RUN, "desk", "count", model="openai/x"),
        Routed(RUN, ("analyst",), "margin", "tables"),
        MemberStarted(RUN, "analyst", "analyst#1", "count the\nrows"),
        called("analyst"),
        ToolStarted(RUN, "analyst", "c1", "query_table", "SELECT count(*)"),
        ToolFinished(RUN, "analyst", "c1", "query_table", "ok", "12 rows"),
        called("analyst", attempts=3),
        ArtifactPublished(RUN, "analyst", "report.md", "00"),
        MemberFinished(RUN, "analyst", "analyst#1", "completed", 2, "12"),
        Warned(RUN, "supervisor", "price unknown"),
        RunFinished(RUN, "completed", "12"),
    ) == [
        "run r1: team desk, model openai/x",
        "supervisor   gives it to analyst (margin: tables)",
        "analyst      begins: count the rows",
        "analyst      query_table: SELECT count(*)",
        "analyst      query_table ok: 12 rows",
        "analyst      openai/x answered at attempt 3",
        "analyst      hands over report.md",
        "analyst      completed after 2 steps",
        "supervisor   warning: price unknown",
    ]


def test_a_workflow_names_its_steps_and_a_failing_member_says_why() -> None:
    assert shown(
        StepStarted(RUN, "facts", 1),
        Routed(RUN, ("analyst",), "workflow", "step facts"),
        MemberFinished(RUN, "analyst", "analyst#1", "failed", 1, "no such file"),
        StepFinished(RUN, "facts", "failed", 1),
        StepFinished(RUN, "page", "skipped"),
    ) == [
        "step facts [1]",
        "analyst      failed after 1 step: no such file",
        "step facts [1]: failed",
        "step page: skipped",
    ]


def test_a_question_is_shown_with_its_options() -> None:
    asked = PersonAsked(RUN, "writer", "q", "publish it?", "approval", ("yes", "no"))
    assert shown(asked) == ["writer       asks: publish it? [yes / no]"]


def test_a_rehearsal_is_labelled_on_every_line() -> None:
    lines = shown(
        RunStarted(RUN, "desk", "count", rehearsal=True), Warned(RUN, "supervisor", "one\ntwo")
    )
    assert len(lines) == 3
    assert all(line.startswith("REHEARSAL | ") for line in lines)


def test_hostile_text_of_tools_and_models_is_neutralised() -> None:
    evil = "\x1b]52;c;cm0gLXJmIC8=\x07\x1b[1A"
    lines = shown(
        StepStarted(RUN, evil),
        ToolStarted(RUN, "writer", "c", "shell", evil),
        ToolFinished(RUN, "writer", "c", "shell", "ok", evil),
        TextDelta(RUN, "writer", evil),
        Warned(RUN, "writer", evil),
        chat=True,
    )
    assert "\x1b" not in "".join(lines)
    assert sum("␛]52" in line for line in lines) == 5


def test_words_are_streamed_in_chat_and_left_out_elsewhere() -> None:
    events = (
        TextDelta(RUN, "writer", "Hel"),
        ReasoningDelta(RUN, "writer", "hm"),
        TextDelta(RUN, "writer", "lo"),
        called("writer"),
    )
    assert shown(*events, chat=True) == ["writer       Hello"]
    assert shown(*events) == []


def test_a_chat_is_not_told_what_it_can_see() -> None:
    assert shown(
        RunStarted(RUN, "desk", "count"),
        Routed(RUN, ("writer",), "addressed", "the person named it"),
        MemberStarted(RUN, "writer", "writer#1", "count"),
        Routed(RUN, ("analyst",), "model", "tables"),
        MemberFinished(RUN, "writer", "writer#1", "completed", 2, "12"),
        MemberFinished(RUN, "analyst", "analyst#1", "limited", 2, "out of steps"),
        chat=True,
    ) == [
        "supervisor   gives it to analyst (model: tables)",
        "analyst      limited after 2 steps: out of steps",
    ]


def test_one_speaks_at_a_time() -> None:
    assert shown(
        TextDelta(RUN, "a", "one "),
        TextDelta(RUN, "b", "other"),
        TextDelta(RUN, "a", "two"),
        called("a"),
        TextDelta(RUN, "b", " half a sentence"),
        called("b"),
        TextDelta(RUN, "b", "new"),
        chat=True,
    ) == ["a            one two", "b            new"]


def finished(result: RunResult) -> list[str]:
    out = io.StringIO()
    with Screen(out) as screen:
        show_result(screen, result)
    return out.getvalue().splitlines()


def test_the_result_names_files_steps_tokens_and_an_unknown_price() -> None:
    result = RunResult(
        RUN,
        "completed",
        "twelve",
        steps=3,
        usage=Usage(1000, 200),
        artifacts=(Artifact("/home/me/report.md", "00"),),
    )
    assert finished(result) == [
        "",
        "twelve",
        "",
        "file: /home/me/report.md",
        "completed: 3 steps, 1,200 tokens (1,000 in, 200 out), cost unknown, run r1",
    ]


def test_a_known_price_is_shown_even_when_it_is_nothing() -> None:
    assert "cost 0 USD" in finished(RunResult(RUN, "completed", "x", cost_usd=Decimal(0)))[-1]


def test_every_line_of_a_rehearsals_result_is_labelled() -> None:
    lines = finished(RunResult(RUN, "completed", "one\n\ntwo", rehearsal=True))
    assert len(lines) == 6
    assert all(line.startswith("REHEARSAL |") for line in lines)


def test_a_waiting_run_shows_the_exact_commands_to_answer() -> None:
    questions = (
        Question("writer#1:2", "writer", "which year?", "question"),
        Question("it's", "chief", "publish?", "approval"),
    )
    lines = finished(RunResult(RUN, "waiting", "", questions=questions))
    assert lines[-4:] == [
        "writer asks: which year?",
        "  retinue runs answer r1 'your answer' --question 'writer#1:2'",
        "chief asks: publish?",
        "  retinue runs answer r1 --approve --question 'it'\"'\"'s'   (or --deny)",
    ]


def test_a_limited_run_says_how_to_go_on() -> None:
    lines = finished(RunResult(RUN, "limited", "", error="120 steps are used up"))
    assert "120 steps are used up" in lines
    assert lines[-1].endswith("retinue runs resume r1")
