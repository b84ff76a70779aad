"""What may answer a question about a peer: numbered, shown as quotations, within a bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.errors import PersonError
from orchestrator.index import content_words, count_tokens
from orchestrator.memory.card import ORDER
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import Message
from orchestrator.memory.index import Scope
from orchestrator.memory.quoting import excerpt, on_one_line
from orchestrator.memory.search import ConversationSearch, moment
from orchestrator.memory.user_model import Conclusion, Evidence

MOST_TOKENS = 2_400
"""Of all that is shown at once."""
_CHARACTERS = 500
"""Of a message that is shown."""
_CONCLUSIONS = 8
_MESSAGES = 6
_SUREST = 6
"""Of what is surest, whatever the question."""
_AROUND = 2


class Board:
    """The evidence about one peer that is on the table."""

    def __init__(
        self,
        observed: str,
        question: str,
        *,
        observer: str,
        conclusions: Conclusions,
        past: ConversationSearch,
        history: bool = True,
    ) -> None:
        """`history`: also what holds no more, and what was said of it alone."""
        self._observed = observed
        self._question = question
        self._observer = observer
        self._conclusions = conclusions
        self._past = past
        self._history = history
        self._shown: dict[str, tuple[Evidence, int]] = {}
        """With their sizes in tokens."""
        self._size = 0

    @property
    def shown(self) -> Sequence[Evidence]:
        """The earliest found first, and of each search the best."""
        return [evidence for evidence, _ in self._shown.values()]

    def get(self, ref: str) -> Evidence | None:
        found = self._shown.get(ref)
        return found[0] if found is not None else None

    def text(self) -> str:
        return "\n".join(_line(evidence) for evidence in self.shown)

    def open(self, *, messages: bool, surest: bool) -> None:
        """Lay out the conclusions that fit the question best, those that hold first; `messages`:
        and who said what of it; `surest`: and what is surest of the peer, whether it fits or not.
        """
        told = list(self._search_conclusions(self._question))
        if surest:
            told += self._conclusions.surest(self._observed, self._observer, ORDER, _SUREST)
        told.sort(key=lambda conclusion: not conclusion.valid)
        said = self._search_messages(self._question) if messages else ()
        self._add([*map(self._told, told), *map(self._said, said)])

    def look_up(self, words: str) -> int:
        """Add conclusions that fit; how many pieces are new."""
        return self._add(self._told(each) for each in self._search_conclusions(words))

    def look_back(
        self, words: str, person: str | None, since: str | None, until: str | None
    ) -> int:
        """Add messages that fit, of somebody, of a time; how many pieces are new."""
        try:
            start = moment(since) if since else None
            end = moment(until, end=True) if until else None
        except PersonError:
            return 0  # no time: then there is nothing said in it
        found = self._matching(words, Scope(person or None, None, start, end))
        return self._add(self._said(each) for each in found)

    def look_around(self, ref: str) -> int:
        """Add what was said before and after a message on the table."""
        if ref not in self._shown or not ref.startswith("m"):
            return 0
        message = self._past.conversations.get([_number(ref)]).get(_number(ref))
        if message is None:
            return 0
        before, after = self._past.conversations.around(message, _AROUND, _AROUND)
        return self._add(self._said(each) for each in (*before, *after))

    def look_beneath(self, ref: str) -> int:
        """Add what a conclusion on the table rests on."""
        if ref not in self._shown or not ref.startswith("c"):
            return 0
        conclusion = self._conclusions.get([_number(ref)]).get(_number(ref))
        if conclusion is None:
            return 0
        premises = self._conclusions.get(conclusion.premises).values()
        sources = self._past.conversations.get(conclusion.sources).values()
        return self._add([*map(self._told, premises), *map(self._said, sources)])

    def _search_conclusions(self, words: str) -> Sequence[Conclusion]:
        found = self._conclusions.search(
            words, self._observed, history=self._history, most=_CONCLUSIONS
        )
        return [conclusion for conclusion, _ in found]

    def _search_messages(self, words: str) -> Sequence[Message]:
        """What the peer said first, then what was said by anybody."""
        return [*self._matching(words, Scope(self._observed)), *self._matching(words, Scope())]

    def _matching(self, words: str, scope: Scope) -> Sequence[Message]:
        hits = self._past.search(words, scope, most=_MESSAGES)
        found = {hit.message.id: hit.message for hit in hits if hit.fits}
        outdated = set[int]() if self._history else self._conclusions.outdated(found)
        return [message for number, message in found.items() if number not in outdated]

    def _told(self, conclusion: Conclusion) -> Evidence:
        text, by = conclusion.text, conclusion.by
        if conclusion.invalidated_at is not None:
            text += f" (until {conclusion.invalidated_at:%Y-%m-%d})"
        if conclusion.level != "explicit":
            by = f"{conclusion.level}, {by}"
        if conclusion.observer != self._observer:
            by = f"what {conclusion.observer} said"
        return Evidence(f"c{conclusion.id}", text, conclusion.last_said, by)

    def _said(self, message: Message) -> Evidence:
        text = excerpt(message.text, content_words(self._question), _CHARACTERS)
        return Evidence(f"m{message.id}", text, message.at, message.peer)

    def _add(self, found: Iterable[Evidence]) -> int:
        """Put on the table what is not there, and take off for it what was found first; how many
        pieces are new.
        """
        new: set[str] = set()
        for evidence in found:
            if evidence.ref in self._shown:
                continue
            size = count_tokens(_line(evidence))
            while self._size + size > MOST_TOKENS:
                oldest = next((ref for ref in self._shown if ref not in new), None)
                if oldest is None:
                    return len(new)
                self._size -= self._shown.pop(oldest)[1]
            self._shown[evidence.ref] = (evidence, size)
            self._size += size
            new.add(evidence.ref)
        return len(new)


def _line(evidence: Evidence) -> str:
    """E.g. `> [c12] 2026-03-01, what bob said: ann lives in Paris (until 2026-03-01)`."""
    return (
        f"> [{evidence.ref}] {evidence.at:%Y-%m-%d}, {on_one_line(evidence.by, 80)}: "
        f"{on_one_line(evidence.text, _CHARACTERS)}"
    )


def _number(ref: str) -> int:
    return int(ref[1:])
