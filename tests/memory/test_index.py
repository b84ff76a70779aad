"""The index keeps step with the messages, whatever is said and whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.database import Database, Schema
from orchestrator.errors import HomeError
from orchestrator.memory import Conversations, ConversationSearch, Scope
from orchestrator.memory.conversations import storable
from orchestrator.memory.schema import SCHEMA
from tests.memory.past import Past, by_topic

ANY_TEXT = st.text(st.characters(), max_size=300)
"""Surrogates, control characters and NUL included."""

_WRITE = """\
import sys
from pathlib import Path
from orchestrator.database import Database
from orchestrator.memory import Conversations
said = Conversations(Database(Path(sys.argv[1])))
for n in range(50):
    said.append("talk", run=sys.argv[2], key=str(n), peer="person", kind="said",
                text=f"{sys.argv[2]} says{n}", tokens=1)
"""


@given(st.lists(ANY_TEXT, min_size=1, max_size=5), ANY_TEXT)
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_stored_and_searched(messages: list[str], query: str) -> None:
    with TemporaryDirectory() as folder:
        past = Past(Path(folder))
        for number, text in enumerate(messages):
            past.say(f"{text} walrus{number}")
        search = past.search()
        search.search(query)
        for number, text in enumerate(messages):
            [hit] = past.by_words().search(f"walrus{number}")
            assert hit.message.text == storable(f"{text} walrus{number}")
        for text in messages:
            past.say(text, peer=text, session=text, kind="tool")
        search.search(query, Scope(person=query, session=query), tools=True)
        past.database.execute(
            "INSERT INTO message_words (message_words) VALUES ('integrity-check')"
        )
        past.database.close()


@given(st.lists(st.sampled_from(["said", "brief", "result", "tool"]), max_size=12))
@settings(max_examples=20, deadline=None)
def test_a_rebuilt_index_finds_what_the_old_one_found(kinds: list[str]) -> None:
    with TemporaryDirectory() as folder:
        past = Past(Path(folder))
        for number, kind in enumerate(kinds):
            past.say(f"word{number} common", kind=kind)  # pyright: ignore[reportArgumentType]
        search = past.search()
        before = search.search("common word1", tools=True)
        search.index.rebuild()
        assert search.search("common word1", tools=True) == before
        assert search.index.missing() == 0
        past.database.close()


@given(st.text("abcdefghij", min_size=6, max_size=12))
@settings(max_examples=10, deadline=None)
def test_a_marker_of_one_profile_is_never_found_in_another(word: str) -> None:
    marker = f"{word}{uuid.uuid4().hex}"
    with TemporaryDirectory() as folder:
        own, other = Past(Path(folder) / "own"), Past(Path(folder) / "other")
        own.say(f"the cello is called {marker}")
        other.say("the cello has no name")
        assert len(own.search().search(marker)) == 1
        for search in (other.search(), other.by_words()):
            for query in (marker, "cello", "what is the cello called?"):
                assert marker not in str(search.search(query, tools=True))
        for past in (own, other):
            past.database.close()
        kept = [path for path in Path(folder, "other").rglob("*") if path.is_file()]
        assert all(marker.encode() not in path.read_bytes() for path in kept)


def test_a_long_message_is_stored_and_found(past: Past) -> None:
    long = "日本語 and words " * 4_000 + "walrus"
    past.say(long)
    past.say("z " * 32_000 + "tapir", kind="tool")
    search = past.search()
    assert search.search("walrus")[0].message.text == long
    assert search.search("日本")[0].message.text == long
    assert search.search("tapir", tools=True)[0].message.text == long


def test_a_message_said_twice_is_indexed_once(past: Past) -> None:
    for _ in range(2):
        past.said.append(
            "talk", run="r", key="k", peer="p", kind="said", text="one walrus", tokens=2
        )
    assert len(past.search().search("walrus")) == 1


def test_an_older_home_is_indexed_when_it_is_opened(tmp_path: Path) -> None:
    database = Database(tmp_path / "memory.db")
    database.migrate(Schema("memory", SCHEMA.steps[:1]))
    database.execute("INSERT INTO sessions VALUES ('s', 'cli', '2026-01-01T00:00:00+00:00')")
    for key, kind, text in (
        ("1", "said", "Paula plays the cello"),
        ("2", "result", "每天学习"),
        ("3", "tool", "a walrus"),
        ("4", "said", ""),
    ):
        database.execute(
            "INSERT INTO messages (session, run, key, peer, kind, text, tokens, at) "
            "VALUES ('s', 'r', ?, 'person', ?, ?, 1, '2026-01-01T00:00:00+00:00')",
            key,
            kind,
            text,
        )
    search = ConversationSearch(database, by_topic)
    assert search.search("cello")[0].message.key == "1"
    assert search.search("学习")[0].message.key == "2"
    assert search.search("walrus") == []
    assert search.search("walrus", tools=True)[0].message.key == "3"
    assert search.index.missing() == 2
    assert search.embed_missing() == 2
    assert search.search("violin")[0].message.key == "1"
    database.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE message_words_data SET block = x'00112233445566'",
        "UPDATE message_words_data SET block = "
        "x'd62c90f75b2a349116d487becbefbb1ad770fda5f73902b22211087c38ea'",
        "DELETE FROM message_words_data",
        "DELETE FROM message_words_idx",
        "DELETE FROM message_words_docsize",
        "DELETE FROM message_words_config",
        "DELETE FROM tool_words_data",
        "UPDATE message_vectors SET vector = x'01'",
        "DELETE FROM message_vectors",
        "DELETE FROM messages_without_vector",
    ],
)
def test_a_damaged_index_is_built_anew(past: Past, harm: str) -> None:
    past.say("Paula plays the cello")
    past.say("the fridge is warm", peer="desk/writer")
    past.say("a walrus", kind="tool")
    past.search()
    past.say("not embedded yet, a puppy")
    past.database.execute(harm)
    past.database.close()
    database = Database(past.database.path)
    search = ConversationSearch(database, by_topic)
    search.index.rebuild()
    search.embed_missing()
    for query, found in (("violin", "Paula"), ("freezer", "the fridge"), ("dog", "not embedded")):
        assert search.search(query)[0].message.text.startswith(found)
    assert search.search("walrus", tools=True)[0].message.text == "a walrus"
    for table in ("message_words", "tool_words"):
        database.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    database.close()


def test_a_damaged_index_is_named_with_what_mends_it(past: Past) -> None:
    past.say("Paula plays the cello")
    past.database.execute("DELETE FROM message_words_data")
    past.database.close()
    database = Database(past.database.path)
    search = ConversationSearch(database)
    with pytest.raises(HomeError, match="search index is damaged; run: retinue memory reindex"):
        search.search("cello")
    database.close()


def test_two_processes_write_and_both_see_it(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITE, str(path), name]) for name in ("ann", "bob")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    database = Database(path)
    search = ConversationSearch(database, by_topic)
    for name in ("ann", "bob"):
        assert search.search(f"{name} says49", most=1)[0].message.text == f"{name} says49"
    assert search.embed_missing() == 100
    database.execute("INSERT INTO message_words (message_words) VALUES ('integrity-check')")
    database.close()


def test_what_another_process_says_is_found_at_once(past: Past) -> None:
    search = past.search()
    other = Database(past.database.path)
    Conversations(other).append(
        "talk", run="r", key="k", peer="p", kind="said", text="a concert", tokens=1
    )
    assert search.search("concert")[0].vector is None
    ConversationSearch(other, by_topic).embed_missing()
    assert search.search("music")[0].message.text == "a concert"
    other.close()
