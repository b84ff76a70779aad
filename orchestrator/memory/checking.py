"""What code can check of a statement that a model has made from other texts: that it adds nothing,
and that it neither drops a doubt nor turns a denial round.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")
_COUNTS = re.compile(
    r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|"
    r"hundred|thousand|million|dozen|half|double|twice"
)
_STEM = 5
"""Letters by which two forms of a word are known as one, once the ending is off."""
_ENDING = re.compile(r"(?<=\w{2})(?:ing|ed|es|e|s|d)$")

_DENIAL = re.compile(
    r"\b(?:not|no|never|nor|neither|without|cannot|none|nothing|hardly|rarely|stop\w*|quit\w*|"
    r"avoid\w*|hates?|hated|dislik\w*|allerg\w*|refus\w*|unable|intoleran\w*|"
    r"nicht|kein\w*|nie|niemals|ne|pas|jamais|sans|aucune?|nunca|sin|ning[uú]n\w*|non|mai|sem|não|"
    r"niet|geen|nooit|не|нет|никогда)\b|n['\u2019]t\b|\bn['\u2019](?=\w)|[不没未]|ません|ない",
    re.IGNORECASE,
)

_SAYS = (
    r"says?|said|tells?|told|thinks?|thought|believes?|claims?|claimed|doubts?|doubted|suspects?|"
    r"assumes?|alleges?|den(?:y|ies|ied)|insists?|sagt\w*|meint\w*|glaubt\w*|behauptet\w*|dit|croit|"
    r"pense|prétend|dice|dijo|cree|piensa|говорит|сказала?|думает"
)
_HEDGES = (
    (  # what was
        r"used to|formerly|previously|back then|when i was|as a (?:child|kid|student|boy|girl)",
        r"used to|former\w*|previous\w*|no longer|in the past|was|were|had|\w+ed",
    ),
    (  # what is only meant to be
        r"want(?:ed)? to|going to|plan(?:s|ned|ning)?(?: to)?|hop(?:e|ing)|wish\w*|"
        r"would (?:like|love) to|intend\w*|consider\w*|dream\w*|thinking (?:of|about)|will|i'll",
        r"want\w*|going to|plan\w*|hop\w+|wish\w*|would|like\w*|love\w*|prefer\w*|ask\w*|intend\w*|"
        r"consider\w*|dream\w*|thinking|will|expect\w*",
    ),
    (  # what may not be so
        r"if|unless|whether|suppos\w+|imagin\w+|pretend\w*|might|maybe|perhaps|probably|could|"
        r"not sure|almost|nearly|jok\w+|kidding|lie|lies|lying",
        r"if|unless|whether|suppos\w+|imagin\w+|pretend\w*|might|may|maybe|perhaps|probabl\w+|"
        r"possibl\w+|could|not sure|unsure|almost|nearly|jok\w+|kidding|lie|lies|lying",
    ),
    (  # what somebody says
        rf"{_SAYS}|heard|according to",
        rf"{_SAYS}|heard|according",
    ),
)
_HEDGED = [
    (re.compile(rf"\b(?:{said})\b", re.I), re.compile(rf"\b(?:{kept})\b", re.I))
    for said, kept in _HEDGES
]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RELATIVE = {"today": 0, "tonight": 0, "this morning": 0, "yesterday": -1, "tomorrow": 1}
_NEAR_DAY = re.compile(rf"\b(?:{'|'.join(_RELATIVE)})\b", re.IGNORECASE)
_PERIOD = re.compile(r"\b(last|this|next) (month|year)\b", re.IGNORECASE)
_PERIODS = {"last": -1, "this": 0, "next": 1}


def plain(text: str) -> str:
    """The words alone, for comparison."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def stems(text: str) -> frozenset[str]:
    """The beginnings of its words, of scripts without spaces the pairs of characters, too."""
    words = _WORD.findall(text.casefold())
    return frozenset(
        [_stem(word) for word in words]
        + [word[at : at + 2] for word in words if _is_uncased(word) for at in range(len(word) - 1)]
    )


def added(text: str, sources: Sequence[str], names: Collection[str] = ()) -> Sequence[str]:
    """The numbers and proper names in the text that neither the sources nor the names hold. Where a
    script does not show which words are names, every word counts.
    """
    known = "\n".join([*sources, *names])
    numbers = set(_NUMBER.findall(known))
    numbers |= {part for number in numbers for part in re.findall(r"\d+", number)}
    words = {word.casefold() for word in _WORD.findall(known)}
    beginnings = stems(known)
    new = [number for number in _NUMBER.findall(text) if number not in numbers]
    for place, match in enumerate(_WORD.finditer(text)):
        word = match[0]
        lower = word.casefold()
        if lower in words:
            continue
        if _COUNTS.fullmatch(lower):
            new.append(word)
        elif _is_uncased(word):
            if not stems(word) <= beginnings:
                new.append(word)
        elif word[0].isupper() and (place > 0 or _stem(lower) not in beginnings):
            new.append(word)
    return new


def turns_round(text: str, source: str) -> bool:
    """Whether just one of the two denies something."""
    return (_DENIAL.search(text) is None) != (_DENIAL.search(source) is None)


def drops_doubt(text: str, source: str) -> bool:
    """Whether what was past, wished, doubtful or told by others is no longer so in the text."""
    return any(said.search(source) and not kept.search(text) for said, kept in _HEDGED)


def with_dates(text: str, at: datetime) -> str:
    """The text with dates instead of `today`, `yesterday` and the like."""

    def day(match: re.Match[str]) -> str:
        return f"on {at.date() + timedelta(days=_RELATIVE[match[0].lower()])}"

    return _NEAR_DAY.sub(day, text)


def dates_meant(text: str, at: datetime) -> Sequence[str]:
    """Dates that somebody may mean who said the text then: the day itself, the days that it names,
    last, this and next month or year.
    """
    today = at.date()
    lower = text.casefold()
    days = [today, *(today + timedelta(n) for word, n in _RELATIVE.items() if word in lower)]
    for number, name in enumerate(_DAYS):
        if name in lower:
            near = (today + timedelta(n) for n in range(-13, 14))
            days += [day for day in near if day.weekday() == number]
    meant = [f"{day}" for day in days]
    for which, what in _PERIOD.findall(lower):
        step = _PERIODS[which]
        meant.append(_month(today, step) if what == "month" else f"{today.year + step}")
    return meant


def _month(today: date, step: int) -> str:
    months = today.year * 12 + today.month - 1 + step
    return f"{months // 12}-{months % 12 + 1:02}"


def _stem(word: str) -> str:
    return _ENDING.sub("", word)[:_STEM]


def _is_uncased(word: str) -> bool:
    return unicodedata.category(word[0]) == "Lo"
