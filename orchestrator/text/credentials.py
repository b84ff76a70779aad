"""What in a text looks like a credential, which nothing that is kept may hold."""

from __future__ import annotations

import itertools
import re

LEFT_OUT = "[left-out]"

SECRET = re.compile(
    r"(?-i:\bsk-(?:ant-|proj-|or-v1-)[\w-]{24,}|\bsk-[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{36,}|"
    r"\bgithub_pat_\w{40,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{20,}|"
    r"\bAIza[\w-]{35}\b|\b[sr]k_(?:live|test)_[A-Za-z0-9]{20,}|\bglpat-[\w-]{20,}|"
    r"\bhf_[A-Za-z0-9]{30,}|\bSG\.[\w-]{20,}\.[\w-]{20,}|\bnpm_[A-Za-z0-9]{30,}|"
    r"\bpypi-[\w-]{40,}|\bdop_v1_[a-f0-9]{60,}|\bshpat_[a-fA-F0-9]{32}|\bya29\.[\w-]{20,}|"
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"
)
"""Keys of well-known services."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r".*?(?:-----END [A-Z ]{0,40}-----|\Z)",
    re.DOTALL,
)
_BEARER = re.compile(
    r"(?i)(\b(?:bearer|basic)\s+)(?=[\w.~+/=-]{0,500}(?-i:[0-9=]|[a-z][A-Z]))([\w.~+/=-]{8,})"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_IN_URL = re.compile(r"(\b\w+://[^\s/:@]*:)([^\s/]+)(?=@)")
_CARD = re.compile(
    r"(?<![\w.-])(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})(?![\w-])"
)

_AWS = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
"""What has the length of a secret key of Amazon's."""
_IN_WORDS = re.compile(
    r"(?:(?:[A-Z][a-z]+|[a-z]{2,})(?![a-z])|[A-Z]{2,}(?![A-Z])|[0-9]+(?![0-9])|[/+])+"
)
"""A path, or a name of several words."""

_PLACE = r"(?:door|gate|alarm|entry|entrance|access|safe|vault|lock(?:er)?|garage|house|sim)"
_NAMED = re.compile(
    rf"(?:(?P<lock>(?<![^\W_])(?:{_PLACE}(?:['\u2019]s)?[ -]?(?:code|pin|combination)"
    r"|(?:(?:the|my|our)\s|\A)(?:code|combination)"
    rf"(?=\s(?:of|for|to)\s(?:\w{{1,20}}\s){{0,2}}{_PLACE}\b)))"
    r"|(?P<surely>pass(?:word|wd|phrase|code)s?|passwort|kennwort|mot de passe|contrase[nñ]a"
    r"|senha|пароль|pwd|(?:api|access|private|secret|auth)[ _-]?key|(?<=[_-])(?:secret|token)"
    r"|(?-i:(?<=[a-z])(?:Secret|Token|Key)))"
    r"|(?<![^\W_])(?:pw|pass|pin(?:[ -]?(?:code|number))?|secret|token|key))"
    r"(?P<more>[_-]\w{1,30}|[0-9]{1,2})?(?!\w)\\?[\"']?"
    r"(?:\s(?:of|for|to|von|für)(?:\s[\w'\u2019@-]{1,30}){1,5}?"
    r"(?=\s{0,3}(?:=|:|\uff1a)|\s(?:is|was|ist|war|lautet)\s))?"
    r"(?P<link>\s{0,3}(?:=>?|:=?|\uff1a)\s{0,3}"
    r"|\s{1,3}(?:is|was|ist|war|lautet|est|es|это)(?:\s?[:=])?\s{1,3}|\s{1,3})",
    re.IGNORECASE,
)
"""The name of a secret, what it is for, and what links it to its value; `surely`: names that mean
little else; `lock`: what opens a place.
"""
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»", "\u2018": "\u2019"}
_MOST_QUOTED = 300
_WORD = re.compile(r"\S{1,500}")
_WORDS = re.compile(r"[^\n.,;]{1,200}")
_LITTLE = re.compile(
    r"(?i)an?|the|my|your|our|its?|this|that|one|in|on|at|of|for|from|to|by|with|under|as|than|and|or"
    r"|but|so|because|if|when|which|what|not?|never|always|still|also|only|now|already|again|very"
    r"|too|rather|quite|really|please|case|be|been|im|am|der|die|das|zu|nicht|sehr|noch|auf|und|aber"
    r"|für|bei|wie|eine?"
)
"""Words that few passphrases have, and most sentences about them."""
_UNIT = re.compile(r"\s+(?:lines|words|letters|characters|digits|bytes|bits)\b")
_IN_CODE = re.compile(r"[^\s\"'&;,]{1,500}")
_SYMBOL = re.compile(r"[@#$%^&*!+=~|]")
_STATED = re.compile(
    r"[^\W\d_]{4,40}(?=[.,;!?)]*(?:\s+(?:for|at|on|and|but|für|pour|para)\b|\s*$))"
)
"""One word that alone is said to be the password."""
_NO_VALUE = re.compile(
    r"(?i)(?:\w+(?:ed|ing|able|ible)|wrong|right|optional|missing|empty|(?:in)?(?:correct|valid)|weak"
    r"|strong|secret|safe|unknown|hidden|same|different|kept|lost|gone|given|good|long|short|fine"
    r"|public|private|written|known|ready|none|null|true|false|string|text|here|there|below|above"
    r"|falsch|vergessen)"
)


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    for pattern in (_PRIVATE_KEY, _JWT, SECRET):
        text = pattern.sub(LEFT_OUT, text)
    for pattern in (_IN_URL, _BEARER):
        text = pattern.sub(lambda match: f"{match[1]}{LEFT_OUT}", text)
    text = _CARD.sub(lambda match: LEFT_OUT if _is_card(match[0]) else match[0], text)
    text = _AWS.sub(lambda match: LEFT_OUT if _is_random(match[0]) else match[0], text)
    return _without_named(text)


def _is_card(number: str) -> bool:
    """Whether the check digit of ISO/IEC 7812 is right."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return any(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_random(key: str) -> bool:
    """Whether it is no digest, path or name."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return all(any(map(kind, key)) for kind in kinds) and not _IN_WORDS.fullmatch(key)


def _without_named(text: str) -> str:
    kept: list[str] = []
    done = at = 0
    while found := _NAMED.search(text, at):
        at = found.end()
        start, end = _value(found, text)
        if _is_secret(found, text, start, end):
            kept += [text[done:start], LEFT_OUT]
            done = at = end
    return "".join([*kept, text[done:]])


def _value(name: re.Match[str], text: str) -> tuple[int, int]:
    """Where what follows a name begins and ends, without its quotation marks."""
    at, link = name.end(), name["link"]
    mark = _QUOTES.get(text[at : at + 1])
    if mark:
        end = text.find(mark, at + 1, at + _MOST_QUOTED)
        while end > 0 and text[end - 1] == "\\":
            end = text.find(mark, end + 1, at + _MOST_QUOTED)
        if end > 0:
            return at + 1, end
        if mark != "'" and "\n" not in text[at : at + _MOST_QUOTED]:
            return at + 1, min(len(text), at + _MOST_QUOTED)  # it was cut
    kind = (name["surely"] or "").lower()
    words = _WORDS.match(text, at) if "pass" in kind else None
    if words and ("phrase" in kind if _signed(link) else _is_phrase(name, words[0])):
        found = words
    else:  # right behind a sign it stands in a program, an address or JSON
        found = (_IN_CODE if link in ("=", ":") else _WORD).match(text, at)
    return (at, at + len(found[0].rstrip(".,;:!?)]}\"'"))) if found else (at, at)


def _is_phrase(name: re.Match[str], said: str) -> bool:
    """Whether the words that follow `is` are the secret, and say nothing about it."""
    if not name["link"].strip():
        return False
    words = said.split()
    head = list(itertools.takewhile(lambda word: not _LITTLE.fullmatch(word), words))
    if head and head[0].isdigit():
        return False
    if len(head) == 2:
        told = any(_NO_VALUE.fullmatch(word) for word in head)
        return "phrase" in name["surely"].lower() and not told and head[1] != "sensitive"
    return len(head) > 3 or (len(head) == 3 and not _NO_VALUE.fullmatch(head[0]))


def _is_secret(name: re.Match[str], text: str, start: int, end: int) -> bool:
    value, link = text[start:end], name["link"]
    if not value or "left-out" in value or "://" in value:
        return False
    signed = _signed(link)
    if name["more"] and not signed:
        return False
    word = name[0].lower()
    least = 3 if link.strip() else 4
    if name["lock"]:
        digits = sum(letter.isdigit() for letter in value)
        is_code = digits >= least and re.fullmatch(r"[\w#*-]+", value) is not None
        return is_code and _UNIT.match(text, end) is None
    if value.isdigit():
        return len(value) >= least and (bool(name["surely"]) or word.startswith("pin"))
    if _looks_made(value, 4 if signed or name["surely"] else 6):
        return True
    if not name["surely"] and (word.startswith("key") or not signed):
        return False
    if start > name.end():  # it is quoted
        return len(value) >= 4 or bool(name["surely"])
    if _NO_VALUE.fullmatch(value):
        return False
    if " " in value and not signed:
        return True
    if signed:
        return len(value) >= 4 and (bool(name["surely"]) or link.strip() == "=")
    return bool(link.strip()) and _STATED.match(text, start) is not None


def _signed(link: str) -> bool:
    return any(sign in link for sign in "=:\uff1a")


def _looks_made(value: str, least: int) -> bool:
    """Whether no word is written like that."""
    if len(value) < least:
        return False
    lettered = any(letter.isalpha() for letter in value)
    return bool(
        (lettered and any(letter.isdigit() for letter in value))
        or _SYMBOL.search(value)
        or (len(value) >= 8 and re.search(r"[a-z][A-Z]", value))
    )
