"""Models of the tests' own, which answer what a test has written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

Answer = Mapping[str, Any] | BaseException | Callable[[str], Mapping[str, Any]]
"""A JSON object, an error to raise, or what makes an object from the prompt."""


class ScriptedThinker:
    """A `Thinker` that gives its answers in order, the last one for ever, and keeps what it was
    asked.
    """

    def __init__(self, *answers: Answer, careful: bool = True, name: str = "scripted") -> None:
        self.name = name
        self.careful = careful
        self.prompts: list[str] = []
        self._answers: Sequence[Answer] = answers

    async def write(self, prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._answers[min(len(self.prompts), len(self._answers) - 1)]
        self.prompts.append(prompt)
        if isinstance(answer, BaseException):
            raise answer
        return answer(prompt) if callable(answer) else answer


class Clock:
    """A clock that stands still until it is put forward, or back."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now
