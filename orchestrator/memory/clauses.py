"""Which part of a message a quotation is from, and who speaks of whom there.

Who is meant is known of English only; of other languages the model is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.memory.checking import stems

_ALIEN = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|\"[^\"\n]{0,500}\"|"
    r"\u201c[^\u201d\n]{0,500}\u201d|\u00ab[^\u00bb\n]{0,500}\u00bb|(?<!\w)'[^'\n]{2,500}'(?!\w)|"
    r"^[ \t]*[>|][^\n]*$|"
    r"\b(?:says?|said|saying|writes?|wrote|reads|answers?|replied|shouts?)\s*:[^\n]*|"
    r"^[^\w\n]*(?:system|assistant|developer|user|human|tool|ai)\s*[:\]>][^\n]*$",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
"""Code, quotations, and lines that play another part."""
_BLANKS = re.compile(r"\s{9,}")

_SUBJECT = r"i|i'm|i've|i'd|i'll|my|we|we're|we've|our|he|she|they|it"
_END = re.compile(
    r"[.!?;:\u2026\u3002\uff01\uff1f]+(?=\s|$)|\n+|\s+[\u2013\u2014-]\s+|"
    rf",?\s+(?:and|but|so|because|although|while)\s+(?=(?:{_SUBJECT})\b)|"
    r",\s+(?=(?:i|i'm|i've|i'd|my|we|our)\b)",
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
    straight = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    straight = _BLANKS.sub(lambda run: "\n" if "\n" in run[0] else " ", straight)
    alien = [match.span() for match in _ALIEN.finditer(straight)]
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
        return True
    if order and _ORDER.match(clause.text):
        return True
    if _FIRST.search(clause.text) is None or _USER.search(clause.text) or _THIRD.match(clause.text):
        return False
    kept = stems(fact)
    if owned := _OWNED.match(clause.text):
        return stems(owned[1]) <= kept
    if _I.search(clause.text):
        return True
    mine = _MINE.findall(clause.text)
    return any(stems(noun) <= kept for noun in mine)


def is_of_other(clause: Clause, fact: str, name: str) -> bool:
    """Whether the clause names the other person and goes on to say the fact of them."""
    if not 2 <= len(name) <= 60 or _NOBODY.fullmatch(name) or len(name.split()) > 4:
        return False
    found = re.search(rf"\b{re.escape(name)}\b", clause.text)
    if found is None or name[0].islower():
        return False
    words = stems(fact[len(name) :]) - EMPTY_STEMS
    return 2 * len(words & stems(clause.text[found.end() :])) >= len(words)
