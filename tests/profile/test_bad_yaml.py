"""What no parser should be fed: each is refused with file, line and a hint."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from tests.profile.conftest import Bench

MEMBERS = "members:\n  - {profile: a, agent: analyst}\n"

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefghi")
)

MERGE_BOMB = f"a: &a {{{', '.join(f'k{n}: 1' for n in range(900))}}}\nb: [{'{<<: *a}, ' * 900}]\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("# nothing yet\n", 1, "is empty"),
        ("- a\n- b\n", 1, "does not hold"),
        ("just words\n", 1, "does not hold"),
        (b"name: x\n\0\n", None, "binary"),
        (b"name: x\ndescription: caf\xe9\n", 2, "not UTF-8"),
        ("name: x\ndescription: a\x01b\n", 2, "control characters"),
        ("name: x\n\tdescription: y\n", 2, "a tab indents this line"),
        ("name: x\nmembers:\n\t- profile: a\n", 3, "a tab indents this line"),
        ("name: x\ndescription: a: b\n", 2, "mapping values are not allowed"),
        ("name: x\ndescription: 'never closed\n" + MEMBERS, 2, "unexpected end"),
        ("name: x\ndescription: [a, b\n" + MEMBERS, 3, "did not find expected"),
        ("name: x\ndescription: *there\n", 2, "no anchor 'there'"),
        ("name: x\ndescription: @here\n", 2, "cannot start any token"),
        ("name: &n [*n]\n", 1, "holds itself"),
        ("name: x\n---\nname: y\n", 2, "a second document"),
        ("name: " + "[" * 5000, 1, "nested deeper"),
        ("name: " + "{a: " * 5000, 1, "nested deeper"),
        (BOMB, 6, "grows to more than 100,000 values"),
        (MERGE_BOMB, 2, "grows to more than 100,000 values"),
        ("name: " + "a" * 1_100_000, None, "larger than 1,000,000 bytes"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str | bytes) else None,
)
def test_a_text_that_is_no_team_is_refused_where_it_goes_wrong(
    bench: Bench, text: str | bytes, line: int | None, said: str
) -> None:
    problem = bench.refused(text)[-1]
    assert problem.file.endswith("team.yaml")
    assert (problem.line, said in problem.problem) == (line, True), problem
    assert problem.hint


def test_keys_given_twice_are_all_named_with_both_lines(bench: Bench) -> None:
    found = bench.refused(f"name: x\nname: y\nlimits:\n  hops: 1\n  hops: 2\n{MEMBERS}")
    assert [(problem.line, problem.key) for problem in found] == [(2, "name"), (5, "limits.hops")]
    assert found[1].problem == "given twice, first in line 4"


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!!binary", "!own", "!!set"])
def test_a_tag_is_refused_and_nothing_is_built_from_it(bench: Bench, tag: str) -> None:
    problem = bench.refused(f"name: x\ndescription: {tag} y\n{MEMBERS}")[0]
    assert (problem.line, problem.key) == (2, "description")
    assert tag in problem.problem


def test_a_number_that_is_none_is_refused(bench: Bench) -> None:
    found = bench.refused(f"name: x\nlimits:\n  hops: {'9' * 5000}\n  steps: !!int many\n{MEMBERS}")
    assert {problem.key for problem in found} == {"limits.hops", "limits.steps"}


def test_dates_times_and_keys_stay_the_text_that_stands_there(bench: Bench) -> None:
    team = bench.team(f"""
name: x
{MEMBERS}
workflows:
  daily:
    inputs: {{day: 2024-01-31, at: 12:30, on: 1, 7: seven, answer: yes, half: 0.5, none: ~}}
    steps: [{{id: one, prompt: hello}}]
""")
    assert team.workflows["daily"].inputs == {
        "day": "2024-01-31",
        "at": "12:30",
        "on": 1,
        "7": "seven",
        "answer": True,
        "half": 0.5,
        "none": None,
    }


def test_anchors_and_merge_keys_work(bench: Bench) -> None:
    team = bench.team("""
name: x
defaults:
  limits: &limits {steps: 3, tokens: 500}
members:
  - profile: a
    agent: analyst
    limits: {<<: *limits, tokens: 900}
""")
    limits = team.members[0].limits
    assert (limits.steps, limits.tokens) == (3, 900)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(bench: Bench) -> None:
    assert bench.team("\ufeffname: x\r\n" + MEMBERS.replace("\n", "\r\n")).name == "x"


def test_what_is_no_file_is_refused_without_opening_it(bench: Bench) -> None:
    os.mkfifo(bench.project / "pipe.yaml")
    (problem,) = bench.problems("pipe.yaml")
    assert problem.problem == "is not a file"


def test_an_unreadable_file_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = bench.write("team.yaml", f"name: x\n{MEMBERS}")
    monkeypatch.setattr(Path, "open", refuse)
    (problem,) = bench.problems(file)
    assert problem.problem == "cannot be read: Permission denied"
