"""What is to be forgotten: the messages and conclusions of a person, a topic, a session, a time."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self, cast

from orchestrator.database import Database, Schema, stored
from orchestrator.errors import NotFoundError, PersonError
from orchestrator.index import content_words, hidden_words
from orchestrator.memory.conclusion_store import SCHEMA as CONCLUSIONS
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import storable
from orchestrator.memory.schema import SCHEMA, TALK, TOOL_CHARACTERS, TOOLS

Span = Literal["messages", "conclusions", "session", "person", "topic", "last", "age"]
"""What kind of a choice it was."""

VERDICTS = "verdict/*"
"""Keys of what people say of others' runs."""

WISH = "wish"
"""Key of a message that asks for what is known, or to have it forgotten."""
FORGET = "(asks to have something forgotten)"
"""Written down in place of the latter, which says what shall be forgotten."""

BEGINNERS = Schema(
    "beginners",
    (
        """
        CREATE TABLE began_runs (
            person TEXT NOT NULL,
            run TEXT NOT NULL,
            PRIMARY KEY (person, run)
        ) WITHOUT ROWID;
        CREATE TABLE spoke_in (
            person TEXT NOT NULL,
            session TEXT NOT NULL,
            PRIMARY KEY (person, session)
        ) WITHOUT ROWID;
        """,
    ),
)
"""Whose a run and a conversation were, of which the words that told it are forgotten: other
messages and files of it may stay, and go with the person.
"""


@dataclass(frozen=True)
class Chosen:
    """What would be forgotten in one profile."""

    span: Span
    messages: frozenset[int] = frozenset()
    conclusions: frozenset[int] = frozenset()
    runs: frozenset[str] = frozenset()
    """Those that the messages belong to: their journals and evidence hold the words, too."""
    whole: bool = False
    """Everything of those runs goes, also the files made in them."""
    names: tuple[str, ...] = ()
    """The person of whom nothing shall be left."""

    def __bool__(self) -> bool:
        rest = self.whole and self.runs
        return bool(self.messages or self.conclusions or self.names[1:] or rest)

    def to_json(self) -> str:
        return json.dumps(
            {
                "span": self.span,
                "messages": sorted(self.messages),
                "conclusions": sorted(self.conclusions),
                "runs": sorted(self.runs),
                "whole": self.whole,
                "names": self.names,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        data = json.loads(text)
        return cls(
            data["span"],
            messages=frozenset(data["messages"]),
            conclusions=frozenset(data["conclusions"]),
            runs=frozenset(data["runs"]),
            whole=data["whole"],
            names=tuple(data["names"]),
        )

    @property
    def counts(self) -> Mapping[str, int]:
        return {
            "messages": len(self.messages),
            "conclusions": len(self.conclusions),
            "runs": len(self.runs),
        }


class Choosing:
    """Looks up what is to be forgotten in the `memory.db` of the profile at `address`. What is
    said anew or taken back counts with all its versions.
    """

    def __init__(self, database: Database, address: str, conclusions: Conclusions) -> None:
        database.migrate(SCHEMA)
        database.migrate(CONCLUSIONS)
        database.migrate(BEGINNERS)
        self._database = database
        self._address = address
        self._conclusions = conclusions

    def messages(self, ids: Collection[int]) -> Chosen:
        """Those messages. Raises NotFoundError."""
        there = self._among("SELECT id FROM messages WHERE id IN ({})", _possible(ids))
        if missing := sorted(set(ids) - there):
            hint = "see the numbers with: retinue memory search TEAM/PROFILE QUERY --json"
            raise NotFoundError("message", str(missing[0]), hint=hint)
        return self._resting_on("messages", there)

    def conclusions(self, ids: Collection[int]) -> Chosen:
        """Those conclusions; what they were read from stays. Raises NotFoundError."""
        there = self._among("SELECT id FROM conclusions WHERE id IN ({})", _possible(ids))
        if missing := sorted(set(ids) - there):
            hint = "see the numbers with: retinue memory conclusions TEAM/PROFILE --json"
            raise NotFoundError("conclusion", str(missing[0]), hint=hint)
        return Chosen("conclusions", conclusions=frozenset(there))

    def session(self, session: str) -> Chosen:
        """A conversation. Raises NotFoundError."""
        rows = self._database.all("SELECT id FROM messages WHERE session = ?", storable(session))
        if not rows:
            hint = "see their names with: retinue memory search TEAM/PROFILE QUERY"
            raise NotFoundError("session", session, hint=hint)
        return replace(self._resting_on("session", {row["id"] for row in rows}), whole=True)

    def names(self, peer: str) -> Sequence[str]:
        """All names of a person that this profile knows of."""
        return self._conclusions.peers.names(peer)

    def person(self, peer: str, runs: Collection[str] = (), also: Collection[str] = ()) -> Chosen:
        """Everything a person has said under any of their names, `also` among them, everything of
        the runs that they began, of `runs`, and of conversations with nobody else, and what is
        believed of them or by them. Raises PersonError for the profile itself.
        """
        names = list(dict.fromkeys([*self.names(peer), *map(storable, also)]))
        if self._address in names:
            raise PersonError(f"{self._address} is no person; name whom it shall forget")
        begun = {*runs, *self.runs_of(peer)}
        said = self._among("SELECT id FROM messages WHERE peer IN ({})", names)
        said |= self._among("SELECT id FROM messages WHERE run IN ({})", begun)
        alone = self._alone_with(names)
        found = self._resting_on("person", said | alone)
        known = self._among("SELECT id FROM conclusions WHERE observed IN ({})", names)
        known |= self._among("SELECT id FROM conclusions WHERE observer IN ({})", names)
        # Not the runs of others on which they have given a verdict.
        own = begun | self._among("SELECT run FROM messages WHERE id IN ({})", alone, "run")
        return replace(
            found,
            conclusions=found.conclusions | known,
            runs=frozenset(found.runs & own | self._once_begun(names)),
            whole=True,
            names=tuple(names),
        )

    def topic(self, peer: str, topic: str, runs: Collection[str] = ()) -> Chosen:
        """What a person has said with all the telling words of the topic, what was answered or
        given to a tool with any of them, and what is believed of the person with all of them.
        """
        terms = _terms(topic)
        if not terms:
            return Chosen("topic")
        names = self._conclusions.peers.names(peer)
        begun = {*runs, *self.runs_of(peer)}
        own = self._among("SELECT id FROM messages WHERE peer IN ({})", names)
        own |= self._among("SELECT id FROM messages WHERE run IN ({})", begun)
        every = " AND ".join(f'"{term}"' for term in terms)
        known = {
            row["id"]
            for row in self._database.all(
                "SELECT rowid AS id FROM conclusion_words WHERE conclusion_words MATCH ?", every
            )
        }
        about = self._among("SELECT id FROM conclusions WHERE observed IN ({})", names)
        about |= self._among("SELECT id FROM conclusions WHERE observer IN ({})", names)
        known &= about
        known |= self._conclusions.of_same_value(known)
        sources = self._among(
            "SELECT message AS id FROM conclusion_sources WHERE conclusion IN ({})", known
        )
        said = (self._with(every) | self._unindexed_with(terms, own) | sources) & own
        said |= {id for id, named in self._naming(terms, own) if len(named) == len(terms)}
        answered = self._among("SELECT DISTINCT run FROM messages WHERE id IN ({})", said, "run")
        around = self._among("SELECT id FROM messages WHERE run IN ({})", answered & begun)
        said |= self._with(" OR ".join(f'"{term}"' for term in terms)) & around
        said |= {id for id, _ in self._naming(terms, around)}
        found = self._resting_on("topic", said)
        return replace(found, conclusions=found.conclusions | known)

    def last(self, peer: str, session: str, *, without_run: str) -> Chosen:
        """The run in which a person spoke last in a session, with the answer."""
        names = self._conclusions.peers.names(peer)
        marks = ", ".join("?" * len(names))
        row = self._database.one(
            f"SELECT run FROM messages WHERE session = ? AND peer IN ({marks}) AND run <> ? "
            "AND kind = 'said' AND key <> ? AND key NOT GLOB ? ORDER BY id DESC LIMIT 1",
            session,
            *names,
            without_run,
            WISH,
            VERDICTS,
        )
        return self.run("last", {row["run"]}) if row is not None else Chosen("last")

    def run(self, span: Span, runs: Collection[str]) -> Chosen:
        """Everything of those runs."""
        said = self._among("SELECT id FROM messages WHERE run IN ({})", runs)
        return replace(self._resting_on(span, said), whole=True)

    def older(self, before: datetime, now: datetime, without: Collection[str] = ()) -> Chosen:
        """What was said before a time, up to the first message that was not; conclusions stay, and
        the runs `without`.

        So a message that bears an early time because the clock was wrong is not taken for old, and
        one from the future does not keep the others.
        """
        fresh = self._database.one(
            "SELECT MIN(id) AS id FROM messages WHERE at >= ? AND at <= ?",
            stored(before),
            stored(now),
        )
        until = fresh["id"] if fresh is not None else None
        rows = self._database.all(
            "SELECT id, run FROM messages WHERE at < ? AND (? IS NULL OR id < ?)",
            stored(before),
            until,
            until,
        )
        rows = [row for row in rows if row["run"] not in without]
        gone = {row["id"] for row in rows}
        left = self._among("SELECT id FROM messages WHERE run IN ({})", {r["run"] for r in rows})
        staying = self._among("SELECT run FROM messages WHERE id IN ({})", left - gone, "run")
        return Chosen(
            "age",
            messages=frozenset(gone),
            runs=frozenset(row["run"] for row in rows if row["run"] not in staying),
        )

    def runs_of(self, peer: str) -> set[str]:
        """The runs that a person has begun."""
        names = self._conclusions.peers.names(peer)
        marks = ", ".join("?" * len(names))
        rows = self._database.all(
            f"SELECT DISTINCT run FROM messages WHERE peer IN ({marks}) AND kind = 'said' "
            "AND key NOT GLOB ? UNION SELECT DISTINCT run FROM messages WHERE kind = 'brief' "
            f"AND json_extract(extra, '$.person') IN ({marks})",
            *names,
            VERDICTS,
            *names,
        )
        return {row["run"] for row in rows} | self._once_begun(names)

    def _once_begun(self, names: Collection[str]) -> set[str]:
        """The runs that a person has begun with words that are forgotten."""
        return self._among("SELECT run FROM began_runs WHERE person IN ({})", names, "run")

    def _alone_with(self, names: Sequence[str]) -> set[int]:
        """The messages of conversations in which nobody has spoken but the person and the
        profile.
        """
        marks = ", ".join("?" * len(names))
        rows = self._database.all(
            "SELECT id FROM messages WHERE session IN ("
            f"SELECT session FROM messages WHERE peer IN ({marks}) "
            f"UNION SELECT session FROM spoke_in WHERE person IN ({marks}) "
            "EXCEPT SELECT session FROM messages WHERE kind = 'said' AND key NOT GLOB ? "
            f"AND peer <> ? AND peer NOT IN ({marks}) "
            f"EXCEPT SELECT session FROM spoke_in WHERE person <> ? AND person NOT IN ({marks}))",
            *names,
            *names,
            VERDICTS,
            self._address,
            *names,
            self._address,
            *names,
        )
        return {row["id"] for row in rows}

    def _resting_on(self, span: Span, messages: Collection[int]) -> Chosen:
        """Those messages in all versions and where they were looked up again, their runs, and what
        rests on them alone.
        """
        every = self._versions(set(messages))
        told, runs = self._told_since(every)
        runs |= self._among("SELECT DISTINCT run FROM messages WHERE id IN ({})", every, "run")
        return Chosen(
            span,
            messages=frozenset(every | told | self._looked_up_since(every)),
            conclusions=frozenset(self._conclusions.orphans(every)),
            runs=frozenset(runs),
        )

    def _told_since(self, messages: Collection[int]) -> tuple[set[int], set[str]]:
        """What this profile has told people of what it knows about them since the first of the
        messages was said, and the runs of it.
        """
        rows = self._database.all(
            "SELECT run FROM messages WHERE key = ? AND text <> ? AND id > ?",
            WISH,
            FORGET,
            min(messages, default=2**62),
        )
        runs = {row["run"] for row in rows}
        return self._among(
            "SELECT id FROM messages WHERE peer = ? AND run IN ({})", runs, before=(self._address,)
        ), runs

    def _looked_up_since(self, messages: Collection[int]) -> set[int]:
        """What members have looked up in their memory since the first of the messages was said,
        and which may repeat it.
        """
        rows = self._database.all(
            "SELECT id FROM messages WHERE kind = 'tool' AND peer IN ('recall', 'ask_about') "
            "AND id > ?",
            min(messages, default=2**62),
        )
        return {row["id"] for row in rows}

    def _versions(self, messages: set[int]) -> set[int]:
        every, new = set(messages), messages
        while new:
            found = self._among("SELECT message AS id FROM amendments WHERE by IN ({})", new)
            found |= self._among(
                "SELECT by AS id FROM amendments WHERE by IS NOT NULL AND message IN ({})", new
            )
            new = found - every
            every |= new
        return every

    def _with(self, query: str) -> set[int]:
        return {
            row["id"]
            for table in (TALK, TOOLS)
            for row in self._database.all(
                f"SELECT rowid AS id FROM {table} WHERE {table} MATCH ?", query
            )
        }

    def _unindexed_with(self, terms: Sequence[str], among: Collection[int]) -> set[int]:
        """Those among the messages no index knows whole, with the beginnings of all terms."""
        rows = self._database.all(
            "SELECT id, text FROM messages WHERE id IN (SELECT message FROM amendments) "
            "OR (kind = 'tool' AND length(text) > ?)",
            TOOL_CHARACTERS,
        )
        stems = [term[: max(4, len(term) - 2)] for term in terms]
        return {
            row["id"]
            for row in rows
            if row["id"] in among and all(stem in row["text"].lower() for stem in stems)
        }

    def _naming(
        self, terms: Sequence[str], among: Collection[int]
    ) -> Iterator[tuple[int, Collection[str]]]:
        """Those among the messages with a term in what was said beside their text, such as what a
        tool was given, which no index knows; with the terms in either.
        """
        forms = {term: _beginning(term) for term in terms}
        for row in self._database.among(
            "SELECT id, text, extra FROM messages WHERE length(extra) > 2 AND id IN ({})", among
        ):
            beside = _searchable(" ".join(_said_beside(json.loads(row["extra"]))))
            named = {term for term, form in forms.items() if form.search(beside)}
            if named:
                text = _searchable(row["text"])
                yield row["id"], named | {t for t, form in forms.items() if form.search(text)}

    def _among(
        self,
        sql: str,
        values: Collection[Any],
        column: str = "id",
        before: Sequence[Any] = (),
    ) -> set[Any]:
        """See `Database.among`; of each row the column."""
        return {row[column] for row in self._database.among(sql, values, *before)}


def _possible(ids: Collection[int]) -> Collection[int]:
    """Without numbers that are too large for SQLite."""
    return [each for each in ids if each.bit_length() < 64]


def _terms(topic: str) -> Sequence[str]:
    """The telling words, of CJK text pairs of characters, as full-text search knows them."""
    found: list[str] = []
    for word in content_words(topic):
        found += hidden_words(word).split() or [word]
    return list(dict.fromkeys(found))


_FACTS = frozenset({"outcome", "exit_code", "person"})
"""Of what stands beside a message, what nobody said."""


def _said_beside(extra: Mapping[str, Any]) -> Iterator[str]:
    """What was said or given to a tool, without the names of its parameters."""
    for key, value in extra.items():
        if key == "arguments" and isinstance(value, dict):
            for each in cast("dict[str, Any]", value).values():
                yield from _texts(each)
        elif key not in _FACTS:
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    """Everything in a value from JSON as text."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def _searchable(text: str) -> str:
    """As full-text search sees it: the parts of compounds beside them, no case and no accents."""
    return _plain(f"{text} {hidden_words(text)}")


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).casefold()


def _beginning(term: str) -> re.Pattern[str]:
    """Finds words that begin like the term, of a short one only itself, also after `\\n` in JSON
    within JSON.
    """
    word = _plain(term)
    stem = re.escape(word[: max(4, len(word) - 2)])
    if not word.isascii():
        return re.compile(stem)
    rest = "" if len(word) > 3 else r"(?![^\W_])"
    return re.compile(rf"(?:(?<![^\W_])|(?<=\\[nrt])){stem}{rest}")
