"""What was said is found again, by words and by meaning, and nothing else is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.index import Embedder, EmbedderMissing
from orchestrator.memory import ConversationSearch, Found, Scope, moment
from orchestrator.memory.evaluate import Recalled, ask, qualities, read_conversations, store
from tests.memory.past import Past, by_topic

DIALOGUES = Path(__file__).parents[2] / "examples" / "memory" / "dialogues.json"
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def texts(hits: Sequence[Found]) -> list[str]:
    return [hit.message.text for hit in hits]


@pytest.fixture
def shop(past: Past) -> Past:
    past.say("I signed the lease for the shop.", at=DAY)
    past.say("Then paint the sign green.", peer="desk/writer", at=DAY + timedelta(hours=1))
    past.say("Paula plays the cello.", session="family", run="two", at=DAY + timedelta(days=1))
    past.say("The fridge is too warm.", session="shop", run="three", at=DAY + timedelta(days=2))
    past.say("lease lease lease", peer="read", kind="tool", at=DAY + timedelta(days=3))
    return past


def test_a_hit_says_who_said_it_when_and_where(shop: Past) -> None:
    hit = shop.search().search("who has a cello?")[0]
    found = hit.message
    assert (found.text, found.peer, found.session, found.run) == (
        "Paula plays the cello.",
        "person",
        "family",
        "two",
    )
    assert found.at == DAY + timedelta(days=1)
    assert hit.words > 0
    assert hit.vector is not None


def test_meaning_finds_what_words_do_not(shop: Past) -> None:
    assert shop.by_words().search("Who makes music?") == []
    assert texts(shop.search().search("Who makes music?"))[0] == "Paula plays the cello."


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("We discussed the invoices", "invoice discussion"),
        ("Un café à Zürich", "cafe zurich"),
        ("resume\u0301s", "résumé"),
        ("résumés", "re\u0301sume\u0301"),
        ("每天学习十个新词。", "学习"),
        ("東京で会いましょう", "東京"),
        ("שלום לכולם", "שלום"),
        ("مرحبا بالعالم", "بالعالم"),
        ("call productVariantsUpdate 🎉", "variants"),
        ("x" * 65_000 + " needle", "needle"),
    ],
)
def test_words_are_found_in_many_scripts_and_lengths(past: Past, said: str, query: str) -> None:
    past.say("something else")
    past.say(said)
    assert texts(past.by_words().search(query)) == [said]


def test_tool_results_are_found_when_asked_for(shop: Past) -> None:
    search = shop.search()
    assert "lease lease lease" not in texts(search.search("lease"))
    assert "lease lease lease" in texts(search.search("lease", tools=True))
    assert search.index.missing() == 0


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(person="desk/writer"), {"Then paint the sign green."}),
        (Scope(person="desk"), set[str]()),
        (Scope(session="family"), {"Paula plays the cello."}),
        (
            Scope(since=moment("2026-03-02"), until=moment("2026-03-02", end=True)),
            {"Paula plays the cello."},
        ),
        (
            Scope(until=DAY + timedelta(hours=1)),
            {"I signed the lease for the shop."},
        ),
        (Scope(person="person", since=moment("2026-03-03")), {"The fridge is too warm."}),
        (Scope(since=moment("2030-01-01")), set[str]()),
        (
            Scope(without_run="run"),
            {"Paula plays the cello.", "The fridge is too warm."},
        ),
    ],
)
def test_a_scope_bounds_what_is_found(shop: Past, scope: Scope, expected: set[str]) -> None:
    query = "lease, sign, cello, fridge"
    assert set(texts(shop.search().search(query, scope))) == expected
    assert set(texts(shop.by_words().search(query, scope))) == expected


def test_all_names_of_a_person_are_searched(shop: Past) -> None:
    search = shop.search()
    shop.say("I sold the cello.", peer="matrix:@a", at=DAY)
    search.peers.link("matrix:@a", "person")
    both = {"Paula plays the cello.", "I sold the cello."}
    for name in ("person", "matrix:@a"):
        assert both <= set(texts(search.search("cello", Scope(person=name))))
        assert both == set(texts(shop.by_words().search("cello", Scope(person=name))))
    assert "I sold the cello." not in texts(search.search("cello", Scope(person="desk/writer")))


def test_the_neighbours_are_those_of_the_session(shop: Past) -> None:
    shop.say("Yes, every evening.", peer="desk/writer", session="family", run="four")
    shop.say("noise", kind="tool", session="family", run="four")
    shop.say("And the neighbours?", session="family", run="four")
    past = shop.search()
    hit = past.search("every evening")[0]
    before, after = past.conversations.around(hit.message)
    assert [each.text for each in (*before, *after)] == [
        "Paula plays the cello.",
        "And the neighbours?",
    ]


def test_what_has_no_vector_yet_is_found_by_its_words(shop: Past) -> None:
    search = shop.search()
    shop.say("The cellist wants a violin, too.")
    [first, *_] = search.search("cellist")
    assert (first.message.text, first.vector) == ("The cellist wants a violin, too.", None)
    assert search.embed_missing() == 1
    assert search.search("cellist")[0].vector is not None


def test_vectors_are_computed_newest_first_and_no_more_than_wanted(shop: Past) -> None:
    seen: list[str] = []

    def embed(some: Sequence[str]) -> object:
        seen.extend(some)
        return by_topic(some)

    search = ConversationSearch(shop.database, embed)  # pyright: ignore[reportArgumentType]
    assert search.embed_missing(2) == 2
    assert seen == ["person: The fridge is too warm.", "person: Paula plays the cello."]
    assert search.index.missing() == 2
    assert search.embed_missing() == 2
    assert "writer: Then paint the sign green." in seen
    assert search.embed_missing() == 0


def test_without_an_embedder_words_decide_which_is_said_once(
    shop: Past, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(_: Sequence[str]) -> object:
        raise EmbedderMissing("the embedding model is not installed")

    caplog.set_level(logging.WARNING)
    search = ConversationSearch(shop.database, missing)  # pyright: ignore[reportArgumentType]
    for _ in range(3):
        assert texts(search.search("cello")) == ["Paula plays the cello."]
        assert search.embed_missing() == 0
    assert caplog.text.count("searched by words alone") == 1


def test_vectors_of_another_model_are_not_compared(shop: Past) -> None:
    search = shop.search()
    shop.database.execute("UPDATE message_space SET model = 'another'")
    assert search.search("music") == []
    assert search.embed_missing() == 4
    assert texts(search.search("music"))[0] == "Paula plays the cello."


def test_a_word_of_every_message_only_adds_to_what_others_find(past: Past) -> None:
    with past.database.transaction():
        for n in range(5_200):
            past.say(f"the report number{n} is {'late' if n % 2 else 'good'} news")
        past.say("report about a walrus in the news")
        past.say("a walrus, and nothing else in many long and idle words of no use")
        past.say("quite another thing")
    search = past.by_words()
    assert "walrus" in texts(search.search("walrus report"))[0]
    assert texts(search.search("walrus report"))[0].startswith("report about")
    assert len(search.search("walrus report")) == 2
    assert texts(search.search("report"))[0].startswith(("report about", "the report"))
    both = texts(search.search("report late", most=5))
    assert all("late" in text for text in both)
    assert texts(search.search("number4711 report news")) == ["the report number4711 is late news"]


def test_meaning_is_found_within_a_scope_of_many(past: Past) -> None:
    with past.database.transaction():
        for n in range(5_100):
            past.say(f"music {n}", peer="crowd")
            past.say(f"lunch {n}", peer="cook")
        past.say("A concert.", peer="cook")
    past.database.execute("DELETE FROM messages_without_vector")
    search = ConversationSearch(past.database, by_topic)
    search.index.rebuild()
    assert search.embed_missing() == 10_201
    hits = search.search("violin", Scope(person="cook"))
    assert hits[0].message.text == "A concert."
    assert {hit.message.peer for hit in hits} == {"cook"}


def test_a_message_that_is_deleted_is_not_found(shop: Past) -> None:
    search = shop.search()
    shop.database.execute("DELETE FROM messages WHERE text LIKE 'Paula%'")
    assert "Paula plays the cello." not in texts(search.search("cello music"))
    shop.database.execute("INSERT INTO message_words (message_words) VALUES ('integrity-check')")


@pytest.mark.parametrize("query", ["", "   ", '"', "a AND (b", "NEAR(", "*", "🎉", "\ud800", "\0"])
def test_no_query_is_wrong(shop: Past, query: str) -> None:
    shop.search().search(query)
    shop.by_words().search(query)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "0001-01-01T00:00+14:00"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PersonError, match="write 2026-03-01"):
        moment(text)


def test_a_day_ends_at_midnight() -> None:
    assert moment("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert moment("2026-03-01", end=True) == datetime(2026, 3, 2, tzinfo=UTC)
    assert moment("2026-03-01T10:00+02:00", end=True) == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_fusion_finds_more_than_words_alone(tmp_path: Path) -> None:
    embedder = Embedder()
    by_words: list[Recalled] = []
    by_both: list[Recalled] = []
    for number, conversation in enumerate(read_conversations(DIALOGUES)):
        database = Database(tmp_path / f"{number}.db")
        known = store(database, conversation)
        by_words += ask(ConversationSearch(database), conversation, known)[0]
        search = ConversationSearch(database, embedder.embed)
        search.embed_missing()
        by_both += ask(search, conversation, known)[0]
        database.close()
    words, both = qualities(by_words), qualities(by_both)
    assert words["keyword"].recall_at_5 == both["keyword"].recall_at_5 == 1
    assert words["paraphrase"].recall_at_10 <= 0.1
    assert both["paraphrase"].recall_at_5 >= 0.7
    assert both["paraphrase"].recall_at_10 >= 0.85


def test_a_number_without_an_end_does_not_break_what_reads_the_message(past: Past) -> None:
    past.said.append(
        "talk",
        run="r",
        key="1",
        peer="p",
        kind="brief",
        text="t",
        tokens=1,
        extra={"person": "ann", "n": [float("inf"), 1]},
    )
    rows = past.database.all("SELECT json_extract(extra, '$.person') AS person FROM messages")
    assert [row["person"] for row in rows] == ["ann"]
    assert past.said.of_run("r")[0].extra["n"] == [None, 1]


def test_a_search_nobody_asked_for_looks_at_few_messages(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.memory.index._LARGE", 50)
    for number in range(200):
        past.say(f"note {number} on the cello" + " and a harp" * (number % 40 == 0))
    search = past.by_words()
    few = {hit.message.text for hit in search.search("cello harp", most=50, scored=10)}
    assert len(few) == 5
    assert all("harp" in text for text in few)
    assert len(search.search("cello harp", most=50)) == 5
    newest = search.search("cello", most=3, scored=10)
    assert newest[0].message.text.startswith("note 19")
