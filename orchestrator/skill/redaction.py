"""What must not get into a skill: secrets that stood in a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.skill.experience import Experience, Step
from orchestrator.text.credentials import LEFT_OUT, redact

_LEAST = 6
"""Characters of a value that is looked for as it is; shorter ones stand anywhere."""


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
