"""What in a text looks like a credential, which nothing that is kept may hold."""

from __future__ import annotations

import re

LEFT_OUT = "[left-out]"

SECRET = re.compile(
    r"(?-i:\bsk-(?:ant-|proj-|or-v1-)[\w-]{24,}|\bgh[pousr]_[A-Za-z0-9]{36,}|"
    r"\bgithub_pat_\w{40,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{20,}|"
    r"\bAIza[\w-]{35}\b|\b[sr]k_live_[A-Za-z0-9]{20,}|\bglpat-[\w-]{20,}|"
    r"\bhf_[A-Za-z0-9]{30,}|\bSG\.[\w-]{20,}\.[\w-]{20,}|"
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----)"
)
"""Keys of well-known services."""

_NAMED = re.compile(
    r"(?i)(\b[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key)"
    r"[\w-]*[\"']?\s*[=:]\s*[\"']?)([^\s\"'&;,]{4,})"
)
_SAID = re.compile(r"(?i)(\b(?:password|passphrase|secret|token|key)\s+is\s+)(\S+)")
_BEARER = re.compile(r"(?i)(\b(?:bearer|basic)\s+)([\w.~+/=-]{8,})")
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_IN_URL = re.compile(r"(\w+://[^\s/:@]+:)([^\s/@]+)(?=@)")


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    text = SECRET.sub(LEFT_OUT, _JWT.sub(LEFT_OUT, text))
    for pattern in (_IN_URL, _BEARER, _NAMED, _SAID):
        text = pattern.sub(lambda match: f"{match[1]}{LEFT_OUT}", text)
    return text
