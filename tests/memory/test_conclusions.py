"""What is believed of a peer: kept once, counted, replaced with a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.memory.card import card
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import Conversations
from orchestrator.memory.rules import read
from orchestrator.memory.user_model import Conclusion, Level

ME = "firm/counter"
KEY = "sk-proj-" + "a1B2" * 8
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Notebook:
    """Conclusions with what was said to bring them about."""

    def __init__(self, database: Database) -> None:
        self.said = Conversations(database)
        self.store = Conclusions(database)
        self._database = database
        self._count = 0
        self.session = "s"

    def hear(self, peer: str, text: str, *, days: int = 0, observer: str = ME) -> Sequence[int]:
        """Somebody says something, and the rules read it; the conclusions."""
        self._count += 1
        at = START + timedelta(days=days)
        self.said.append(
            self.session,
            run="r",
            key=str(self._count),
            peer=peer,
            kind="said",
            text=text,
            tokens=1,
            at=at,
        )
        message = self.said.of_run("r")[-1].id
        made = [
            self.store.add(
                observer,
                peer,
                each.text.replace("{who}", peer),
                kind=each.kind,
                by="rule",
                at=at,
                sources=(message,),
                slot=each.slot,
                value=each.value,
                change=each.change,
                sure=each.sure,
            )
            for each in read(text)
        ]
        return [each for each in made if each is not None]

    def note(self, text: str, **more: Any) -> int | None:
        return self.store.add(ME, "ann", text, by="rule", at=START, **more)

    def card(self, peer: str = "ann", observer: str = ME) -> Sequence[str]:
        return card(self.store.about(peer, observer=observer), self.store.peers.names(peer))

    def valid(self, peer: str = "ann", *, level: Level = "explicit") -> Sequence[str]:
        return [each.text for each in self.store.about(peer) if each.level == level]


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    return Notebook(Database(tmp_path / "memory.db"))


def test_what_is_said_twice_is_kept_once_and_counted(book: Notebook) -> None:
    (first,) = book.hear("ann", "I live in Paris")
    (again,) = book.hear("ann", "I live in  PARIS!", days=3)
    assert again == first
    kept = book.store.get([first])[first]
    assert (kept.times, len(kept.sources)) == (2, 2)
    assert (kept.valid_from, kept.last_said) == (START, START + timedelta(days=3))


def test_a_message_read_twice_counts_once(book: Notebook) -> None:
    (one,) = book.hear("ann", "I live in Paris")
    source = book.store.get([one])[one].sources
    book.store.add(
        ME, "ann", "ann lives in Paris", by="rule", at=START, sources=source, slot="home",
        value="paris", change="replaces", kind="identity",
    )  # fmt: skip
    assert book.store.get([one])[one].times == 1


def test_a_new_home_replaces_the_old_one_which_stays_in_the_history(book: Notebook) -> None:
    book.hear("ann", "I live in Paris")
    book.hear("ann", "I moved to Lyon", days=10)
    assert list(book.card()) == ["IDENTITY: lives in Lyon"]
    new, old = book.store.about("ann", history=True)
    assert (old.text, new.text) == ("ann lives in Paris", "ann lives in Lyon")
    assert (old.invalidated_at, old.replaced_by) == (START + timedelta(days=10), new.id)
    assert new.valid


def test_who_moves_back_lives_there_anew(book: Notebook) -> None:
    for days, text in enumerate(("I live in Paris", "I moved to Lyon", "I moved to Paris")):
        book.hear("ann", text, days=days)
    assert list(book.card()) == ["IDENTITY: lives in Paris"]
    assert len(book.store.about("ann", history=True)) == 3


def test_what_is_left_holds_no_more_and_the_rest_stays(book: Notebook) -> None:
    book.hear("ann", "I work at Acme Corp")
    book.hear("ann", "I live in Paris, France", days=1)
    book.hear("ann", "I work at Globex now", days=2)
    book.hear("ann", "I left Acme", days=3)
    assert "IDENTITY: works at Globex" in book.card()
    book.hear("ann", "I no longer live in Paris", days=4)
    (end,) = book.hear("ann", "I left Globex", days=5)
    assert not {"IDENTITY: works at Globex", "IDENTITY: lives in Paris, France"} & {*book.card()}
    ended = [each for each in book.store.about("ann", history=True) if each.replaced_by == end]
    assert [(each.text, each.invalidated_at) for each in ended] == [
        ("ann works at Globex", START + timedelta(days=5))
    ]


def test_who_comes_back_has_not_left(book: Notebook) -> None:
    for days, text in enumerate(
        ("I live in Paris", "I no longer live in Paris", "I live in Paris")
    ):
        book.hear("ann", text, days=days)
    assert list(book.card()) == ["IDENTITY: lives in Paris"]


def test_an_end_is_remembered_for_what_was_said_before_it(book: Notebook) -> None:
    book.hear("ann", "I no longer live in Paris", days=10)
    book.session = "brought along"
    for days, text in ((1, "I live in Paris"), (2, "I work at Acme")):
        book.hear("ann", text, days=days)
    assert list(book.card()) == ["IDENTITY: works at Acme", "EVENT: no longer lives in Paris"]


def test_an_end_said_under_another_name_counts_once_they_are_linked(book: Notebook) -> None:
    book.hear("@ann", "I live in Paris", days=2)
    book.hear("ann", "I no longer live in Paris", days=9)
    book.store.link("@ann", "ann")
    assert list(book.card()) == ["EVENT: no longer lives in Paris"]


@pytest.mark.parametrize("word", ["lives", "resides"])
def test_what_a_model_reads_later_of_an_old_message_does_not_bring_it_back(
    book: Notebook, word: str
) -> None:
    (paris,) = book.hear("ann", "I live in Paris")
    source = book.store.get([paris])[paris].sources
    book.hear("ann", "I moved to Lyon", days=1)
    text = f"ann {word} in Paris"
    book.store.add(ME, "ann", text, kind="identity", by="m", at=START, sources=source)
    assert list(book.card()) == ["IDENTITY: lives in Lyon"]


def test_an_order_replaces_its_opposite_and_another_language(book: Notebook) -> None:
    for days, text in enumerate(
        (
            "Always use tabs.",
            "Never use tabs.",
            "Always answer in French.",
            "Always reply in German.",
        )
    ):
        book.hear("ann", text, days=days)
    assert set(book.card()) == {
        "INSTRUCTION: asks: never use tabs", "INSTRUCTION: asks: always answer in German"
    }  # fmt: skip


def test_one_day_in_several_spellings_is_no_contradiction(book: Notebook) -> None:
    for text in ("3 May", "May 3", "the 3rd of May", "3 May 1990", "1990-05-03", "may 3rd, 1990"):
        book.hear("ann", f"My birthday is {text}")
    assert len(book.valid()) == 1
    assert not book.valid(level="contradiction")
    book.hear("ann", "My birthday is 4 June")
    assert len(book.valid(level="contradiction")) == 1


def test_what_a_model_has_read_is_replaced_by_what_is_said_plainly(book: Notebook) -> None:
    book.store.add(ME, "ann", "ann lives in Lyon", kind="identity", by="m", at=START)
    (again,) = book.hear("ann", "I live in Lyon", days=1)
    assert book.store.get([again])[again].times == 2
    book.hear("ann", "I moved to Oslo", days=2)
    assert list(book.card()) == ["IDENTITY: lives in Oslo"]


def test_a_model_ends_nothing_that_was_said_plainly(book: Notebook) -> None:
    book.hear("ann", "I live in Paris", days=4)
    book.store.add(ME, "ann", "ann lives in Lyon", by="m", at=START + timedelta(days=6))
    assert set(book.valid()) == {"ann lives in Paris", "ann lives in Lyon"}
    assert len(book.valid(level="contradiction")) == 1
    book.store.add(ME, "ann", "ann lives in Oslo", by="m", at=START)
    assert "ann lives in Oslo" not in book.valid()
    book.hear("ann", "I live in Lyon", days=8)
    assert list(book.card()) == ["IDENTITY: lives in Lyon"]


def test_another_order_in_the_same_message_does_not_end_with_it(book: Notebook) -> None:
    (never,) = book.hear("ann", "Never use tabs")
    source = book.store.get([never])[never].sources
    text = "ann wants no emojis"
    book.store.add(ME, "ann", text, kind="instruction", by="m", at=START, sources=source)
    book.hear("ann", "Always use tabs", days=1)
    assert set(book.valid()) == {"ann asks: always use tabs", text}


def test_what_a_model_reads_beside_a_rule_ends_with_it(book: Notebook) -> None:
    (sap,) = book.hear("ann", "I work at SAP as a developer")
    source = book.store.get([sap])[sap].sources
    text = "ann works at SAP as a developer"
    book.store.add(ME, "ann", text, kind="attribute", by="m", at=START, sources=source)
    book.store.add(
        ME, "ann", "ann enjoys working at SAP", kind="preference", by="m", at=START, sources=source
    )
    assert "ATTRIBUTE: works at SAP as a developer" in book.card()
    book.hear("ann", "I work at Acme now", days=1)
    assert list(book.card()) == [
        "IDENTITY: works at Acme", "PREFERENCE: enjoys working at SAP"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "said", "ended"),
    [
        ("I work at Acme Corp", "I left Acme", True),
        ("I work at the BBC", "I left BBC", True),
        ("I work at Ford Foundation", "I don't work for Ford", False),
        ("I live in Paris", "I don't live in Paris, Texas", False),
        ("I live in Lyon, France", "I no longer live in France", True),
        ("I live in Lyon", "I no longer live in Paris", False),
    ],
)
def test_an_end_is_of_what_it_names(book: Notebook, held: str, said: str, ended: bool) -> None:
    book.hear("ann", held)
    (first,) = book.card()
    book.hear("ann", said, days=1)
    assert (first not in book.card()) == ended


def test_who_comes_back_can_leave_again(book: Notebook) -> None:
    for days in (0, 10):
        book.hear("ann", "I work at Acme", days=days)
        assert "IDENTITY: works at Acme" in book.card()
        book.hear("ann", "I left Acme", days=days + 1)
        assert "IDENTITY: works at Acme" not in book.card()
    assert [each.text for each in book.store.about("ann")] == ["ann no longer works at Acme"]


def test_leaving_what_is_not_held_is_no_fact(book: Notebook) -> None:
    book.hear("ann", "I work at Acme")
    for text in ("I left Globex", "I left Monday", "I do not live in Acme"):
        assert book.hear("ann", text, days=1) == []
    book.hear("ann", "I work at Acme", days=9)
    book.session = "an earlier one"
    assert book.hear("ann", "I left Acme", days=4) == []
    assert [each.text for each in book.store.about("ann", history=True)] == ["ann works at Acme"]


def test_a_clock_that_goes_backwards_ends_nothing_before_it_began(book: Notebook) -> None:
    book.hear("ann", "I live in Paris", days=10)
    book.hear("ann", "I moved to Lyon", days=2)
    old = book.store.about("ann", history=True)[1]
    assert old.invalidated_at is not None
    assert old.invalidated_at >= old.valid_from
    assert list(book.card()) == ["IDENTITY: lives in Lyon"]


def test_what_cannot_both_hold_is_kept_as_a_contradiction(book: Notebook) -> None:
    first = book.hear("ann", "I like coffee")
    second = book.hear("ann", "I hate coffee", days=4)
    (doubt,) = [each for each in book.store.about("ann") if each.level == "contradiction"]
    assert set(doubt.premises) == {*first, *second}
    assert "2026-03-01" in doubt.text
    assert "2026-03-05" in doubt.text
    assert len(book.valid()) == 2
    (line,) = book.card()
    assert line.startswith("UNCLEAR: ")


def test_saying_it_again_settles_a_contradiction(book: Notebook) -> None:
    book.hear("ann", "I like coffee")
    book.hear("ann", "I hate coffee", days=4)
    book.hear("ann", "I like coffee", days=5)
    assert list(book.card()) == ["PREFERENCE: likes coffee"]
    assert not book.valid(level="contradiction")


def test_two_observers_believe_different_things_of_one_person(book: Notebook) -> None:
    book.hear("bob", "I live in Lyon")
    book.store.add("ann", "bob", "bob lives in Paris", by="m", at=START, kind="identity")
    assert list(book.card("bob")) == ["IDENTITY: lives in Lyon"]
    assert list(book.card("bob", observer="ann")) == ["IDENTITY: lives in Paris"]


def test_what_is_known_of_one_peer_is_not_known_of_another(book: Notebook) -> None:
    book.hear("ann", "I live in Paris")
    book.hear("bob", "I live in Lyon")
    assert [each.text for each, _ in book.store.search("lives in Lyon", "ann")] == [
        "ann lives in Paris"
    ]
    assert book.valid("ann") == ["ann lives in Paris"]


def test_linked_names_are_one_peer(book: Notebook) -> None:
    book.hear("discord:1", "I live in Paris")
    book.hear("matrix:@ann", "I moved to Lyon", days=2)
    assert list(book.card("discord:1")) == ["IDENTITY: lives in Paris"]
    book.store.link("matrix:@ann", "discord:1")
    for name in ("discord:1", "matrix:@ann"):
        assert list(book.card(name)) == ["IDENTITY: lives in Lyon"]
    book.hear("discord:1", "I moved to Nice", days=3)
    assert list(book.card("matrix:@ann")) == ["IDENTITY: lives in Nice"]


def test_a_link_can_be_taken_back_and_makes_no_circle(book: Notebook) -> None:
    peers = book.store.peers
    peers.link("b", "a")
    peers.link("c", "b")
    peers.link("a", "c")
    assert set(peers.names("c")) == {"a", "b", "c"}
    assert peers.unlink("b")
    assert list(peers.names("b")) == ["b"]
    with pytest.raises(PersonError, match="one name"):
        peers.link("a", "a")


def test_what_was_drawn_from_a_statement_falls_with_it(book: Notebook) -> None:
    (home,) = book.hear("ann", "I live in Paris")
    drawn = book.note("ann may speak French", level="deductive", premises=(home,))
    assert drawn is not None
    book.hear("ann", "I moved to Lyon", days=1)
    assert not book.store.get([drawn])[drawn].valid
    assert book.store.delete([home]) == 2
    assert not book.store.get([drawn])


def test_nothing_is_drawn_from_what_is_not_there(book: Notebook) -> None:
    assert book.note("ann is rich", level="deductive", premises=(99,)) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ann's password is hunter22secret", None),
        (f"ann uses {KEY} for the weather service", "weather"),
    ],
)
def test_a_credential_is_never_kept(book: Notebook, text: str, kept: str | None) -> None:
    made = book.note(text)
    stored = "" if made is None else book.store.get([made])[made].text
    assert "hunter22" not in stored
    assert "sk-proj" not in stored
    assert (kept or "") in stored


class Twins:
    """An embedder for which all texts mean the same: the worst case for a merge."""

    def embed(self, texts: Sequence[str]) -> Any:
        return np.tile(np.eye(1, 384, dtype=np.float32), (len(texts), 1))


def test_the_same_in_other_words_is_merged_but_not_another_name_number_or_denial(
    tmp_path: Path,
) -> None:
    store = Conclusions(Database(tmp_path / "memory.db"), Twins().embed)
    for text in (
        "ann enjoys long walks",
        "ann enjoys taking long walks",
        "ann does not enjoy long walks",
        "ann comes from Paris",
        "ann comes from Lyon",
        "ann owns 2 cats",
        "ann owns 3 cats",
    ):
        store.add(ME, "ann", text, by="m", at=START)
    assert store.embed_missing() == 7
    kept = {each.text: each.times for each in store.about("ann")}
    assert kept == {
        "ann enjoys taking long walks": 2,
        "ann does not enjoy long walks": 1,
        "ann comes from Paris": 1,
        "ann comes from Lyon": 1,
        "ann owns 2 cats": 1,
        "ann owns 3 cats": 1,
    }


def test_two_processes_that_merge_at_once_count_each_saying_once(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    other = Conclusions(Database(path), Twins().embed)

    def meanwhile(texts: Sequence[str]) -> Any:
        other.embed_missing()
        return Twins().embed(texts)

    store = Conclusions(Database(path), meanwhile)
    for text in ("ann enjoys long walks", "ann enjoys taking long walks", "ann owns 2 cats"):
        store.add(ME, "ann", text, by="m", at=START)
    store.embed_missing()
    kept = {each.text: each.times for each in store.about("ann")}
    assert kept == {"ann enjoys taking long walks": 2, "ann owns 2 cats": 1}


def test_what_another_process_forgets_meanwhile_gets_no_vector(tmp_path: Path) -> None:
    database = Database(tmp_path / "memory.db")
    other = Conclusions(Database(database.path))

    def meanwhile(texts: Sequence[str]) -> Any:
        other.delete([each.id for each in other.about("ann") if "Paris" in each.text])
        return Twins().embed(texts)

    store = Conclusions(database, meanwhile)
    for text in ("ann lives in Paris", "ann owns 2 cats"):
        store.add(ME, "ann", text, by="m", at=START)
    store.embed_missing()
    rows = database.all(
        "SELECT c.text FROM conclusion_vectors v LEFT JOIN conclusions c USING (id)"
    )
    assert [row["text"] for row in rows] == ["ann owns 2 cats"]


@pytest.mark.parametrize(("cosine", "left"), [(0.94, 2), (0.96, 1)])
def test_only_what_is_very_near_in_meaning_is_the_same(
    tmp_path: Path, cosine: float, left: int
) -> None:
    def embed(texts: Sequence[str]) -> Any:
        vectors = np.zeros((len(texts), 384), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row, :2] = (cosine, (1 - cosine**2) ** 0.5) if "taking" in text else (1, 0)
        return vectors

    store = Conclusions(Database(tmp_path / "memory.db"), embed)
    for text in ("ann enjoys long walks", "ann enjoys taking long walks"):
        store.add(ME, "ann", text, by="m", at=START)
    store.embed_missing()
    assert len(store.about("ann")) == left


def test_the_same_in_more_words_is_still_replaced(tmp_path: Path) -> None:
    store = Conclusions(Database(tmp_path / "memory.db"), Twins().embed)
    slot: Any = {"slot": "home", "change": "replaces", "kind": "identity", "by": "rule"}
    store.add(ME, "ann", "ann lives in Lyon", at=START, value="lyon", **slot)
    store.add(ME, "ann", "ann now lives in the city of Lyon", by="m", at=START)
    store.embed_missing()
    assert len(store.about("ann")) == 1
    later = START + timedelta(days=1)
    store.add(ME, "ann", "ann lives in Nice", at=later, value="nice", **slot)
    assert [each.text for each in store.about("ann")] == ["ann lives in Nice"]


def test_what_was_said_long_ago_elsewhere_replaces_nothing(book: Notebook) -> None:
    book.hear("ann", "I live in Lyon", days=10)
    book.session = "brought along"
    book.hear("ann", "I live in Paris", days=2)
    assert list(book.card()) == ["IDENTITY: lives in Lyon"]
    (paris,) = [each for each in book.store.about("ann", history=True) if not each.valid]
    assert "Paris" in paris.text


def test_what_was_joined_keeps_its_place_in_the_history_and_counts_a_message_once(
    tmp_path: Path,
) -> None:
    database = Database(tmp_path / "memory.db")
    book = Notebook(database)
    store = Conclusions(database, Twins().embed)
    book.hear("ann", "I live in Nice")
    (message,) = book.said.of_run("r")
    (lyon,) = book.hear("ann", "I live in Lyon", days=1)
    source = book.said.of_run("r")[-1].id
    store.add(ME, "ann", "ann now lives in the city of Lyon", by="m", at=START, sources=[source])
    assert store.merge(10) == 1
    (kept,) = store.about("ann")
    assert (kept.times, kept.kind, kept.sources) == (1, "identity", (source,))
    (nice,) = [each for each in store.about("ann", history=True) if not each.valid]
    assert (nice.sources, nice.replaced_by) == ((message.id,), kept.id)
    assert kept.id != lyon


@pytest.mark.parametrize(
    "said", ["My favourite colour is {}", "My wife is called {}", "My manager is called {}"]
)
def test_of_linked_names_the_later_said_value_holds(book: Notebook, said: str) -> None:
    book.hear("ann", said.format("Blue"), days=1)
    book.hear("@ann", said.format("Red"), days=2)
    book.store.link("@ann", "ann")
    (kept,) = book.valid()
    assert "Red" in kept


def test_what_two_linked_names_like_is_no_question_of_the_later_one(book: Notebook) -> None:
    book.hear("ann", "I like tea", days=1)
    book.hear("@ann", "I no longer like tea", days=2)
    book.store.link("@ann", "ann")
    assert len(book.valid()) == 2


def test_a_statement_as_long_as_a_book_is_kept_short(book: Notebook) -> None:
    made = book.note("a-" * 1_000_000)
    assert made is not None
    assert len(book.store.get([made])[made].text) == 1_000


def test_a_long_chain_of_deductions_falls_as_a_whole(book: Notebook) -> None:
    last = book.note("ann is the number 0")
    assert last is not None
    first = last
    for number in range(1, 1_500):
        last = book.note(f"ann is the number {number}", level="deductive", premises=(last,))
        assert last is not None
    assert book.store.invalidate([first], START) == 1_500


def test_a_damaged_word_index_is_built_anew(book: Notebook) -> None:
    book.hear("ann", "I live in Paris")
    database = book.store._database  # pyright: ignore[reportPrivateUsage]  to damage it
    database.execute("DELETE FROM conclusion_words_data")
    book.store.rebuild()
    assert [each.text for each, _ in book.store.search("Paris")] == ["ann lives in Paris"]


def test_a_card_has_at_most_forty_short_lines_the_surest_first() -> None:
    def made(number: int, times: int) -> Conclusion:
        text = f"ann fact {number} " + "x" * 300
        return Conclusion(
            number, ME, "ann", "explicit", "attribute", text, "rule", times, START, START
        )

    lines = card([made(number, times=number % 7) for number in range(100)], ["ann"])
    assert len(lines) == 40
    assert max(len(line) for line in lines) == 200
    assert lines[0].startswith("ATTRIBUTE: fact 6 ")


def test_cjk_emoji_and_right_to_left_are_found(book: Notebook) -> None:
    for text in ("ann は東京都に住んでいる", "ann אוהבת קפה", "ann likes \U0001f966 soup"):
        book.note(text)
    for query, found in (("東京", "東京都"), ("קפה", "קפה"), ("soup", "\U0001f966")):
        assert found in book.store.search(query)[0][0].text


def test_a_credential_does_not_come_back_as_the_value_of_a_conclusion(
    book: Notebook, tmp_path: Path
) -> None:
    book.store.restore(
        ME,
        "ann",
        "ann's password is hunter22secret",
        level="explicit",
        kind="attribute",
        slot="password",
        value="hunter22secret",
        by="rule",
        times=1,
        valid_from=START,
        last_said=START,
        invalidated_at=None,
        sources=(),
    )
    [row] = Database(tmp_path / "memory.db").all("SELECT * FROM conclusions")
    assert "hunter22" not in repr(dict(row))
