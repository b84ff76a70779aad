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

from orchestrator.memory import values, voices
from orchestrator.memory.user_model import Kind
from orchestrator.memory.values import MONTH, MONTH_OR_YEAR

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
    sure: bool = True
    """False, of an end: it may be meant otherwise, and counts only where the value is held."""


@dataclass(frozen=True)
class _Rule:
    pattern: str
    text: str
    kind: Kind
    slot: str
    change: Change = "adds"
    fits: Callable[[str], bool] = lambda value: True
    sure: bool = True


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
    r"at the moment|in fact|(?:please )?(?:note|remember|keep in mind|don't forget|do not forget)"
    r"(?: that)?|you should know(?: that)?)[,:]?\s+"
)
_X = r"(?P<x>.+?)"
_I = r"i(?: am|'m)"
_JUST = r"(?:just |recently |finally )?"
_HAVE = r"i(?: have|'ve)?"
_ADVERB = r"(?: (?:now|currently|still|actually|presently))?"
_NOW = (
    r"(?:,? (?:now|these days|at the moment|currently|today|again|already|too|as well|btw|"
    r"by the way))?"
)
_THANKS = r"(?:,? (?:from now on|please|thanks|thank you|thx))*"
_ANY_MORE = r"(?: any ?more)?"
_TIMES = (
    r"(?:since|as of)(?: \w+){1,3}|recently|yesterday|already|for good|"
    r"[\w-]+ (?:days?|weeks?|months?|years?) ago|"
    rf"in (?:early |mid-?|late )?{MONTH_OR_YEAR}(?: \d{{4}})?|"
    rf"(?:last|this) (?:week|month|year|spring|summer|autumn|fall|winter|\w+day|{MONTH})"
)
_WHEN = rf"(?:,? (?:{_TIMES}))?"
"""Since when; not for how long."""
_LATELY = rf"(?:,? (?!.*\b(?:\d{{4}}|years? ago)$)(?:{_TIMES}))?"
"""The same, but not so long ago that it may have changed since."""
_HELD = (
    r"(?:,? (?:since|as of|not|with my|"
    r"for (?:about |almost |nearly |over |more than |the (?:last|past) )?[\w-]+ "
    r"(?:months?|years?))\b(?!.*\b(?:moved|but|left)\b).*)?"
)
_AND = (
    r"(?:,? (?:and|but) (?-i:(?!i\b|then|left|came|come|moved|returned|went|gone|back|only|just|"
    r"until)[a-z]).*)?"
)
"""Something else about the same person, which is no second name."""

_ORDERS = re.compile(
    r"(?:add|answer|ask|avoid|call|check|cite|commit|delete|explain|format|give|include|keep|"
    r"mention|overwrite|push|put|reply|respond|round|run|say|send|show|sign|speak|start|test|"
    r"translate|use|wear|write)\b"
    r"(?! never| up$|(?: \w+)? (?:it|that|this|into|out|myself|my own)\b)"
    r"(?!.*\b(?:for this|for now|today|tbh|lol)\b)",
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
        _said(
            rf"(?:my (?:full |first )?name(?: is|'s)|{_I} called|"
            rf"(?:please |just |you can )?call me) {_X}"
        ),
        "{who}'s name is {x}",
        "identity",
        "name",
        "replaces",
        values.is_name,
    ),
    _Rule(
        _said(rf"i no longer live in .+?,? but in {_X}{_NOW}{_WHEN}"),
        "{who} lives in {x}",
        "identity",
        "home",
        "replaces",
        values.is_place,
    ),
    _Rule(
        _said(
            rf"(?:i{_ADVERB} live|{_I}{_ADVERB} (?:living|based)) in {_X}{_NOW}{_HELD}{_AND}|"
            r"i(?: have|'ve) (?:lived|been living) in (?P<y>.+?) since(?: \w+){1,3}"
        ),
        "{who} lives in {x}",
        "identity",
        "home",
        "replaces",
        values.is_place,
    ),
    _Rule(
        _said(
            rf"{_HAVE} {_JUST}(?:moved|relocated)(?: back)? (?:from .+? )?to "
            rf"{_X}{_NOW}{_LATELY}{_AND}"
        ),
        "{who} lives in {x}",
        "identity",
        "home",
        "replaces",
        values.is_known_place,
    ),
    _Rule(
        _said(
            rf"(?:i no longer live|{_I} no longer (?:living|based)) in {_X}{_WHEN}|"
            r"i (?:do not|don't) live in (?P<y>.+?) any ?more"
        ),
        "{who} no longer lives in {x}",
        "event",
        "home",
        "ends",
        values.is_place,
    ),
    _Rule(
        _said(
            rf"i (?:do not|don't) live in {_X}|"
            rf"{_HAVE} {_JUST}moved (?:away from|out of|from) (?P<y>.+?){_WHEN}"
        ),
        "{who} no longer lives in {x}",
        "event",
        "home",
        "ends",
        values.is_place,
        sure=False,
    ),
    _Rule(
        _said(
            rf"i{_ADVERB} work (?:at|for) {_X}{_NOW}(?: as an? .+|{_HELD}{_AND})|"
            rf"(?:{_I} (?:now|currently)|i(?: have|'ve) been) working (?:at|for) (?P<y>.+?)"
            rf"(?:{_HELD}{_AND})|"
            rf"{_I} working (?:at|for) (?P<z>.+?) (?:now|currently|these days|as an? .+)"
        ),
        "{who} works at {x}",
        "identity",
        "employer",
        "replaces",
        values.is_employer,
    ),
    _Rule(
        _said(
            rf"{_HAVE} {_JUST}(?:joined {_X} as (?:an?|the|their) "
            r"(?!(?:guest|host|moderator|co-?author|user|admin|member)\b)[\w -]+|"
            r"started (?:working (?:at|for)|(?:a|my) new job (?:at|for|with)) "
            rf"(?P<y>.+?){_NOW}{_WHEN})"
        ),
        "{who} works at {x}",
        "identity",
        "employer",
        "replaces",
        values.is_left,
    ),
    _Rule(
        _said(
            rf"(?:{_HAVE} {_JUST}(?:left|quit|lost) my job|i (?:was|got|have been)"
            rf" (?:just |recently )?(?:fired|laid off|let go|made redundant)|"
            rf"{_I}{_ADVERB} (?:unemployed|between jobs|retired)|{_HAVE} {_JUST}retired){_LATELY}"
        ),
        "{who} has no job",
        "event",
        "employer",
        "ends",
    ),
    _Rule(
        _said(
            rf"(?:{_HAVE} {_JUST}(?:left|quit|lost) my job at|i no longer work (?:at|for)|"
            rf"{_I} no longer (?:working (?:at|for|with)|employed (?:at|by))|"
            r"i (?:was|got) (?:just |recently )?(?:fired|laid off|let go) (?:from|by)|"
            rf"{_HAVE} {_JUST}stopped working (?:at|for)) {_X}{_WHEN}|"
            r"i (?:do not|don't) work (?:at|for) (?P<y>.+?) any ?more"
        ),
        "{who} no longer works at {x}",
        "event",
        "employer",
        "ends",
        values.is_left,
    ),
    _Rule(
        _said(
            rf"{_I} no longer (?:at|with) (?P<z>.+?)|{_HAVE} {_JUST}(?:left|quit) {_X}{_WHEN}|"
            r"i (?:do not|don't) work (?:at|for) (?P<y>.+)"
        ),
        "{who} no longer works at {x}",
        "event",
        "employer",
        "ends",
        values.is_left,
        sure=False,
    ),
    _Rule(
        _said(
            rf"(?:i{_ADVERB} work|{_I}{_ADVERB} working) as (?P<article>an?|the) "
            rf"{_X}{_NOW}{_WHEN}{_AND}"
        ),
        "{who} works as {article} {x}",
        "identity",
        "occupation",
        "replaces",
        values.is_occupation,
    ),
    _Rule(
        _said(rf"{_I} (?P<x>1[3-9]|[2-9]\d|10\d)(?: years old| years of age)"),
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
        lambda value: bool(values.day(value)),
    ),
    _Rule(
        _said(rf"i was born in {_X}"),
        "{who} was born in {x}",
        "identity",
        "born in",
        "contradicts",
        lambda value: values.is_place(value) or re.fullmatch(r"\d{4}", value) is not None,
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
        values.are_languages,
    ),
    _Rule(
        _said(rf"{_I} allergic to {_X}"),
        "{who} is allergic to {x}",
        "attribute",
        "allergies",
        "adds",
        values.are_allergens,
    ),
    _Rule(
        _said(
            rf"{_I} (?:an? )?(?P<x>vegan|vegetarian|pescatarian|left-handed|colou?r-?blind)"
            r"(?: now| these days| too| as well| btw)?"
        ),
        "{who} is {x}",
        "attribute",
        "traits",
    ),
    _Rule(
        _said(
            rf"{_I} (?:no longer|not) (?:an? )?(?P<x>vegan|vegetarian|pescatarian){_ANY_MORE}{_NOW}"
        ),
        "{who} is no longer {x}",
        "event",
        "traits",
        "ends",
        sure=False,
    ),
    _Rule(
        _said(
            r"my favou?rite (?P<about>(?!(?:one|option|so far|of these|part|bit)\b)[\w -]{2,30}?)"
            rf" is {_X}"
        ),
        "{who}'s favourite {about} is {x}",
        "preference",
        "favourite {about}",
        "replaces",
        values.is_thing,
    ),
    _Rule(
        _said(rf"my (?P<about>{_SINGLE})(?:'s name is| is called| is named) {_X}"),
        "{who}'s {about} is called {x}",
        "relationship",
        "{about}",
        "replaces",
        values.is_name,
    ),
    _Rule(
        _said(rf"my (?P<about>{_OTHERS})(?:'s name is| is called| is named) {_X}"),
        "{who}'s {about} is called {x}",
        "relationship",
        "{about}",
        "adds",
        values.is_name,
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
        values.is_thing,
    ),
    _Rule(
        _said(rf"i (?:do not|don't) (?:like|enjoy) {_X}"),
        "{who} does not like {x}",
        "preference",
        "liking {x}",
        "contradicts",
        values.is_thing,
    ),
    _Rule(
        _said(
            r"i (?:really |absolutely )?(?:hate|dislike|can't stand(?! (?:up|by|near|in|on|at|"
            rf"still|here|straight|back|next|another)\b)) {_X}"
        ),
        "{who} does not like {x}",
        "preference",
        "liking {x}",
        "contradicts",
        values.is_thing,
    ),
    _Rule(
        _said(rf"i (?:really |absolutely )?(?:like|love|enjoy) {_X}"),
        "{who} likes {x}",
        "preference",
        "liking {x}",
        "contradicts",
        values.is_thing,
    ),
    _Rule(
        _said(rf"i (?:much |always |generally )?prefer {_X}"),
        "{who} prefers {x}",
        "preference",
        "preferences",
        "adds",
        lambda value: len(value.split()) <= 12 and values.is_thing(" ".join(value.split()[:5])),
    ),
    _Rule(
        _said(
            r"(?:please )?(?:always |from now on,? (?:always )?)"
            rf"(?:answer|reply|respond|speak|write)(?: to)?(?: me)? in {_X}{_THANKS}"
        ),
        "{who} asks: always answer in {x}",
        "instruction",
        "language of answers",
        "replaces",
        values.are_languages,
    ),
    _Rule(
        _said(rf"(?:please )?(?:always|from now on,?(?: always)?) {_X}{_THANKS}"),
        "{who} asks: always {x}",
        "instruction",
        "doing {x}",
        "replaces",
        lambda value: len(value.split()) <= 20 and _ORDERS.match(value) is not None,
    ),
    _Rule(
        _said(rf"(?:please )?never {_X}{_THANKS}"),
        "{who} asks: never {x}",
        "instruction",
        "doing {x}",
        "replaces",
        lambda value: len(value.split()) <= 20 and _ORDERS.match(value) is not None,
    ),
    _Rule(
        _said(
            rf"(?:please )?(?:remember|keep in mind|don't forget|do not forget) that "
            rf"(?!(?:one|time|day|night|guy|bug|movie|song|thing|meeting|joke|error)\b){_X}"
        ),
        "{who} asked to remember: {x}",
        "attribute",
        "notes",
        "adds",
        lambda value: 3 <= len(value.split()) <= 30,
    ),
)

_ONE = re.compile(
    "|".join(
        [rule.slot for rule in _RULES if rule.change == "replaces" and "{" not in rule.slot]
        + ["favourite .+", "doing .+", _SINGLE]
    )
)


def holds_one(slot: str) -> bool:
    """Whether another value of the slot replaces the one before."""
    return _ONE.fullmatch(slot) is not None


_SENTENCE = re.compile(
    r"(?<=[.!?\u2026])(?<!\bSt\.)(?<!\bFt\.)(?<!\bMt\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)"
    r"(?<!\bMrs\.)(?<!\bProf\.)(?<!\b[A-Z]\.)\s+(?=\S)|(?<=[\u3002\uff01\uff1f])"
)
_ME = r"(?=i\b|i'|my\b|please\b|call me\b)"
_CLAUSE = re.compile(
    rf"[;:]\s+|\s+[\u2013\u2014-]\s+|,?\s+(?:and|but|so)\s+{_ME}|,\s+{_ME}", re.IGNORECASE
)
_FRAMED = re.compile(
    rf"(?:when|while|whenever|after|before|once|during|as an?|until|under|with|"
    rf"in (?!fact\b|short\b|general\b|addition\b|{MONTH}\b(?! \d))|"
    r"at (?!the moment\b|present\b)|on (?!a side\b|top\b)|by (?!the way\b)|back (?:in|then)|"
    r"for (?!the record\b|context\b|(?:your )?info|reference\b))",
    re.IGNORECASE,
)
"""How a part before a comma begins that says when or where what follows is so."""
_HASTY = re.compile(r"\b(i(?=m|ve)|don(?=t)|can(?=t stand))(m|ve|t)\b", re.IGNORECASE)
_SYMBOLS = re.compile(r"\s+[^\w\s]+$")
_DOUBTFUL = re.compile(
    r"^say\b|\b(?:let's say|assum\w+|thinks|tell (?!you)|"
    r"if|unless|whether|suppose|imagine|pretend|would|could|might|maybe|perhaps|used to|"
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
    """With the apostrophes that are left out in haste."""
    return _HASTY.sub(r"\1'\2", voices.straight(text[:_MOST_CHARACTERS]))


def _clauses(text: str) -> Iterator[str]:
    for line in _own(_straight(text)).split("\n"):
        for sentence in _SENTENCE.split(line):
            plain = sentence.rstrip(" .!,")
            if "…" in plain or plain.endswith("?") or _DOUBTFUL.search(plain):
                continue
            clauses = _CLAUSE.split(sentence)
            if len(clauses) > 1 and _FRAMED.match(clauses[0].lstrip()):
                continue
            for clause in clauses:
                if len(clause) <= _LONGEST_CLAUSE:
                    yield " ".join(_SYMBOLS.sub("", clause.strip()).rstrip(".!,;: ").split())


def _own(text: str) -> str:
    """The text with a mark for each part that is not the speaker's own."""
    kept, read = "", 0
    for begin, end in sorted(voices.foreign(text)):
        if end > read:
            kept, read = f"{kept}{text[read:begin]} … ", end
    return kept + text[read:]


def _statement(clause: str) -> Statement | None:
    loud = clause.isupper()
    for rule in _RULES:
        match = _compiled(rule.pattern).match(clause)
        if match is None or (loud and rule.kind != "instruction"):
            continue
        parts = {name: part.strip(" ,'\"") for name, part in match.groupdict().items() if part}
        value = next((parts[name] for name in "xyz" if name in parts), "")
        if bool(value) != ("{x}" in rule.text) or len(value) > _LONGEST or not rule.fits(value):
            continue
        named = {**parts, "x": value, "about": parts.get("about", "").lower()}
        slot = rule.slot.format(**named).casefold()
        told = rule.text.replace("{who}", "{{who}}").format(**_literal(named))
        same = _value(rule, value)
        return Statement(told, rule.kind, slot, same, rule.change, rule.sure)
    return None


def _value(rule: _Rule, value: str) -> str:
    """What a statement says of its slot, for comparison."""
    if rule.slot.endswith(" {x}"):
        return "no" if re.search(r"\b(?:not|never)\b", rule.text) else "yes"
    return (values.day(value) if rule.slot == "birthday" else "") or value.casefold()


def told(text: str, peer: str) -> Statement | None:
    """What a sentence in the words of a statement says of a peer; None: nothing with a slot where
    values exclude each other.
    """
    for rule in _RULES:
        if rule.change not in ("replaces", "contradicts"):
            continue
        match = _compiled(_template(rule.text, re.escape(peer))).fullmatch(text.rstrip("."))
        if match is not None and rule.fits(value := match["x"]):
            parts = {**match.groupdict(), "about": match.groupdict().get("about", "").lower()}
            slot = rule.slot.format(**parts).casefold()
            return Statement(text, rule.kind, slot, _value(rule, value), "contradicts")
    return None


def _template(text: str, who: str) -> str:
    pattern = re.escape(text).replace(r"\{who\}", who)
    for name, words in (("x", ".+?"), ("about", "[\\w -]+?"), ("article", "an?|the")):
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{words})")
    return pattern


def _literal(parts: dict[str, str]) -> dict[str, str]:
    """Braces in what was said are no places to fill in."""
    return {name: part.replace("{", "(").replace("}", ")") for name, part in parts.items()}
