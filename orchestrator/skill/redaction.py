"""What must not get into a skill: secrets that stood in a task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.skill.experience import Experience, Step
from orchestrator.skill.scan_rules import SECRET

LEFT_OUT = "[left-out]"

_LEAST = 6
"""Characters of a value that is looked for as it is; shorter ones stand anywhere."""

_NAMED = re.compile(
    r"(?i)(\b[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key)"
    r"[\w-]*[\"']?\s*[=:]\s*[\"']?)([^\s\"'&;,]{4,})"
)
_SAID = re.compile(r"(?i)(\b(?:password|passphrase|secret|token|key)\s+is\s+)(\S+)")
_BEARER = re.compile(r"(?i)(\b(?:bearer|basic)\s+)([\w.~+/=-]{8,})")
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_IN_URL = re.compile(r"(\w+://[^\s/:@]+:)([^\s/@]+)(?=@)")


def redacted(experience: Experience, secrets: Iterable[str] = ()) -> Experience:
    """The task without credentials: the given values, and what looks like one."""
    values = sorted({value for value in secrets if len(value) >= _LEAST}, key=len, reverse=True)

    def text(given: str) -> str:
        for value in values:
            given = given.replace(value, LEFT_OUT)
        return redact(given)

    def value(given: Any) -> Any:
        if isinstance(given, str):
            return text(given)
        if isinstance(given, list):
            return [value(each) for each in given]  # pyright: ignore[reportUnknownVariableType]  JSON
        if isinstance(given, dict):
            return {key: value(each) for key, each in given.items()}  # pyright: ignore[reportUnknownVariableType]  JSON
        return given

    def step(given: Step) -> Step:
        arguments: Mapping[str, Any] = value(dict(given.arguments))
        return replace(given, arguments=arguments, text=text(given.text))

    return replace(
        experience,
        brief=text(experience.brief),
        steps=tuple(step(each) for each in experience.steps),
        corrections=tuple(text(each) for each in experience.corrections),
    )


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    text = SECRET.sub(LEFT_OUT, _JWT.sub(LEFT_OUT, text))
    for pattern in (_IN_URL, _BEARER, _NAMED, _SAID):
        text = pattern.sub(lambda match: f"{match[1]}{LEFT_OUT}", text)
    return text
