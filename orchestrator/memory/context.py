"""What of a profile's memory goes into a prompt, within a budget of tokens, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.database import Database
from orchestrator.index import content_words, count_tokens, pieces
from orchestrator.memory.conversations import Message
from orchestrator.memory.embedded import EmbeddedUserModel
from orchestrator.memory.index import Scope
from orchestrator.memory.notes import Item, NoteBook, Notes, Part
from orchestrator.memory.quoting import HEAD, on_one_line, passage
from orchestrator.memory.search import ConversationSearch, Found
from orchestrator.memory.summaries import Summaries

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

_CARD = 0.15
_CONCLUSIONS = 0.15
_SUMMARY = 0.2
_RECALLED = 0.13
"""Shares of the budget; the turns of the conversation get the rest, and what the others leave."""
_MOST_RECALLED = 400
"""Tokens, however large the budget is."""
_FILLED = 0.6
"""Of the room for turns, that is filled when earlier ones are left out, so that the conversation
can go on for a while before the next ones are.
"""
_MOST_OF_ONE = 0.15
"""Of the budget, that one turn may take; what is longer is cut."""
_CHARACTERS = 12
"""No token of a usual text has more."""
_FEW_TURNS = 40
_TURNS = 200
"""Messages of a session that are looked at: first the few that mostly are enough."""
_QUERY_CHARACTERS = 2_000
_ABOUT = 300
"""Tokens on the person, for a member that does not speak with them."""

_READ_AT_ONCE = 200
"""Messages."""
_CANDIDATES = 50
_SCORED = 1_000
"""Messages with words of the query that are compared: nobody has asked for a search."""
_NEAR = 0.38
"""Cosine from which a message fits without a word in common."""
_NEARISH = 0.25
"""Cosine from which it fits with words in common."""
_PASSAGES = 4
_PASSAGE = 400
_REPLY = 200
"""Characters of a message that is recalled, and of the reply to it."""
_CUT = " … (cut)"


@dataclass(frozen=True)
class Turn:
    """Something said earlier in the conversation."""

    mine: bool
    text: str


@dataclass(frozen=True)
class Context:
    """What a prompt gets from memory; nothing where nothing is known."""

    most: int
    """Tokens it may have."""
    notes: str = ""
    """Stands before the turns."""
    turns: tuple[Turn, ...] = ()
    """Oldest first."""
    recalled: str = ""
    """Goes with the new message."""
    parts: tuple[Part, ...] = ()

    @property
    def tokens(self) -> int:
        return sum(part.tokens for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, **asdict(self)}


class PromptMemory:
    """Puts together what goes into the prompts of one profile. Methods may be called from any
    thread; one call takes some milliseconds, and the embedding of the query.
    """

    def __init__(
        self, database: Database, past: ConversationSearch, people: EmbeddedUserModel
    ) -> None:
        self.summaries = Summaries(database)
        self.notes = NoteBook(database, people, self.summaries)
        self._database = database
        self._past = past
        self._people = people

    def for_turn(
        self,
        *,
        person: str,
        session: str,
        query: str,
        run: str = "",
        most: int,
        refresh_turns: int,
        keep: bool = True,
    ) -> Context:
        """For a person's message to this profile, at most so many tokens; what belongs to `run` is
        left out. The notes are made anew after `refresh_turns`. `keep`: the next turns of the
        session get the same notes.
        """
        if most <= 0:
            return Context(0)
        query = query[:_QUERY_CHARACTERS]
        for_recalled = min(_MOST_RECALLED, int(_RECALLED * most))
        meaning = _Once(lambda: self._past.meaning(query))
        dropped = self.notes.dropped()
        talk = self._talk(session, run, most)
        notes = self.notes.kept(session, person, most)
        if notes is not None:
            since = talk.since(notes.start)
            full = since is None or _cost(since) > most - for_recalled - notes.tokens
            if full or self._is_old(session, notes, refresh_turns):
                notes = None
        if notes is None:
            notes = self._make(person, session, query, talk, most, for_recalled, meaning)
            if keep and (notes.text or notes.start):
                self.notes.keep(session, person, most, notes, dropped)
        recalled, found = self._recalled(
            query, person, session, run, notes.start, for_recalled, meaning
        )
        shown = talk.since(notes.start) or ()
        turns, recent = self._shown(shown, most - notes.tokens - found.tokens)
        return Context(most, notes.text, turns, recalled, (*notes.parts, recent, found))

    def read_new(self) -> None:
        """Let the rules read what was said since, so that it is in what is put together next; of
        very much a part, for somebody waits.
        """
        self._people.derivation.read(_READ_AT_ONCE)

    def preview(self, query: str, most: int, person: str = "person") -> Context:
        """For the first message of a new session, which does not take place."""
        if not query:
            return Context(most)
        return self.for_turn(
            person=person, session="", query=query, most=most, refresh_turns=1, keep=False
        )

    def turns(self, session: str, run: str, most: int) -> Context:
        """The last turns of the session alone, for when nothing can be searched."""
        turns, recent = self._shown(self._talk(session, run, most).said, most)
        return Context(most, turns=turns, parts=(recent,))

    def about(self, person: str, query: str, most: int) -> Context:
        """For a piece of work on behalf of a person who does not speak to this profile, at most so
        many tokens, and never more than 300.
        """
        most = min(_ABOUT, most)
        query = query[:_QUERY_CHARACTERS]
        if most <= 0 or not self._knows(person):
            return Context(most)
        vector = self._past.meaning(query)
        notes = self.notes.on_person(person, query, most // 2, most // 2, vector)
        return Context(most, notes.text, parts=notes.parts)

    def _shown(self, said: Sequence[_Said], share: int) -> tuple[tuple[Turn, ...], Part]:
        own = self._people.address
        turns = tuple(Turn(each.message.peer == own, each.text) for each in said)
        return turns, Part("recent", share, _cost(said), tuple(each.item for each in said))

    def _make(
        self,
        person: str,
        session: str,
        query: str,
        talk: _Talk,
        most: int,
        for_recalled: int,
        meaning: _Once,
    ) -> Notes:
        notes = Notes("", ())
        if self._knows(person):
            card, conclusions = int(_CARD * most), int(_CONCLUSIONS * most)
            notes = self.notes.on_person(person, query, card, conclusions, meaning())
        room = most - for_recalled - notes.tokens
        newest = talk.said[-1].message.id if talk.said else 0
        if talk.whole and _cost(talk.said) <= room:
            return replace(notes, made_after=newest)
        for_summary = int(_SUMMARY * most)
        start = _start(talk.said, int(_FILLED * (room - for_summary)), self._people.address)
        text, part = self.notes.on_before(session, start, for_summary)
        whole = "\n".join(each for each in (notes.text, text) if each)
        return Notes(whole, (*notes.parts, part), start, newest)

    def _knows(self, person: str) -> bool:
        """Whether there is a conclusion about the person, or by them."""
        store, own = self._people.conclusions_store, self._people.address
        return store.has_any(person, observer=own) or store.has_any(observer=person)

    def _talk(self, session: str, run: str, most: int) -> _Talk:
        """The last turns of the session, at most so many tokens of them."""
        talk = _Talk((), whole=True)
        for looked_at in (_FEW_TURNS, _TURNS):
            found = self._past.conversations.recent(session, most=looked_at)
            talk = _newest([message for message in found if message.run != run], most)
            if not talk.whole or len(found) < looked_at:
                return talk
        return replace(talk, whole=False)

    def _is_old(self, session: str, notes: Notes, refresh_turns: int) -> bool:
        row = self._database.one(
            "SELECT COUNT(DISTINCT run) AS n FROM messages "
            "WHERE session = ? AND kind = 'said' AND id > ?",
            session,
            notes.made_after,
        )
        return row is not None and row["n"] > refresh_turns

    def _recalled(
        self,
        query: str,
        person: str,
        session: str,
        run: str,
        start: int,
        most: int,
        meaning: _Once,
    ) -> tuple[str, Part]:
        """What was said in other talks with the person, or in this one before the turns that are
        shown, and plainly fits the query.
        """
        vector = meaning() if self._past.index.has_meanings() else None
        words = content_words(query)
        scope = Scope(without_run=run or None)
        parts: list[str] = []
        items: list[Item] = []
        used = count_tokens(HEAD)
        names = self._people.conclusions_store.peers.names(person)
        with_person: dict[str, bool] = {}
        seen: set[str] = set()
        found = self._past.search(query, scope, most=_CANDIDATES, vector=vector, scored=_SCORED)
        for hit in found:
            message = hit.message
            if message.session == session and message.id >= start:
                continue
            if message.text in seen or not (why := _fits(hit, words)):
                continue
            if message.session not in with_person:
                with_person[message.session] = self._took_part(names, message.session)
            if not with_person[message.session]:
                continue
            seen.add(message.text)
            reply = self._past.conversations.around(message, 0, 1)[1]
            shown = reply if message.peer != self._people.address else ()
            text = passage(message, shown, words, _PASSAGE, _REPLY)
            cost = count_tokens(text)
            if used + cost <= most:
                used += cost
                parts.append(text)
                items.append(Item(f"m{message.id}", on_one_line(message.text, 300), why, cost))
            if len(parts) == _PASSAGES:
                break
        if not parts:
            return "", Part("recalled", most, 0)
        return "\n\n".join([HEAD, *parts]), Part("recalled", most, used, tuple(items))

    def _took_part(self, names: Sequence[str], session: str) -> bool:
        """Whether the person of those names spoke in the session, or work was done there on their
        behalf: what somebody else has said to this profile is not shown to them unasked.
        """
        marks = ", ".join("?" * len(names))
        row = self._database.one(
            f"SELECT 1 FROM messages WHERE session = ? AND (peer IN ({marks}) OR (kind = 'brief' "
            f"AND json_extract(extra, '$.person') IN ({marks}))) LIMIT 1",
            session,
            *names,
            *names,
        )
        return row is not None


@dataclass(frozen=True)
class _Said:
    """A turn as it would be shown."""

    message: Message
    text: str
    tokens: int

    @property
    def item(self) -> Item:
        why = "cut, for it is long" if self.text != self.message.text else "one of the last turns"
        return Item(f"m{self.message.id}", on_one_line(self.text, 300), why, self.tokens)


@dataclass(frozen=True)
class _Talk:
    """The last turns of a session, oldest first."""

    said: Sequence[_Said]
    whole: bool
    """Whether there are no others."""

    def since(self, start: int) -> Sequence[_Said] | None:
        """The turns from that message on; None when some of them are not here."""
        here = self.whole or (self.said and self.said[0].message.id <= start)
        return [each for each in self.said if each.message.id >= start] if here else None


class _Once:
    """Computes the query's vector when it is first needed."""

    def __init__(self, compute: Callable[[], Vectors | None]) -> None:
        self._compute = compute
        self._known: tuple[Vectors | None] | None = None

    def __call__(self) -> Vectors | None:
        if self._known is None:
            self._known = (self._compute(),)
        return self._known[0]


def _cost(said: Sequence[_Said]) -> int:
    return sum(each.tokens for each in said)


def _said(message: Message, most: int) -> _Said:
    head = message.text[: _CHARACTERS * most]
    tokens = count_tokens(head)
    if tokens <= most and len(head) == len(message.text):
        return _Said(message, message.text, tokens)
    cut = pieces(head, max(1, most - count_tokens(_CUT)), 1)
    text = f"{cut[0] if cut else ''}{_CUT}"
    return _Said(message, text, count_tokens(text))


def _newest(messages: Sequence[Message], most: int) -> _Talk:
    """Of the messages, oldest first, the last ones that have so many tokens together."""
    said: list[_Said] = []
    room = most
    for message in reversed(messages):
        each = _said(message, int(_MOST_OF_ONE * most))
        room -= each.tokens
        if room < 0:
            return _Talk(said[::-1], whole=False)
        said.append(each)
    return _Talk(said[::-1], whole=True)


def _start(said: Sequence[_Said], room: int, own: str) -> int:
    """The first of the newest turns that fit, if possible one that was said to this profile."""
    fitting: list[Message] = []
    for each in reversed(said):
        room -= each.tokens
        if room < 0:
            break
        fitting.append(each.message)
    addressed = [message for message in fitting if message.peer != own]
    first = (addressed or fitting)[-1:]
    return first[0].id if first else 0


def _fits(hit: Found, words: Sequence[str]) -> str:
    """Why a message is near enough to be recalled unasked; empty: it is not."""
    text = hit.message.text.lower()
    common = [word for word in words if word[: max(4, len(word) - 3)] in text]
    if hit.vector is None:
        enough = len(common) >= 2 and 2 * len(common) >= len(words)
        return f"has {', '.join(common[:4])}" if enough else ""
    if hit.vector >= _NEAR or (hit.vector >= _NEARISH and common):
        return f"meaning {hit.vector:.2f}" + (f", has {', '.join(common[:4])}" if common else "")
    return ""
