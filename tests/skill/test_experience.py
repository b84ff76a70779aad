"""What counts as a sign from outside, and what makes a task worth a skill."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.skill import Experience, Sign, Step
from orchestrator.skill.draft import draft
from orchestrator.skill.experience import worth
from orchestrator.skill.tasks import general


def shell(command: str, code: int = 0, text: str = "") -> Step:
    return Step("shell", {"command": command}, "ok", text, code)


def write(path: str, outcome: str = "ok") -> Step:
    return Step("write", {"path": path, "content": "x"}, outcome, "")


def done(*steps: Step, **more: Any) -> Experience:
    return Experience("r1", "worker#1", "firm/worker", "Mend the tide tables", steps, **more)


@pytest.mark.parametrize(
    ("steps", "sign"),
    [
        ((shell("pytest -q", 1), shell("pytest -q")), Sign(True, "tests", "pytest -q")),
        ((shell("make test"), shell("pytest", 1)), Sign(False, "tests", "pytest")),
        ((shell("cargo test"), shell("rm x", 1)), Sign(True, "tests", "cargo test")),
        ((shell("./fix", 2), shell("./fix --again")), Sign(True, "exit code", "./fix --again")),
        ((shell("./fix", 2), shell("true")), None),
        ((shell("true # pytest"),), None),
        ((shell("echo pytest"),), None),
        (
            (shell("pytest || true", text="1 failed, 3 passed"),),
            Sign(False, "tests", "pytest || true"),
        ),
        ((shell("pytest || true"),), None),
        (
            (shell("pytest | tail -1", text="4 passed in 1s"),),
            Sign(True, "tests", "pytest | tail -1"),
        ),
        (
            (shell("cd a && X=1 python3 -m pytest -q && git diff"),),
            Sign(True, "tests", "cd a && X=1 python3 -m pytest -q && git diff"),
        ),
        (
            (shell("go test ./...; echo done", text="FAIL\tx"),),
            Sign(False, "tests", "go test ./...; echo done"),
        ),
        ((shell("ls"), shell("ls -l")), None),
        ((shell("ls", 1),), None),
        ((write("a"), write("b")), None),
    ],
)
def test_commands_speak_for_themselves(steps: tuple[Step, ...], sign: Sign | None) -> None:
    assert done(*steps).outside == sign


def test_a_person_s_word_goes_before_tests() -> None:
    bad = Sign(False, "person", "bad")
    assert done(shell("pytest"), sign=bad).outside == bad


@pytest.mark.parametrize(
    ("experience", "seen", "reasons"),
    [
        (done(*(write(f"{n}") for n in range(5))), False, ("5 tool calls",)),
        (done(*(write("same") for _ in range(9))), False, ()),
        (done(*(write(f"{n}") for n in range(4))), False, ()),
        (done(write("a", "retry"), write("b")), False, ("a recovered error",)),
        (done(write("a", "denied"), write("b")), False, ()),
        (done(write("a"), corrections=("Use tabs.",)), False, ("a correction by a person",)),
        (done(write("a")), True, ("a second similar task",)),
        (done(), True, ()),
    ],
)
def test_only_some_tasks_are_worth_a_skill(
    experience: Experience, seen: bool, reasons: tuple[str, ...]
) -> None:
    assert worth(experience, seen_before=seen).reasons == reasons


class Model:
    """A writer that says what it was told to say."""

    name = "double/writer"

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.prompts: list[str] = []

    async def write(self, prompt: str, schema: object) -> dict[str, Any]:
        self.prompts.append(prompt)
        return self.answer


async def test_steps_rules_and_pitfalls_come_from_what_was_done() -> None:
    experience = done(
        Step("query_table", {"sql": "SELECT x FROM t"}, "retry", "no such column: x"),
        Step("query_table", {"sql": "SELECT y FROM t"}, "ok", "3"),
        Step("python", {"code": "a = 1\nprint(a)"}, "ok", "1", 0),
        corrections=("Round to whole metres.",),
    )
    body = (await draft(experience, None)).body
    assert "1. `query_table` with sql: `SELECT y FROM t`" in body
    assert "SELECT x" not in body.split("## Rules")[0], "what failed is no step"
    assert "   a = 1\n   print(a)" in body
    assert "## Rules\n\n- Round to whole metres." in body
    assert "fails; this works" in body
    assert "no such column" not in body, "words from outside"


async def test_a_model_gives_the_words_and_no_steps() -> None:
    words = {
        "name": "Tide Tables",
        "description": "Mends tide tables. Use when a tide table is wrong.",
        "triggers": ["the tides are off"],
        "not_for": ["book a boat"],
        "pitfalls": ["Minutes are not decimals."],
    }
    model = Model(words)
    made = await draft(done(write("a.txt")), model)
    assert (made.name, made.description) == ("tide-tables", words["description"])
    assert made.metadata["triggers"] == "Mend the tide tables\nthe tides are off"
    assert made.metadata["not-for"] == "book a boat"
    assert "- Minutes are not decimals." in made.body
    assert "`write` with path: `a.txt`" in model.prompts[0]


@pytest.mark.parametrize("answer", [{}, {"name": "", "description": 7, "triggers": "no list"}])
async def test_words_that_are_no_use_are_replaced_by_rule(answer: dict[str, Any]) -> None:
    made = await draft(done(write("a.txt")), Model(answer))
    assert made.name == "mend-tide-tables"
    assert "Mend the tide tables" in made.description


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("Mend the tables of Lisbon", "Mend the tables of"),
        ("Sum column b of sales_2023.csv", "Sum column b of"),
        ('Write "hello" into the report', "Write into the report"),
        ("Hello Anna", "Hello Anna"),
    ],
)
def test_the_kind_of_a_request_leaves_its_particulars_out(request_: str, kind: str) -> None:
    assert general(request_) == kind
