"""Which messages are wishes about oneself, and which are ordinary tasks."""

from __future__ import annotations

import pytest

from orchestrator.team.personal import FILES, UNFINISHED, Wish, read_wish, told


@pytest.mark.parametrize(
    "text",
    [
        "What do you know about me?",
        "what do you remember about me",
        "Tell me what you know about me.",
        "Please, what have you learned about me?",
    ],
)
def test_a_question_about_oneself_is_understood(text: str) -> None:
    assert read_wish(text) == Wish("known")


@pytest.mark.parametrize(
    "text",
    [
        "forget that",
        "Forget that.",
        "Forget that…",
        "Forget what I just said!",
        "please forget this",
        "Forget what I told you",
    ],
)
def test_the_last_message_can_be_taken_back(text: str) -> None:
    assert read_wish(text) == Wish("last")


@pytest.mark.parametrize(
    "text",
    [
        "Forget me",
        "forget everything about me.",
        "Delete all you know about me",
        "forget me, please",
        "Could you forget me?",
        "Can you please forget me?",
        "delete my data",
        "Please delete all my data.",
        "remove everything about me",
        "Erase everything you know about me",
    ],
)
def test_a_person_can_ask_to_be_forgotten(text: str) -> None:
    assert read_wish(text) == Wish("person")


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Forget that I live in Paris.", "I live in Paris"),
        ("forget that I\N{RIGHT SINGLE QUOTATION MARK}m allergic to nuts", "I'm allergic to nuts"),
        ("Forget about my divorce", "my divorce"),
        ("please forget what I said about Anna", "Anna"),
        ("Forget what I told you about the giraffe", "the giraffe"),
        ("forget my address", "my address"),
        ("forget where I live", "where I live"),
        ("forget everything about my sister", "my sister"),
        ("Forget that my address is 5, Rue X", "my address is 5, Rue X"),
    ],
)
def test_a_topic_can_be_forgotten(text: str, topic: str) -> None:
    assert read_wish(text) == Wish("topic", topic)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "forget",
        "Forget it",
        "Forget about it",
        "Forget everything",
        "forget about formatting",
        "forget about tests for now",
        "Forget about the second table",
        "forget that my code is broken",
        "Forget about my previous question",
        "Forget what I wrote in paragraph 2",
        "Forget that we need a table",
        "Forget everything about the budget",
        "remove me from the list",
        "Remove my data from the table",
        "Don't forget that I live in Paris",
        "Never forget me",
        "forget me not is a flower: describe it",
        "Write a poem called forget me",
        "Forget that I asked for a table, and write a letter",
        "Forget that I asked for a table",
        "Forget about the table and write a letter",
        "Forget about the deadline, just send it",
        "Forget that I live in Paris. Write a letter.",
        "Forget that the report is late",
        "Forget about the table; use a list instead",
        "forget that\nand count the rows",
        "What do you know about mechanics?",
        "What do you know about me and Anna's contract",
        "Tell me what you know about Mexico",
        "Forget that I live " + "in Paris " * 20,
        "Delete everything in the folder",
    ],
)
def test_an_ordinary_task_is_none(text: str) -> None:
    assert read_wish(text) is None


def test_numbers_are_told_in_words_a_person_would_use() -> None:
    assert told({"messages": 2, "conclusions": 1, "runs": 0}) == "2 messages and 1 conclusion"
    assert told({"messages": 1, "conclusions": 2, "runs": 3}) == (
        "1 message, 2 conclusions and 3 runs"
    )
    assert told({FILES: 1, UNFINISHED: 1}) == (
        "1 run with its files and 1 unfinished run, which is cancelled"
    )
    assert told({UNFINISHED: 2}) == "2 unfinished runs, which are cancelled"
    assert told({}) == "nothing"
