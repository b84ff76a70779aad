"""Finding the skills that fit a request, by words and by meaning at once."""

from __future__ import annotations

import logging
import math
import statistics
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.index import EmbedderMissing, content_words, count_tokens, pieces
from orchestrator.skill import specification
from orchestrator.skill.index import SkillIndex
from orchestrator.skill.vectors import Embed

log = logging.getLogger(__name__)

_CANDIDATES = 100
"""Taken from each side."""

_VECTOR_WEIGHT = 6.0
"""Score of a cosine of 1, where a match of one of the rarest words scores about 1. Between 5 and 7
the ranking is the same, in libraries of 20 to 600 skills.
"""

_ENOUGH_WORDS = 12
"""The words of a longer request count as this many; else chance matches add up."""

_CLEAR = 1.3
_CLEAR_GROWTH = 0.16
"""Score from which a best hit is served unasked, and what it grows by with the logarithm of the
library: the best of many chance hits is better than the best of few.
"""

_CLEAR_BY_WORDS = 1.1
"""The same where there are no vectors."""

_ELLIPTIC = 3
"""A request with fewer content words (`and for June?`) leans on what was said before."""
_EARLIER_WEIGHT = 0.8

_QUERY_TOKENS = 128

_MOST_CARDS = 5
_MOST_CARD_TOKENS = 300


@dataclass(frozen=True)
class Hit:
    """A skill that may fit, and why."""

    id: str
    name: str
    description: str
    score: float
    """`words` and `vector` together."""
    words: float
    """What its words add; about 1 for each of the rarest words that it shares with the request."""
    vector: float | None
    """What its meaning adds, at most 6; None: not known, words alone decide."""
    clear: bool
    """It is more than chance: good enough to be shown to who did not ask."""


@dataclass(frozen=True)
class _Score:
    total: float
    words: float
    vector: float | None

    def is_clear(self, clear: float) -> bool:
        if self.vector is None:
            return self.words >= _CLEAR_BY_WORDS
        return self.total >= clear


class SkillSearch:
    """Search in one library. Without an embedder words alone decide, which is logged once."""

    def __init__(self, index: SkillIndex, embed: Embed | None) -> None:
        self._index = index
        self._embed = embed
        if embed is None:
            log.warning("skills are searched by words alone: there is no embedder")

    def search(self, query: str, recent_turns: Sequence[str] = (), most: int = 5) -> Sequence[Hit]:
        """The skills that fit best, best first. `recent_turns`, the newest last, count when the
        query alone says little.
        """
        scores = self._scores(query)
        if recent_turns and len(content_words(query)) < _ELLIPTIC:
            scores = _add(scores, self._scores("\n".join(recent_turns)), _EARLIER_WEIGHT)
        best = sorted(scores, key=lambda row: -scores[row].total)[:most]
        clear = _CLEAR + _CLEAR_GROWTH * math.log(max(1, len(self._index)))
        return [
            Hit(*skill, score.total, score.words, score.vector, score.is_clear(clear))
            for skill, score in ((self._index.skill(row), scores[row]) for row in best)
            if skill is not None
        ]

    def recall(self, query: str, recent_turns: Sequence[str] = (), most: int = 5) -> Sequence[Hit]:
        """What to show a member who did not ask: `search`, or nothing when even the best hit may be
        chance.
        """
        hits = self.search(query, recent_turns, most)
        return hits if hits and hits[0].clear else []

    def _scores(self, text: str) -> Mapping[int, _Score]:
        looked_for = content_words(text)
        bm25 = self._index.by_words(looked_for, _CANDIDATES)
        # The rarest word's weight grows with the logarithm of the library, and so would the score.
        scale = min(1, _ENOUGH_WORDS / max(1, len(looked_for))) / math.log(len(self._index) + 2)
        words = {row: scale * score for row, score in bm25.items()}
        cosines = self._cosines(text, list(words))
        if not cosines:
            return {row: _Score(score, score, None) for row, score in words.items()}
        middling = statistics.median(cosines.values())
        scores: dict[int, _Score] = {}
        for row in words.keys() | cosines.keys():
            by_words = words.get(row, 0.0)
            vector = _VECTOR_WEIGHT * cosines[row] if row in cosines else None
            assumed = _VECTOR_WEIGHT * middling if vector is None else vector
            scores[row] = _Score(by_words + assumed, by_words, vector)
        return scores

    def _cosines(self, text: str, rows: Sequence[int]) -> Mapping[int, float]:
        if self._embed is None or not self._index.has_vectors():
            return {}
        if not (head := pieces(text, _QUERY_TOKENS, 1)):
            return {}
        try:
            query = self._embed(head)[0]
        except EmbedderMissing as error:
            log.warning("skills are searched by words alone: %s", error)
            self._embed = None
            return {}
        return self._index.vectors.similar(query, rows, _CANDIDATES)


def cards(hits: Sequence[Hit]) -> str:
    """The hits as lines for a prompt: at most 5, and 300 tokens together; long descriptions are cut
    so that each has its share. A name that is none a skill may have is shown as a slug.
    """
    shown = hits[:_MOST_CARDS]
    lines: list[str] = []
    left = _MOST_CARD_TOKENS
    for number, hit in enumerate(shown):
        share = left // (len(shown) - number)
        name = hit.name if specification.is_name(hit.name) else specification.slug(hit.name)
        line = f"- {name}: {_one_line(hit.description)}"
        if count_tokens(line) > share:
            head = pieces(line, share - 1, 1)
            line = f"{head[0].rstrip(' .,;:')}…" if head else ""
        lines.append(line)
        left -= count_tokens(line)
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """Without control characters and lone surrogates."""
    kept = (" " if unicodedata.category(each) in ("Cc", "Cs") else each for each in text)
    return " ".join("".join(kept).split())


def _add(
    scores: Mapping[int, _Score], earlier: Mapping[int, _Score], weight: float
) -> Mapping[int, _Score]:
    """Scores of the request with those of what was said before."""
    added = dict(scores)
    nothing = _Score(0.0, 0.0, None)
    for row, before in earlier.items():
        now = scores.get(row, nothing)
        vectors = [v for v in (now.vector, before.vector and weight * before.vector) if v]
        added[row] = _Score(
            now.total + weight * before.total,
            now.words + weight * before.words,
            sum(vectors) if vectors else None,
        )
    return added
