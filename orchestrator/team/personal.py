"""What people may ask of any profile about themselves, understood and answered without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

FILES = "runs with their files"
UNFINISHED = "unfinished runs, which are cancelled"
"""Sorts of things that are forgotten."""
_ONE = {FILES: "run with its files", UNFINISHED: "unfinished run, which is cancelled"}


@dataclass(frozen=True)
class Wish:
    """What a person wants to be told, or to have forgotten."""

    kind: Literal["known", "last", "topic", "person"]
    """What is known of them; then what shall be forgotten: what was said last, a topic, all."""
    topic: str = ""


@dataclass(frozen=True)
class Asker:
    """Who has the wish, and where they have it."""

    person: str
    session: str
    run: str


class Records(Protocol):
    """What the profiles that a wish is addressed to hold of people. Its methods block."""

    reach: str
    """Whose records these are, and how to reach the others; sentences."""

    def known(self, person: str) -> str:
        """What is known of a person, as an answer to them."""
        ...

    def count(self, wish: Wish, asker: Asker) -> Mapping[str, int]:
        """What would be forgotten: a number for each sort of thing; empty: nothing."""
        ...

    def forget(self, wish: Wish, asker: Asker) -> None:
        """Forget it. Raises RunBusyError while a process works on what would go."""
        ...


_KNOWN = re.compile(
    r"(?:(?:tell|show) me )?what (?:do you|you|have you|you have) "
    r"(?:know|remember|remembered|learned|learnt|stored|noted) (?:about|of) me"
)
_LAST = re.compile(
    r"forget (?:that|this|what i(?: have| just|'ve just)? (?:said|told you)"
    r"|(?:that|this|my last) message)"
)
_PERSON = re.compile(
    r"(?:forget|delete|erase) me|(?:forget|delete|erase|remove) (?:(?:all )?(?:of )?my data"
    r"|(?:all|everything)(?: that)?(?: you (?:know|remember|have|stored))? (?:about|on) me)"
)
_PLAIN = {_KNOWN: Wish("known"), _LAST: Wish("last"), _PERSON: Wish("person")}

_SAID = re.compile(r"forget what i(?: have|'ve)? (?:said|told you) about (.+)")
_ABOUT_SELF = re.compile(r"forget that ((?:i|i'm|i've|i'd|i'll|my|mine)\b.+)")
_OWN = re.compile(
    r"forget (?:(?:what you know |all |everything )?about )?"
    r"((?:my|mine|me and|i|(?:what|where|when|how|who|that) i(?:'m|'ve|'d)?) .+)"
)
"""What a person has told of themselves; every other "forget about …" is left to the model."""

_MOST_CHARACTERS = 120
_POLITE = re.compile(
    r"^please,? |^(?:could|can|would|will) you (?:please )?(?=forget|delete|erase|remove|tell|show)"
    r"|,? please$",
    re.IGNORECASE,
)
_ASIDES = frozenset({"it", "that", "this", "them", "those", "me", "i", "my", "everything", "all"})
"""Words that alone name no topic."""
_GOES_ON = re.compile(
    r"[.!?;:\n]\s|\b(?:instead|but|rather|then|just)\b|,\s*(?:and|or|so|please)\b"
    r"|\band (?:write|make|do|start|tell|give|show|use|go|try|create|find|send|count)\b"
    r"|^(?:(?:what|how|when|where|that) )?i (?:just )?(?:ask|asked|said|told|wanted|want|requested"
    r"|mentioned|wrote|gave|sent|did|meant)\b"
    r"|^my (?:\w+ ){0,2}?(?:code|tests?|scripts?|tables?|reports?|quer(?:y|ies)|files?|branch|build"
    r"|program|functions?|drafts?|texts?|messages?|requests?|questions?|instructions?|tasks?"
    r"|examples?|orders?|points?|previous|last|earlier|first|second|third)\b"
)
"""Signs of a task, for which something shall merely be left out of account."""


def read_wish(text: str) -> Wish | None:
    """The wish that the message is, word for word; None for every other message."""
    line = text.strip()
    if len(line) > _MOST_CHARACTERS or "\n" in line:
        return None
    line = " ".join(line.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    line = _POLITE.sub("", line.rstrip(" .!?…"))
    plain = line.lower()
    for form, wish in _PLAIN.items():
        if form.fullmatch(plain):
            return wish
    found = _SAID.fullmatch(plain) or _ABOUT_SELF.fullmatch(plain) or _OWN.fullmatch(plain)
    if found is None or _GOES_ON.search(found[1]):
        return None
    if not set(re.findall(r"\w+", found[1])) - _ASIDES:
        return None
    return Wish("topic", line[found.start(1) :])


def told(counts: Mapping[str, int]) -> str:
    """`3 messages and 1 conclusion`; `nothing`."""
    parts = [
        f"{n} {sort if n != 1 else _ONE.get(sort, sort.removesuffix('s'))}"
        for sort, n in counts.items()
        if n
    ]
    return (
        " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"
    )
