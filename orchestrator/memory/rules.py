"""What a person says plainly of themselves, read without a model: few patterns, each certain.

English only. A sentence that asks, quotes, supposes or looks back is left alone; so is every
statement about somebody else. What is not surely meant so is left out: a model reads it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from orchestrator.memory import voices
from orchestrator.memory.user_model import Kind

Change = Literal["replaces", "contradicts", "adds", "ends"]
"""What it means for other statements of the same slot: the older value holds no more; one of them
must be wrong; both hold. `ends`: its own value holds no more, and whatever else was said stays.
"""

_MOST_CHARACTERS = 20_000
"""Of a message that are looked at; a longer one is a document."""
_LONGEST, _LONGEST_CLAUSE = 160, 300
"""Characters of a value, and of what it stands in; more is no plain statement."""


@dataclass(frozen=True)
class Statement:
    """Something a person said of themselves."""

    text: str
    """With `{who}` for their name, in the third person."""
    kind: Kind
    slot: str
    """What it is about, such as `home`; statements of one slot bear on each other."""
    value: str
    """What it says of that, for comparison; empty, of an end: whatever holds."""
    change: Change


@dataclass(frozen=True)
class _Rule:
    pattern: str
    text: str
    kind: Kind
    slot: str
    change: Change = "adds"
    fits: Callable[[str], bool] = lambda value: True


def _said(pattern: str) -> str:
    """At the beginning of a clause, up to its end."""
    return rf"^(?:{_LEAD})*(?:{pattern})$"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when it is first needed: all of them take as long as half of an import."""
    return re.compile(pattern, re.IGNORECASE)


_LEAD = (
    r"(?:and|but|so|also|well|oh|hi|hello|hey|ok|okay|yes|no|actually|btw|by the way|fyi|note that|"
    r"just so you know|for the record|as of (?:now|today)|from now on|now|currently|these days|"
    r"please note(?: that)?|you should know(?: that)?)[,:]?\s+"
)
_X = r"(?P<x>.+?)"
_I = r"i(?: am|'m)"
_JUST = r"(?:just |recently |finally )?"
_HAVE = r"i(?: have|'ve)?"
_NOW = r"(?: (?:now|these days|at the moment|currently|today|again|already))?"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"\d{4})"
)
_SINCE = rf"(?:,? (?:since|as|for|from|last|this|not|in {_MONTH})\b.*)?"
_ENDED = r"i(?: no longer| don't| do not)"
_ANY_MORE = r"(?: any ?more)?"


def _is_short(value: str) -> bool:
    return len(value.split()) <= 6


_NO_NAME = re.compile(
    r"\b(?:i|you|me|him|her|it|us|them|yourself|myself|free|home|night|asap|crazy|maybe|back|later|"
    r"today|tomorrow|tonight|now|anytime|\w+day)\b",
    re.IGNORECASE,
)
"""Written with a capital, it still names nobody."""
_NO_PLACE = re.compile(
    r"\b(?:sections?|chapters?|parts?|pages?|lines?|steps?|tasks?|plans?|options?|columns?|tables?|"
    r"files?|sales|support|marketing|management|january|february|march|april|may|june|july|august|"
    r"september|october|november|december|excel|word|outlook|vim|emacs|neovim|vscode|cursor|python|"
    r"java|javascript|typescript|rust|go|ruby|swift|kotlin|scala|julia|postgres|postgresql|mysql|"
    r"sqlite|sql|aws|gcp|mongo|redis|jira|linear|notion|slack|zoom|discord|teams|trello|asana|"
    r"github|gitlab|bitbucket|docker|kubernetes|linux|windows|mac|macos|ubuntu|debian|fedora|"
    r"android|chrome|firefox|react|vue|angular|svelte|django|flask|rails|azure|terraform|figma|"
    r"obsidian|markdown|latex|cloud|terminal|browser)\b",
    re.IGNORECASE,
)
"""What else one moves to, lives in or joins at work."""
_PROPER = r"(?:[A-Z]|[^\x00-\x7f])[\w'.&-]*"
_BETWEEN = r"(?:de|del|do|da|la|le|van|von|der|den|am|an|of|and|the|&)"


def _is_name(value: str) -> bool:
    """One to four words with capitals: `Ludwig van Beethoven`, not `Out for this`."""
    return (
        re.fullmatch(rf"{_PROPER}(?: (?:{_BETWEEN} )*{_PROPER}){{0,3}}", value) is not None
        and _NO_NAME.search(value) is None
        and re.search(r"\d", value) is None
    )


def _is_place(value: str) -> bool:
    """`Lyon`, `the south of France`; not `constant fear`, nor what software is called."""
    parts = re.sub(r"^the (?:[a-z]+ of )?", "", value).split(", ")
    return all(map(_is_name, parts)) and _NO_PLACE.search(value) is None


def _is_employer(value: str) -> bool:
    return _is_name(re.sub(r"^(?:the|an?) ", "", value))


def _is_thing(value: str) -> bool:
    """A noun that means the same in another conversation: not `it`, `the second one`, `to go`."""
    return (
        _is_short(value)
        and re.search(r"\d|'s\b|\b(?:better|more|most|best|here|there|too|it)$", value) is None
        and re.match(
            r"(?:the (?![A-Z])|(?:(?i:it|this|that|these|those|them|him|her|you|me|us|he|she|they|"
            r"your|his|their|its|how|what|when|where|who|why|which|if|to|not|both|either|neither|"
            r"all|one|none|each|some|any|everything|nothing|something|anything|option|version)|[A-D])\b)",
            value,
        )
        is None
    )


def _is_date(value: str) -> bool:
    return re.search(rf"(?i:\b{_MONTH}\b)|\d[./-]\d", value) is not None


_LANGUAGE = (
    r"(?:[A-Z][a-z]+(?:ish|ese|ian|[ln]ic|man)|French|Dutch|Greek|Czech|Welsh|Catalan|Korean|Hindi|"
    r"Urdu|Arabic|Hebrew|Thai|Swahili|Tamil|Latin|Afrikaans|Malay|Mandarin|Cantonese|Slovak|Farsi)"
)
_ORDERS = re.compile(
    r"(?:add|answer|ask|avoid|call|check|cite|commit|delete|explain|format|give|include|keep|"
    r"mention|overwrite|push|put|reply|respond|round|run|say|send|show|sign|speak|start|test|"
    r"translate|use|wear|write)\b(?! never| it$)",
    re.IGNORECASE,
)
"""How what shall always or never be done begins."""

_SINGLE = (
    r"wife|husband|partner|girlfriend|boyfriend|fianc[eé]e?|mother|mum|mom|father|dad|manager|boss"
)
_OTHERS = (
    r"dog|cat|son|daughter|brother|sister|doctor|assistant|landlord|flatmate|roommate|colleague|"
    r"co-?founder"
)

_RULES = (
    _Rule(
        _said(rf"(?:my (?:full |first )?name(?: is|'s)|{_I} called|(?:you can )?call me) {_X}"),
        "{who}'s name is {x}",
        "identity",
        "name",
        "replaces",
        _is_name,
    ),
    _Rule(
        _said(rf"(?:i(?: now)? live|{_I}(?: now)? (?:living|based)) in {_X}{_NOW}{_SINCE}"),
        "{who} lives in {x}",
        "identity",
        "home",
        "replaces",
        _is_place,
    ),
    _Rule(
        _said(rf"{_HAVE} {_JUST}(?:moved|relocated) (?:from .+? )?to {_X}{_NOW}{_SINCE}"),
        "{who} lives in {x}",
        "identity",
        "home",
        "replaces",
        _is_place,
    ),
    _Rule(
        _said(
            rf"(?:{_ENDED} live in|{_HAVE} {_JUST}moved (?:away from|from|out of)) "
            rf"{_X}{_ANY_MORE}{_SINCE}"
        ),
        "{who} no longer lives in {x}",
        "event",
        "home",
        "ends",
        _is_place,
    ),
    _Rule(
        _said(rf"{_ENDED} work (?:at|for) {_X}{_ANY_MORE}{_SINCE}"),
        "{who} no longer works at {x}",
        "event",
        "employer",
        "ends",
        _is_employer,
    ),
    _Rule(
        _said(rf"{_HAVE} {_JUST}(?:left|quit) my job{_SINCE}"),
        "{who} has left the job",
        "event",
        "employer",
        "ends",
    ),
    _Rule(
        _said(rf"{_HAVE} {_JUST}(?:left|quit) (?:my job at )?{_X}{_SINCE}"),
        "{who} has left {x}",
        "event",
        "employer",
        "ends",
        lambda value: _is_employer(value) and _NO_PLACE.search(value) is None,
    ),
    _Rule(
        _said(rf"(?:i(?: now)? work|{_I}(?: now)? working) (?:at|for) {_X}{_NOW}{_SINCE}"),
        "{who} works at {x}",
        "identity",
        "employer",
        "replaces",
        _is_employer,
    ),
    _Rule(
        _said(rf"{_HAVE} {_JUST}(?:joined|started (?:working )?at) {_X}{_NOW}{_SINCE}"),
        "{who} works at {x}",
        "identity",
        "employer",
        "replaces",
        lambda value: _is_employer(value) and _NO_PLACE.search(value) is None,
    ),
    _Rule(
        _said(
            rf"(?:i(?: now)? work|{_I}(?: now)? working) as (?P<article>an?|the) {_X}{_NOW}{_SINCE}"
        ),
        "{who} works as {article} {x}",
        "identity",
        "occupation",
        "replaces",
        lambda value: _is_short(value) and not re.search(r"\b(?:as|team|group|whole)\b", value),
    ),
    _Rule(
        _said(rf"{_I} (?P<x>\d{{1,3}})(?: years old| years of age)"),
        "{who} is {x} years old",
        "identity",
        "age",
        "replaces",
    ),
    _Rule(
        _said(rf"my birthday is (?:on )?(?:the )?{_X}"),
        "{who}'s birthday is {x}",
        "identity",
        "birthday",
        "contradicts",
        lambda value: re.search(r"\d", value) is not None and _is_date(value),
    ),
    _Rule(
        _said(rf"i was born in {_X}"),
        "{who} was born in {x}",
        "identity",
        "born in",
        "contradicts",
        lambda value: _is_place(value) or re.fullmatch(r"\d{4}", value) is not None,
    ),
    _Rule(
        _said(rf"my (?:time ?zone) is {_X}"),
        "{who}'s time zone is {x}",
        "attribute",
        "time zone",
        "replaces",
        lambda value: re.fullmatch(r"[A-Z][\w/:+-]*(?: [A-Z][\w/:+-]*| time)*", value) is not None,
    ),
    _Rule(
        _said(r"my (?:new )?(?:e-?mail|email address|e-?mail address) is (?P<x>[^\s@]+@[^\s@]+)"),
        "{who}'s e-mail address is {x}",
        "attribute",
        "e-mail",
        "replaces",
    ),
    _Rule(
        _said(rf"i speak {_X}"),
        "{who} speaks {x}",
        "attribute",
        "languages",
        "adds",
        lambda value: (
            re.fullmatch(rf"{_LANGUAGE}(?:(?:, |,? and ){_LANGUAGE})*", value) is not None
        ),
    ),
    _Rule(
        _said(rf"{_I} allergic to {_X}"),
        "{who} is allergic to {x}",
        "attribute",
        "allergies",
        "adds",
        _is_thing,
    ),
    _Rule(
        _said(
            rf"{_I} (?:an? )?(?P<x>vegan|vegetarian|pescatarian|left-handed|colou?r-?blind){_NOW}"
        ),
        "{who} is {x}",
        "attribute",
        "traits",
    ),
    _Rule(
        _said(rf"my favou?rite (?P<about>[\w -]{{2,30}}?) is {_X}"),
        "{who}'s favourite {about} is {x}",
        "preference",
        "favourite {about}",
        "replaces",
        _is_thing,
    ),
    _Rule(
        _said(rf"my (?P<about>{_SINGLE})(?:'s name is| is called| is named) {_X}"),
        "{who}'s {about} is called {x}",
        "relationship",
        "{about}",
        "replaces",
        _is_name,
    ),
    _Rule(
        _said(rf"my (?P<about>{_OTHERS})(?:'s name is| is called| is named) {_X}"),
        "{who}'s {about} is called {x}",
        "relationship",
        "{about}",
        "adds",
        _is_name,
    ),
    _Rule(
        _said(
            rf"i (?:no longer (?:like|enjoy) {_X}|"
            r"(?:do not|don't) (?:like|enjoy) (?P<y>.+?) any ?more)"
        ),
        "{who} does not like {x}",
        "preference",
        "liking {x}",
        "replaces",
        _is_thing,
    ),
    _Rule(
        _said(rf"i (?:do not|don't) (?:like|enjoy) {_X}"),
        "{who} does not like {x}",
        "preference",
        "liking {x}",
        "contradicts",
        _is_thing,
    ),
    _Rule(
        _said(rf"i (?:really |absolutely )?(?:hate|dislike|can't stand) {_X}"),
        "{who} does not like {x}",
        "preference",
        "liking {x}",
        "contradicts",
        _is_thing,
    ),
    _Rule(
        _said(rf"i (?:really |absolutely )?(?:like|love|enjoy) {_X}"),
        "{who} likes {x}",
        "preference",
        "liking {x}",
        "contradicts",
        _is_thing,
    ),
    _Rule(
        _said(rf"i(?: would|'d)? (?:much |always |generally )?prefer {_X}"),
        "{who} prefers {x}",
        "preference",
        "preferences",
        "adds",
        lambda value: len(value.split()) <= 12 and _is_thing(" ".join(value.split()[:5])),
    ),
    _Rule(
        _said(rf"(?:please )?(?:always|from now on,? always) {_X}"),
        "{who} asks: always {x}",
        "instruction",
        "instructions",
        "adds",
        lambda value: len(value.split()) <= 20 and _ORDERS.match(value) is not None,
    ),
    _Rule(
        _said(rf"(?:please )?never {_X}"),
        "{who} asks: never {x}",
        "instruction",
        "instructions",
        "adds",
        lambda value: len(value.split()) <= 20 and _ORDERS.match(value) is not None,
    ),
    _Rule(
        _said(rf"(?:please )?(?:remember|keep in mind|don't forget|do not forget) that {_X}"),
        "{who} asked to remember: {x}",
        "attribute",
        "notes",
        "adds",
        lambda value: len(value.split()) <= 30,
    ),
)

_ONE = re.compile(
    "|".join(
        [rule.slot for rule in _RULES if rule.change == "replaces" and "{" not in rule.slot]
        + ["favourite .+", _SINGLE]
    )
)


def holds_one(slot: str) -> bool:
    """Whether another value of the slot replaces the one before."""
    return _ONE.fullmatch(slot) is not None


_SENTENCE = re.compile(r"(?<=[.!?\u2026])\s+(?=\S)|(?<=[\u3002\uff01\uff1f])")
_ME = r"(?=i\b|i'|my\b|please\b|call me\b)"
_CLAUSE = re.compile(
    rf"[;:]\s+|\s+[\u2013\u2014-]\s+|,?\s+(?:and|but|so)\s+{_ME}|,\s+{_ME}", re.IGNORECASE
)
_DOUBTFUL = re.compile(
    r"\b(?:if|unless|whether|suppose|imagine|pretend|would|could|might|maybe|perhaps|used to|"
    r"wish|hope to|going to|plan(?:ning)? to|want to|said|says|told|goes|according to|joke|lies?|"
    r"no more$)\b",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"\b(?:i|i'm|i've|me|my|mine|myself|we|our|us|always|never|remember|prefer|keep in mind|"
    r"forget)\b",
    re.IGNORECASE,
)


def read(text: str) -> Iterator[Statement]:
    """What the text says plainly of whoever says it, in order."""
    if not _PERSONAL.search(_straight(text)):
        return
    for clause in _clauses(text):
        statement = _statement(clause)
        if statement is not None:
            yield statement


def may_tell(text: str) -> bool:
    """Whether a model might find something about the speaker: not in an English order without a
    word about themselves.
    """
    straight = _straight(text)
    return not straight.isascii() or _PERSONAL.search(straight) is not None


def _straight(text: str) -> str:
    return voices.straight(text[:_MOST_CHARACTERS])


def _clauses(text: str) -> Iterator[str]:
    for line in _own(_straight(text)).split("\n"):
        for sentence in _SENTENCE.split(line):
            plain = sentence.rstrip(" .!,")
            if "…" in plain or plain.endswith("?") or _DOUBTFUL.search(plain):
                continue
            for clause in _CLAUSE.split(sentence):
                if len(clause) <= _LONGEST_CLAUSE:
                    yield " ".join(clause.strip().rstrip(".!,;: ").split())


def _own(text: str) -> str:
    """The text with a mark for each part that is not the speaker's own."""
    kept, read = "", 0
    for begin, end in sorted(voices.foreign(text)):
        if end > read:
            kept, read = f"{kept}{text[read:begin]} … ", end
    return kept + text[read:]


def _statement(clause: str) -> Statement | None:
    for rule in _RULES:
        match = _compiled(rule.pattern).match(clause)
        if match is None:
            continue
        parts = {name: part.strip(" ,'\"") for name, part in match.groupdict().items() if part}
        value = parts.get("x") or parts.get("y", "")
        if bool(value) != ("{x}" in rule.text) or len(value) > _LONGEST or not rule.fits(value):
            continue
        named = {**parts, "x": value, "about": parts.get("about", "").lower()}
        slot = rule.slot.format(**named).casefold()
        told = rule.text.replace("{who}", "{{who}}").format(**_literal(named))
        polarity = "no" if "does not" in rule.text else "yes"
        same = polarity if rule.slot.startswith("liking") else value.casefold()
        return Statement(told, rule.kind, slot, same, rule.change)
    return None


def _literal(parts: dict[str, str]) -> dict[str, str]:
    """Braces in what was said are no places to fill in."""
    return {name: part.replace("{", "(").replace("}", ")") for name, part in parts.items()}
