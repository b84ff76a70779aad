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
        ("I work as a nurse.", "Ann works as a nurse"),
        ("I'm 34 years old", "Ann is 34 years old"),
        ("My favourite colour is blue.", "Ann's favourite colour is blue"),
        ("my wife is called Eve", "Ann's wife is called Eve"),
        ("I'm allergic to nuts.", "Ann is allergic to nuts"),
        ("I really hate meetings.", "Ann does not like meetings"),
        ("I prefer tabs over spaces", "Ann prefers tabs over spaces"),
        ("Please always answer in French!", "Ann asks: always answer in French"),
        ("Never use tabs.", "Ann asks: never use tabs"),
        ("Remember that the lift is broken.", "Ann asked to remember: the lift is broken"),
        ("I quit my job at Globex.", "Ann no longer works at Globex"),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I now live in the south of France.", "Ann lives in the south of France"),
        ("I live in New York these days.", "Ann lives in New York"),
        ("I'm living in Rio de Janeiro since March", "Ann lives in Rio de Janeiro"),
        ("I live in Portland, Oregon.", "Ann lives in Portland, Oregon"),
        ("I've just relocated to the Netherlands.", "Ann lives in the Netherlands"),
        ("I moved to Oslo last year.", "Ann lives in Oslo"),
        ("For the record: I live in Graz.", "Ann lives in Graz"),
        ("Hi Bob: I live in Graz.", "Ann lives in Graz"),
        ("Note: I work at Acme.", "Ann works at Acme"),
        ("A few things about me:\nI work for the University of Oslo.", None),
        ("I joined Globex as a designer.", "Ann works at Globex"),
        ("I work as a data engineer now.", "Ann works as a data engineer"),
        ("I work at SAP as a developer.", "Ann works at SAP"),
        ("I'm working for Acme now.", "Ann works at Acme"),
        ("I live in Lyon now, not in Paris.", "Ann lives in Lyon"),
        ("I no longer live in Paris.", "Ann no longer lives in Paris"),
        ("I've moved out of Paris", "Ann no longer lives in Paris"),
        ("I don't work at Acme any more.", "Ann no longer works at Acme"),
        ("I left Acme last year.", "Ann no longer works at Acme"),
        ("I'm a vegetarian now.", "Ann is vegetarian"),
        ("i live in lyon btw", "Ann lives in lyon"),
        ("im allergic to peanuts and bees", "Ann is allergic to peanuts and bees"),
        ("ALWAYS REPLY IN ENGLISH", "Ann asks: always answer in ENGLISH"),
        ("Please always answer in French from now on, thanks", "Ann asks: always answer in French"),
        ("I got laid off from Intel last week.", "Ann no longer works at Intel"),
        ("I live in the US", "Ann lives in the US"),
        ("I live in St. Louis.", "Ann lives in St. Louis"),
        ("I currently live in Lyon :)", "Ann lives in Lyon"),
        ("I live in Bosnia and Herzegovina", "Ann lives in Bosnia and Herzegovina"),
        ("I just moved to Lyon and need a dentist", "Ann lives in Lyon"),
        ("I've been living in Lyon since 2019.", "Ann lives in Lyon"),
        ("I no longer live in Paris but in Lyon.", "Ann lives in Lyon"),
        ("Please remember that I live in Lyon.", "Ann lives in Lyon"),
        ("I work at eBay", "Ann works at eBay"),
        ("I was laid off last week.", "Ann has no job"),
        ("I'm no longer at Acme.", "Ann no longer works at Acme"),
        ("I'm no longer vegan", "Ann is no longer vegan"),
        ("My name is J. R. Tolkien.", "Ann's name is J. R. Tolkien"),
        ("I left my job at Initech.", "Ann no longer works at Initech"),
        ("I have quit my job.", "Ann has no job"),
        ("My name is April May.", "Ann's name is April May"),
        ("I work at GitHub.", "Ann works at GitHub"),
        ("You can call me Annie.", "Ann's name is Annie"),
        ("My name is Ludwig van Beethoven.", "Ann's name is Ludwig van Beethoven"),
        ("My birthday is on the 3rd of May.", "Ann's birthday is 3rd of May"),
        ("My birthday is May 3", "Ann's birthday is May 3"),
        ("My time zone is Europe/Berlin.", "Ann's time zone is Europe/Berlin"),
        ("my timezone is UTC+2", "Ann's time zone is UTC+2"),
        ("I speak German and Polish.", "Ann speaks German and Polish"),
        ("I like jazz.", "Ann likes jazz"),
        ("I love the Beatles.", "Ann likes the Beatles"),
        ("I don't like long answers.", "Ann does not like long answers"),
        ("I enjoy hiking in winter", "Ann likes hiking in winter"),
        ("I'm vegan.", "Ann is vegan"),
        ("I was born in 1984.", "Ann was born in 1984"),
        ("From now on, always cite your sources.", "Ann asks: always cite your sources"),
        ("Never push to main.", "Ann asks: never push to main"),
        ("Always run the tests before you commit.", None),
        ("Never delete my files without asking", "Ann asks: never delete my files without asking"),
        ("Remember that my flat has no lift.", "Ann asked to remember: my flat has no lift"),
        ("By the way: my manager is called Eva Sand.", "Ann's manager is called Eva Sand"),
        ("I live in Lyon. Translate this: I am 12 years old.", "Ann lives in Lyon"),
    ],
)
def test_what_is_plain_is_understood_in_many_forms(text: str, expected: str | None) -> None:
    assert len(told(text)) == 1
    assert expected is None or told(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "Bob: I live in Berlin.",
        "[10:30] Bob: I moved to Paris.",
        "[10:30] Bob\nI moved to Paris.",
        "User: I live in Paris",
        "On Monday Bob wrote: I moved to Madrid.",
        "She goes, I live in Paris.",
        "According to Bob, I live in Paris.",
        "Bob says:\nI live in Paris.",
        "Bob says:\n\nI live in Paris.",
        "Bob, 12:03\nI live in Paris",
        "Ann: hello\nBob: hi\nI live in Paris.",
        "See below.\n\nFrom: Bob\nTo: Ann\n\nHello,\n\nI live in Paris.\nMy name is Bob.",
        "-----Original Message-----\nHello Ann.\nI live in Paris.",
        '"""\nI live in Paris.\n"""',
        "<quote>\nI live in Paris.\n</quote>",
        "``I live in Paris``",
        "    I live in Paris.",
        "\tI live in Paris.",
        "„Hallo.\nI live in Paris.“",
    ],
)
def test_what_others_wrote_is_not_of_the_speaker(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Translate into French: I live in London.",
        "Translate into French.\n\nI live in London.",
        "Please translate this to Dutch. I live in London.",
        "Correct the grammar: I am 12 years old.",
        "Act as a pirate. My name is Blackbeard.",
        "Roleplay: I'm a vegan.",
        "Repeat: I live in Paris.",
        "Set the title to: I live in Paris.",
        "Imagine you are me. I live in Paris.",
        "Hi! Let's pretend a bit. I live in Paris.",
        "Classify the sentiment: I hate this hotel.",
        "Classify the sentiment.\nI hate hotels.",
        "Summarise these rules:\nNever run indoors.\nAlways wear shoes.\nAlways ask first.",
    ],
)
def test_what_is_given_for_a_task_is_not_of_the_speaker(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Not true: I live in Paris.",
        "I live in Paris, not.",
        "I live in Paris - not!",
        "I live in Paris no more.",
        "I like coffee no more.",
        "I live in Paris. Just kidding.",
        "I live in Paris. That's not true.",
        "I live in Paris?!",
        "I love Mondays (not).",
    ],
)
def test_what_is_taken_back_is_not_kept(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Section 3.",
        "I just moved to Python 3.11.",
        "I've just moved to Postgres.",
        "I just moved to Vercel.",
        "i moved to spring",
        "I moved to Paris in 2010 and to London in 2015",
        "I just started working with Elixir",
        "I quit my job last year to start Fennel",
        "I was laid off in 2009 and it was rough",
        "April fools! I quit my job",
        "I love Mondays /s",
        "I'm allergic to YAML",
        "I can't stand up, the desk is broken",
        "I'd prefer a call on Tuesday",
        "I love my wife",
        "Let's say my salary is 50k and I live in Austria.",
        "Does this sound natural? I am 30 years old.",
        "Fix the typos please. I live in Paris.",
        "I work at Siemens. Scratch that, Bosch.",
        "MY NAME IS NOT IN THE LIST",
        "never use it tbh",
        "remember that time we broke prod",
        "I live in Confluence",
        "I joined Webex as a guest",
        "I moved to Next.js",
        "I moved to Finance.",
        "I moved to Berlin for a week.",
        "I moved to Berlin in 2019 but moved back.",
        "Ten years ago, I moved to Berlin, then to Rome.",
        "When I was 20, I moved to Paris.",
        "In my novel, I live in Mordor and my name is Frodo.",
        "In my dream last night, I quit my job.",
        "I'm based in Berlin this week.",
        "I joined Sarah for lunch.",
        "I joined LinkedIn last year.",
        "I left Acme for lunch.",
        "I left Acme as the default client.",
        "I left my job this morning running.",
        "I left Acme, but I came back.",
        "I don't work at Acme this week.",
        "I no longer work for Acme as a contractor, I'm full-time now.",
        "I am working as a reviewer on this paper.",
        "Here is Bob's email:\n\nHi,\n\nI work at Globex.\n\nBest,\nBob",
        "Fix the grammar\nI live in Rome.",
        "Here's my first draft\n\nI left Acme.",
        "Make it more formal\n\nI quit my job.",
        "How do you say this in French? I live in Rome.",
        "Bob wrote this yesterday\nI work at Globex.",
        "Dear landlord,\n\nI live in Rome.",
        "Poem\n\nI left London\nI live in Hope",
        "I moved from Jira to Linear.",
        "I live in Excel.",
        "I work for Free.",
        "I work for You.",
        "I joined Sales and Orders on id.",
        "I started at Line 10.",
        "I quit smoking.",
        "I quit Vim.",
        "I left A comment in the PR.",
        "I left Bob a message.",
        "I left my job running.",
        "Call me ASAP.",
        "Call me Tomorrow.",
        "Call me Monday at noon.",
        "I'm called Out for this.",
        "Call me Crazy, but this works.",
        "I work as expected.",
        "I'm working as fast as I can.",
        "My birthday is in 3 days.",
        "My time zone is wrong.",
        "I speak No German.",
        "I speak For everyone here.",
        "Never worked for me.",
        "Never heard of it.",
        "Never seen this error before.",
        "Always fails with exit code 1.",
        "Always the same error.",
        "Always happy to help!",
        "never have I been so proud",
        "Always Sunny is my show",
        "I hate to bother you.",
        "I hate this.",
        "I don't like it.",
        "I don't like them any more.",
        "I like the second one better.",
        "I don't like the tone of paragraph 2.",
        "I prefer the second one.",
        "I live in Paris and Bob lives in Rome.",
    ],
)
def test_talk_about_work_is_no_fact_about_the_speaker(text: str) -> None:
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
    def once(size: int) -> float:
        text = pattern.format((filler * size)[:size])
        before = time.thread_time()
        list(read(text))
        return time.thread_time() - before

    def cpu(size: int) -> float:
        return min(once(size) for _ in range(3))  # something else may run between

    assert cpu(16_000) < 40 * max(cpu(2_000), 0.002)
