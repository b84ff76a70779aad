"""What reaches the terminal: nothing it would obey, and JSON that is JSON."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.output import Screen, columns, counted, one_line, print_json, safe

HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\x9b31md\x7fe\rf\u202eg\ud800h"


def test_escape_sequences_are_shown_and_not_sent() -> None:
    assert safe(HOSTILE) == "a␛]0;title␇b␛[2Jc\ufffd31md␡e␍f\ufffdg\ufffdh"


@given(st.text())
def test_safe_text_keeps_only_line_ends_and_tabs_of_the_control_characters(text: str) -> None:
    shown = safe(text)
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in shown)
    assert not any(0x7F <= ord(letter) < 0xA0 for letter in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 messages wait"), (1, "1 message waits"), (2, "2 messages wait")]
)
def test_one_is_told_as_one(number: int, told: str) -> None:
    assert counted(number, "message waits", "messages wait") == told


def test_ordinary_text_in_any_script_stays_as_it_is() -> None:
    text = "Größe 字 العربية 🦊\n\tnext"
    assert safe(text) == text


def test_json_holds_the_text_unchanged_and_nothing_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({"answer": HOSTILE, "plain": "Größe 字"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"answer": HOSTILE, "plain": "Größe 字"}
    assert safe(printed) == printed
    assert "Größe 字" in printed


def test_a_long_text_is_cut_to_one_line() -> None:
    assert one_line("a\n b   c") == "a b c"
    assert len(one_line("word " * 100, 50)) <= 50


def test_columns_are_aligned() -> None:
    assert columns([("RUN", "TASK"), ("longer", "a\nb")]) == ["RUN     TASK", "longer  a b"]


def test_every_line_carries_the_label_and_streamed_text_does_once_a_line() -> None:
    out = io.StringIO()
    with Screen(out) as screen:
        screen.label = "REHEARSAL"
        screen.line("one\ntwo", who="writer")
        for piece in ("thr", "ee\nfo", "ur"):
            screen.stream(piece, "writer")
        screen.line("five")
    assert out.getvalue().splitlines() == [
        "REHEARSAL | writer       one",
        "REHEARSAL |              two",
        "REHEARSAL | writer       three",
        "REHEARSAL | writer       four",
        "REHEARSAL | five",
    ]


def test_markup_in_a_text_is_text() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with Screen(out) as screen:
        screen.line("[red]no[/red] :smile: [link=file:///]x[/link]", who="[bold]me")
    assert "[red]no[/red] :smile: [link=file:///]x[/link]" in out.getvalue()
    assert "[bold]me" in out.getvalue()


def test_a_reader_that_went_away_does_not_stop_the_work() -> None:
    class Closed(io.StringIO):
        def write(self, s: str, /) -> int:
            raise BrokenPipeError

    with Screen(Closed()) as screen:
        screen.line("one")
        screen.line("two")
