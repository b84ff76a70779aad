"""Which part of a message a quotation is from, and who speaks of whom there.

Who is meant is known of English; of other languages little is known beyond the form of the verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.memory import voices
from orchestrator.memory.checking import stems

_SUBJECT = r"i|i'm|i've|i'd|i'll|my|we|we're|we've|our|he|she|they|it"
_END = re.compile(
    r"[.!?;:\u2026\u3002\uff01\uff1f]+(?=\s|$)|\n+|\s+[\u2013\u2014-]\s+|"
    rf",?\s+(?:and|but|so|because|although|while)\s+(?=(?:{_SUBJECT})\b)|"
    r",\s+(?=(?:i|i'm|i've|i'd|my|we|our)\b)|"
    r",?\s+(?=(?:who|whose|whom|qui)\b)|,\s+(?=(?:der|die|das|que)\b)",
    re.IGNORECASE,
)

_FIRST = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|me|my|mine|myself|we|we're|we've|our|ours|us)\b", re.IGNORECASE
)
_OWNED = re.compile(
    r"^(?:(?:and|but|so|also|well|oh|hi|yes|no|actually|currently|now|today|yesterday),?\s+)*"
    r"(?:my|our)\s+(?:(?:new|old|best|little|big|younger|older|whole)\s+)*(\w+)",
    re.IGNORECASE,
)
_I = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|we|we're|we've)\b", re.IGNORECASE)
_ANOTHER = re.compile(
    r"\b(?:(?i:my|our|his|her|their|he|she|they|it|you)\b|(?!I\b)(?:[A-Z]|[^\W\d_a-zA-Z])[\w'-]*)"
)
"""Who may be the subject of what follows."""
_I_ELSEWHERE = re.compile(
    r"\b(?:ich|wir|je|nous|yo|nosotros|io|noi|eu|nós|ik|wij|jag|я|мы)\b|\bj'",
    re.IGNORECASE,
)
_MINE = re.compile(r"\b(?:my|our)\s+(\w+)", re.IGNORECASE)
_THIRD = re.compile(r"^(?:he|she|they|it|the user|this user|you)\b", re.IGNORECASE)
_USER = re.compile(r"\b(?:the|this) (?:user|person|human|customer)\b", re.IGNORECASE)
_ORDER = re.compile(
    r"^(?:please,?\s+|from now on,?\s+|and\s+|also,?\s+)*(?:always|never|do not|don't|no more|use|"
    r"keep|write|answer|reply|respond|send|call me|avoid|stop|format|round|speak|be)\b",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"user|system|assistant|bot|admin|ai|he|she|they|it|you|we|who|this|that|nobody|someone|"
    r"somebody|everyone|everybody|people",
    re.IGNORECASE,
)
"""What looks like a name and is none."""
_SPEAKER = re.compile(r"^(?:the )?(?:user|person|speaker)(?='s|\u2019s|\s)", re.IGNORECASE)

EMPTY_STEMS = stems(
    "a an the of to in on at for from by with and or is are was were be been has have had does do "
    "did not no that which who whom their them they his her he she it its this these those as s"
)
"""Of words that tell nothing."""

_BEFORE = re.compile(
    r"(?i:(?:and|but|so|also|well|by the way|note that|remember that|i think(?: that)?|"
    r"yesterday|today|now|then),?\s+)*"
    r"(?:(?i:my|our|the|a|an)\s+"
    r"(?:(?!(?:of|to|with|for|from|by|and|whose|than)\b)[a-z-]+\s+){1,3})?"
)
"""What may stand before the name of whom a clause is about."""


@dataclass(frozen=True)
class Clause:
    """A plain statement in a message."""

    text: str
    asks: bool
    english: bool


def around(text: str, quote: str, fact: str) -> Clause | None:
    """Where the speaker says the quoted words in their own voice, of several clauses the one that
    has most in common with the fact; None: nowhere.
    """
    words = re.findall(r"\w+", quote)
    if len("".join(words)) < 2:
        return None
    straight = voices.straight(text)
    alien = list(voices.foreign(straight))
    for found in re.finditer(r"[\W_]+".join(map(re.escape, words)), straight, re.IGNORECASE):
        if not any(start < found.end() and found.start() < end for start, end in alien):
            kept = stems(fact)
            there = [
                clause
                for clause, begin, end in _clauses(straight)
                if begin < found.end() and found.start() < end
            ]
            return max(there, key=lambda clause: len(kept & stems(clause.text)), default=None)
    return None


def _clauses(text: str) -> Iterator[tuple[Clause, int, int]]:
    english = text.isascii() or _FIRST.search(text) is not None
    begin = 0
    for match in [*_END.finditer(text), None]:
        end = match.start() if match is not None else len(text)
        asks = match is not None and ("?" in match[0] or "\uff1f" in match[0])
        yield Clause(text[begin:end].strip(), asks, english), begin, end
        begin = match.end() if match is not None else end


def begins_with(text: str, name: str) -> bool:
    """Whether the text is about who has that name."""
    if not text.casefold().startswith(name.casefold()):
        return False
    return re.match(r"'s\b|\u2019s\b|\s|[^\x00-\u024f]", text[len(name) :]) is not None


def naming(fact: str, peer: str) -> str:
    """The fact with the peer's name where the model wrote `the user`."""
    return _SPEAKER.sub(lambda _: peer, fact)


def is_of_speaker(clause: Clause, fact: str, *, order: bool) -> bool:
    """Whether the clause says the fact of whoever speaks, not of somebody the speaker mentions.
    `order`: it may be a wish how things are done.
    """
    if not clause.english:
        return _is_told_by(clause, fact)
    if order and _ORDER.match(clause.text):
        return True
    if _FIRST.search(clause.text) is None or _USER.search(clause.text) or _THIRD.match(clause.text):
        return False
    kept = stems(fact)
    if owned := _OWNED.match(clause.text):
        return stems(owned[1]) <= kept
    if _I.search(clause.text):
        return any(
            not _is_of_another(clause.text[found.end() : found.end() + 200], fact)
            for found in _I.finditer(clause.text)
        )
    mine = _MINE.findall(clause.text)
    return any(stems(noun) <= kept for noun in mine)


def _is_of_another(said: str, fact: str) -> bool:
    """Whether what follows `I` comes to somebody the fact leaves out before it comes to the fact:
    `I know Bob hates fish` for `ann hates fish`.
    """
    kept = stems(fact) - EMPTY_STEMS
    for word in re.finditer(r"[^\W\d_][\w'-]*", said):
        if stems(word[0]) & kept:
            return False
        if _ANOTHER.fullmatch(word[0]):
            return True
    return False


def _is_told_by(clause: Clause, fact: str) -> bool:
    """Whether the verb of the fact has another form in the clause, or a word for `I` its own: who
    lives in Köln says `lebe`, of others `lebt`. Scripts without capitals show no verb.
    """
    verb = re.match(r"\S+\s+(\w+)", fact)
    if verb is None or _I_ELSEWHERE.search(clause.text):
        return True
    return not verb[1].islower() or re.search(rf"\b{verb[1]}\b", clause.text) is None


def is_of_other(clause: Clause, fact: str, name: str) -> bool:
    """Whether the clause names the other person and goes on to say the fact of them."""
    if not 2 <= len(name) <= 60 or _NOBODY.fullmatch(name) or len(name.split()) > 4:
        return False
    owner = "" if fact[len(name) :].startswith("'s") else "(?!'s)"
    found = re.search(rf"\b{re.escape(name)}\b{owner}", clause.text)
    if found is None or name[0].islower():
        return False
    if clause.english and not _BEFORE.fullmatch(clause.text[: found.start()]):
        return False
    words = stems(fact[len(name) :]) - EMPTY_STEMS
    return 2 * len(words & stems(clause.text[found.end() :])) >= len(words)
