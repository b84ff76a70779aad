"""What in a text looks like a credential, which nothing that is kept may hold."""

from __future__ import annotations

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

_NAMED = re.compile(
    r"(?:(?P<surely>pass(?:word|wd|phrase|code)s?|passwort|kennwort|mot de passe|contrase[nñ]a"
    r"|senha|пароль|pwd|(?:api|access|private|secret|auth)[ _-]?key|(?<=[_-])(?:secret|token)"
    r"|(?-i:(?<=[a-z])(?:Secret|Token|Key)))"
    r"|(?<![^\W_])(?:pw|pass|pin|secret|token|key))"
    r"(?P<more>[_-]\w{1,30}|[0-9]{1,2})?(?!\w)\\?[\"']?"
    r"(?P<link>\s{0,3}(?:=>?|:=?|\uff1a)\s{0,3}"
    r"|\s{1,3}(?:is|was|ist|war|lautet|est|es|это)(?:\s?[:=])?\s{1,3}|\s{1,3})",
    re.IGNORECASE,
)
"""The name of a secret with what links it to its value; `surely`: names that mean little else."""
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»", "\u2018": "\u2019"}
_MOST_QUOTED = 300
_WORD = re.compile(r"\S{1,500}")
_WORDS = re.compile(r"[^\n.,;]{1,200}")
_IN_CODE = re.compile(r"[^\s\"'&;,]{1,500}")
_SYMBOL = re.compile(r"[@#$%^&*!+=~|]")
_STATED = re.compile(
    r"[^\W\d_]{4,40}(?=[.,;!?)]*(?:\s+(?:for|at|on|and|but|für|pour|para)\b|\s*$))"
)
"""One word that alone is said to be the password."""
_NO_VALUE = re.compile(
    r"(?i)(?:\w+(?:ed|ing|able|ible)|wrong|right|optional|missing|empty|(?:in)?(?:correct|valid)|weak"
    r"|strong|secret|safe|unknown|hidden|same|different|kept|lost|gone|given|good|long|short|fine"
    r"|public|private|none|null|true|false|string|text|here|there|below|above|falsch|vergessen)"
)


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    for pattern in (_PRIVATE_KEY, _JWT, SECRET):
        text = pattern.sub(LEFT_OUT, text)
    for pattern in (_IN_URL, _BEARER):
        text = pattern.sub(lambda match: f"{match[1]}{LEFT_OUT}", text)
    text = _CARD.sub(lambda match: LEFT_OUT if _is_card(match[0]) else match[0], text)
    return _without_named(text)


def _is_card(number: str) -> bool:
    """Whether the check digit of ISO/IEC 7812 is right."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return any(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


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
    if "phrase" in name[0].lower() and _signed(link):
        found = _WORDS.match(text, at)
    else:  # right behind a sign it stands in a program, an address or JSON
        found = (_IN_CODE if link in ("=", ":") else _WORD).match(text, at)
    return (at, at + len(found[0].rstrip(".,;:!?)]}\"'"))) if found else (at, at)


def _is_secret(name: re.Match[str], text: str, start: int, end: int) -> bool:
    value, link = text[start:end], name["link"]
    if not value or "left-out" in value or "://" in value:
        return False
    signed = _signed(link)
    if name["more"] and not signed:
        return False
    word = name[0].lower()
    if value.isdigit():
        return len(value) >= 4 and (bool(name["surely"]) or word.startswith("pin"))
    if _looks_made(value, 4 if signed or name["surely"] else 6):
        return True
    if not name["surely"] and (word.startswith("key") or not signed):
        return False
    if start > name.end():  # it is quoted
        return len(value) >= 4 or bool(name["surely"])
    if _NO_VALUE.fullmatch(value):
        return False
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
