"""What plain code reads out of a sentence, and what it must not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.memory.rules import may_tell, read


def told(text: str) -> list[str]:
    return [each.text.replace("{who}", "Ann") for each in read(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I live in Paris.", "Ann lives in Paris"),
        ("Hi, I'm based in Lyon now!", "Ann lives in Lyon"),
        ("I\u2019ve moved from Paris to Lyon last month.", "Ann lives in Lyon"),
        ("By the way, my name is Ann Lee.", "Ann's name is Ann Lee"),
        ("I work at Acme Corp", "Ann works at Acme Corp"),
        ("I work as a nurse.", "Ann works as nurse"),
        ("I'm 34 years old", "Ann is 34 years old"),
        ("My favourite colour is blue.", "Ann's favourite colour is blue"),
        ("my wife is called Eve", "Ann's wife is called Eve"),
        ("I'm allergic to nuts.", "Ann is allergic to nuts"),
        ("I really hate meetings.", "Ann does not like meetings"),
        ("I prefer tabs over spaces", "Ann prefers tabs over spaces"),
        ("Please always answer in French!", "Ann asks: always answer in French"),
        ("Never use tabs.", "Ann asks: never use tabs"),
        ("Remember that the lift is broken.", "Ann asked to remember: the lift is broken"),
        ("I quit my job at Globex.", "Ann has left Globex"),
    ],
)
def test_a_plain_sentence_is_understood(text: str, expected: str) -> None:
    assert told(text) == [expected]


def test_each_clause_of_a_sentence_is_read() -> None:
    text = "I moved to Lyon in March, and I work at Acme; my dog is called Rex."
    assert told(text) == ["Ann lives in Lyon", "Ann works at Acme", "Ann's dog is called Rex"]


@pytest.mark.parametrize(
    "text",
    [
        "Do I live in Paris?",
        "If I live in Paris, what tax do I pay?",
        "I used to live in Rome.",
        'He said "I live in Rome".',
        "She told me I live in the past.",
        "> I live in Rome",
        "```\nI live in Rome\n```",
        "`I live in Rome`",
        "I live in constant fear",
        "I work for free",
        "Call me tomorrow",
        "Never mind",
        "I love it",
        "Bob lives in Oslo.",
        "My colleague Bob says I live in Oslo.",
        "I want to live in Rome.",
        "Pretend my name is Bob.",
        "Bob: I live in Berlin.",
        "[10:30] Bob: I moved to Paris.",
        "Translate into French: I live in London.",
        "Not true: I live in Paris.",
        "I moved to Section 3.",
        "I just moved to Python 3.11.",
        "I quit smoking.",
        "",
    ],
)
def test_a_question_a_quotation_a_thought_or_another_person_is_left_alone(text: str) -> None:
    assert told(text) == []


def test_a_new_home_is_about_what_the_old_one_was_about() -> None:
    (old,), (new,) = read("I live in Paris"), read("I moved to Lyon")
    assert (old.slot, old.change) == (new.slot, new.change) == ("home", "replaces")
    assert old.value != new.value


def test_liking_and_disliking_the_same_thing_contradict() -> None:
    (one,), (other,) = read("I like coffee"), read("I hate coffee")
    assert one.slot == other.slot
    assert (one.value, other.value) == ("yes", "no")
    assert other.change == "contradicts"
    (over,) = read("I don't like coffee any more")
    assert (over.slot, over.change) == (one.slot, "replaces")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How many rows are there in sales.csv?", False),
        ("Summarise the report for I\u2019m in a hurry", True),
        ("Je vis à Paris", True),
        ("We meet on Mondays", True),
    ],
)
def test_an_order_without_a_word_about_oneself_needs_no_model(text: str, expected: bool) -> None:
    assert may_tell(text) is expected


@given(st.text(max_size=400))
def test_no_text_breaks_it_and_every_statement_is_about_the_speaker(text: str) -> None:
    for statement in read(text):
        assert statement.text.startswith("{who}")
        assert statement.text.count("{") == 1


@pytest.mark.parametrize(
    "pattern", ["I live in {}x", "I hate “{}", 'I hate "{}', "I hate «{}", "I live in {}\n"]
)
@pytest.mark.parametrize("filler", [" ", "\t", "“", "'", "Paris to ", "my ", ", and "])
def test_twice_the_text_takes_about_twice_the_time(pattern: str, filler: str) -> None:
    def cpu(size: int) -> float:
        text = pattern.format((filler * size)[:size])
        before = time.process_time()
        list(read(text))
        return time.process_time() - before

    cpu(1_000)
    assert cpu(16_000) < 40 * max(cpu(2_000), 0.002)
