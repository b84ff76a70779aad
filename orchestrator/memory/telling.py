"""Choosing the telling sentences of a talk, where no model puts it into words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.index import content_words, count_tokens

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。\uff01\uff1f])|\n+")
_READ = 2_000
"""Characters of one text that are looked at."""
_MOST_CHARACTERS = 240
_LEAST_WORDS = 2


@dataclass(frozen=True)
class Line:
    """A sentence, or some that follow each other, and who said it; nobody: in other words."""

    peer: str
    text: str

    def __str__(self) -> str:
        return f"{self.peer}: {self.text}" if self.peer else self.text


@dataclass
class _Sentence:
    text: str
    source: int
    """Place of the text it comes from."""
    words: frozenset[str]


def telling(said: Sequence[Line], most_tokens: int) -> Sequence[Line]:
    """The sentences that share most with the others, in their order and with who said them, at most
    so many tokens. What has been said by a chosen sentence counts less in the next one (SumBasic,
    Nenkova and Vanderwende 2005).
    """
    sentences = [
        _Sentence(_cut(text.strip()), place, frozenset(words))
        for place, line in enumerate(said)
        for text in _SENTENCE.split(line.text[:_READ])
        if len(words := content_words(text, 40)) >= _LEAST_WORDS
    ]
    weights = Counter(word for sentence in sentences for word in sentence.words)
    weight = {word: count / len(sentences) for word, count in weights.items()}
    chosen: list[int] = []
    left = list(range(len(sentences)))
    room = most_tokens
    while left:
        best = max(left, key=lambda place: (_score(sentences[place], weight), -place))
        left.remove(best)
        sentence = sentences[best]
        cost = count_tokens(str(Line(said[sentence.source].peer, sentence.text)))
        if cost > room:
            if room < most_tokens // 8:
                break
            continue
        room -= cost
        chosen.append(best)
        for word in sentence.words:
            weight[word] *= weight[word]
    return _joined([sentences[place] for place in sorted(chosen)], said)


def _score(sentence: _Sentence, weight: dict[str, float]) -> float:
    return sum(weight[word] for word in sentence.words) / math.sqrt(len(sentence.words))


def _joined(chosen: Sequence[_Sentence], said: Sequence[Line]) -> Sequence[Line]:
    lines: list[Line] = []
    last = -1
    for sentence in chosen:
        if sentence.source == last:
            lines[-1] = Line(lines[-1].peer, f"{lines[-1].text} {sentence.text}")
        else:
            lines.append(Line(said[sentence.source].peer, sentence.text))
        last = sentence.source
    return lines


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[: _MOST_CHARACTERS - 1].rstrip()}…"
