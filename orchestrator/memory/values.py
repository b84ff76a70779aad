"""What a plain sentence may name: a place, an employer, a person, a thing, a date."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
MONTH_OR_YEAR = rf"(?:{MONTH}|\d{{4}})"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_NUMBER = r"(?:3[01]|[12]\d|0?[1-9])"
_DAY = re.compile(
    rf"(?P<day>{_NUMBER})(?:st|nd|rd|th|\.)?(?: of)? (?P<month>{_NAMED_MONTH})(?:,? \d{{4}})?|"
    rf"(?P<month_before>{_NAMED_MONTH}) (?:the )?(?P<day_after>{_NUMBER})(?:st|nd|rd|th)?"
    r"(?:,? \d{4})?|"
    r"\d{4}-(?P<iso_month>0[1-9]|1[0-2])-(?P<iso_day>[0-3]\d)|"
    r"[0-3]?\d[./][0-3]?\d[./]?(?:\d\d){0,2}"
)

_PLACES = Path(__file__).parent / "data" / "places.txt"

_NO_NAME = re.compile(
    r"\b(?:i|you|me|him|her|it|us|them|yourself|myself|your|by|when|please|not|free|home|night|asap|crazy|maybe|back|later|"
    r"today|tomorrow|tonight|now|anytime|\w+day)\b",
    re.IGNORECASE,
)
"""Written with a capital, it still names nobody."""
_NO_PLACE = re.compile(
    r"\b(?:sections?|chapters?|parts?|pages?|lines?|steps?|tasks?|plans?|options?|columns?|tables?|"
    r"files?|sales|support|marketing|management|january|february|march|april|may|june|july|august|"
    r"september|october|november|december|excel|word|outlook|vim|emacs|neovim|vscode|vs code|"
    r"cursor|python|java|javascript|typescript|rust|go|ruby|swift|kotlin|scala|julia|postgres|"
    r"postgresql|mysql|sqlite|sql|aws|gcp|mongo|redis|jira|linear|notion|slack|zoom|discord|teams|"
    r"trello|asana|github|gitlab|bitbucket|docker|kubernetes|linux|windows|mac|macos|ubuntu|debian|"
    r"fedora|android|chrome|firefox|gmail|react|vue|angular|svelte|django|flask|rails|azure|"
    r"terraform|figma|obsidian|markdown|latex|cloud|terminal|browser|"
    r"confluence|powerpoint|intellij|visual studio|google docs|denial|fear|narnia|matrix|paradise|"
    r"sin|room|building|team|age|time|cet|est|pst|gmt|utc)\b",
    re.IGNORECASE,
)
"""What else one lives in, at work."""
_WORD_TOO = re.compile(
    r"normal|spring|surprise|nice|split|hull|male|orange|essen|most|mission|temple|phoenix|aurora|"
    r"reading|bath|hope|enterprise|concord|delta|eden|victoria|independence"
)
"""Names of places that are words or products when they are written small."""
_SHORT_PLACE = re.compile(r"(?:the )?(?:USA?|UK|UAE|EU|NYC|LA|U\.S\.?(?:A\.?)?|U\.K\.?)")
_PROPER = r"(?:[A-Z]|[^\x00-\x7f])[\w'.&-]*"
_BETWEEN = r"(?:de|del|do|da|la|le|van|von|der|den|am|an|of|and|the|&)"
_BRAND = re.compile(r"[a-z]{1,2}[A-Z]\w+|\d[A-Z]\w*|[a-z]{2,20}\.(?:com|org|net|io|ai)")
_FORM = r"(?:inc|corp|corporation|ltd|limited|llc|gmbh|ag|se|plc|co|company|group|bank|labs?)\.?"

_ALLERGEN = re.compile(
    r"\b(?:\w*nuts?|almonds?|cashews?|pistachios?|milk|lactose|dairy|cheese|gluten|wheat|eggs?|soya?|"
    r"(?:shell)?fish|shrimps?|prawns?|crabs?|lobsters?|seafood|sesame|mustard|celery|lupin|kiwis?|"
    r"strawberr(?:y|ies)|apples?|tomato(?:es)?|bananas?|avocados?|pollen|grass|hay|birch|ragweed|"
    r"dust|mites?|mou?ld|cats?|dogs?|horses?|pets?|fur|feathers|bees?|wasps?|penicillin|amoxicillin|"
    r"antibiotics|aspirin|ibuprofen|sulfa|codeine|latex|nickel|perfume)\b",
    re.IGNORECASE,
)
_LANGUAGE = (
    r"(?:[A-Z][a-z]+(?:ish|ese|ian|[ln]ic|man)|French|Dutch|Greek|Czech|Welsh|Catalan|Korean|Hindi|"
    r"Urdu|Arabic|Hebrew|Thai|Swahili|Tamil|Latin|Afrikaans|Malay|Mandarin|Cantonese|Slovak|Farsi)"
)


def is_short(value: str) -> bool:
    return len(value.split()) <= 6


def is_name(value: str) -> bool:
    """One to four words with capitals: `Ludwig van Beethoven`, not `Out for this`."""
    return (
        re.fullmatch(rf"{_PROPER}(?: (?:{_BETWEEN} )*{_PROPER}){{0,3}}", value) is not None
        and _NO_NAME.search(value) is None
        and re.search(r"\d", value) is None
    )


def is_place(value: str) -> bool:
    """What may be lived in: `Lyon`, `the south of France`; not `constant fear`, nor what software
    is called. Written small it must be a place that is known.
    """
    if _SHORT_PLACE.fullmatch(value):
        return True
    parts = re.sub(r"^the (?:[a-z]+ of )?", "", value).split(", ")
    named = is_known_place(value) if value.islower() else all(map(is_name, parts))
    return named and _NO_PLACE.search(value) is None


def is_known_place(value: str) -> bool:
    """A country, a state of the USA or a larger city: one moves to Vercel and Next.js, too."""
    if _SHORT_PLACE.fullmatch(value):
        return True
    parts = re.sub(r"^the (?:[a-z]+ of )?", "", value).split(", ")
    if _WORD_TOO.fullmatch(value):
        return False
    if not all(map(is_name, map(str.title, parts) if value.islower() else parts)):
        return False
    return _NO_PLACE.search(value) is None and not _places().isdisjoint(map(_plain, parts))


def is_employer(value: str) -> bool:
    bare = re.sub(r"^(?:the|an?) ", "", value)
    return is_name(bare) or _BRAND.fullmatch(bare) is not None


def is_left(value: str) -> bool:
    """What may be an employer that one leaves; `Vim` is left, too, and so is `Paris`."""
    return is_employer(value) and _NO_PLACE.search(value) is None and not is_known_place(value)


def is_occupation(value: str) -> bool:
    return is_short(value) and not re.search(
        r"\b(?:as|on|this|that|team|group|whole|(?:for|at|of|in)$)\b", value
    )


def is_thing(value: str) -> bool:
    """A noun that means the same in another conversation: not `it`, `the second one`, `to go`."""
    return (
        is_short(value)
        and re.search(
            r"\d|'s\b|[,/]|\b(?:but|and (?:hate|love)|my|mine|yours?|myself|yourself|u|ya)\b|"
            r"\b(?:for|on) the\b|\b(?:better|more|most|best|here|there|too|it|the)$",
            value,
        )
        is None
        and re.match(
            r"(?:the (?![A-Z])|(?:(?i:it|this|that|these|those|them|him|her|you|me|us|he|she|they|"
            r"your|his|their|its|how|what|when|where|who|why|which|if|to|not|both|either|neither|"
            r"all|one|none|each|some|any|everything|nothing|something|anything|option|version|plan|draft)|[A-D])\b)",
            value,
        )
        is None
    )


def day(value: str) -> str:
    """The day of the year that a date names, whatever its year; empty: it names none."""
    match = _DAY.fullmatch(value.casefold())
    if match is None:
        return ""
    parts = match.groupdict()
    number = parts["day"] or parts["day_after"] or parts["iso_day"]
    if number is None:
        return value.casefold()  # 3/5 is one day here and another there
    month = parts["month"] or parts["month_before"] or _MONTHS[int(parts["iso_month"]) - 1]
    return f"{int(number)} {month[:3]}"


def are_allergens(value: str) -> bool:
    """What people are allergic to in earnest."""
    parts = re.split(r",? and |, ", value)
    return len(parts) <= 6 and all(is_short(part) and _ALLERGEN.search(part) for part in parts)


def are_languages(value: str) -> bool:
    value = value.title() if value.islower() or value.isupper() else value
    return re.fullmatch(rf"{_LANGUAGE}(?:(?:, |,? and ){_LANGUAGE})*", value) is not None


def ends(slot: str, ended: str, held: str) -> bool:
    """Whether a value that holds no more is one that was held, in small letters: `acme` is `acme
    corp`, and who has left `france` lives no longer in `lyon, france`.
    """
    if not ended or ended == held:
        return True
    if slot == "home":
        return ended in held.split(", ")
    bare, other = (re.sub(r"^(?:the|an?) ", "", value) for value in (ended, held))
    forms = rf"(?: {_FORM})*"
    return any(
        re.fullmatch(re.escape(one) + forms, two) is not None
        for one, two in ((bare, other), (other, bare))
    )


def _plain(name: str) -> str:
    """Without accents and in small letters."""
    parts = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return "".join(each for each in parts if not unicodedata.combining(each)).casefold()


_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"})


@cache
def _places() -> frozenset[str]:
    return frozenset(_PLACES.read_text(encoding="utf-8").casefold().splitlines())
