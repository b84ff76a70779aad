"""Reading what a person types, without holding up the event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TextIO

from orchestrator.cli.output import Screen
from orchestrator.errors import Question

Decision = Literal["approve", "deny"]

_DECISIONS: dict[str, Decision] = {
    "y": "approve",
    "yes": "approve",
    "approve": "approve",
    "n": "deny",
    "no": "deny",
    "deny": "deny",
}


class Answer(NamedTuple):
    text: str
    decision: Decision | None = None


class Keyboard:
    """What a person types, line by line; a context manager that leaves the terminal as it was."""

    def __init__(self) -> None:
        self.attended = sys.stdin.isatty() and sys.stdout.isatty()
        """Whether a person sits at both ends."""
        self._pipe: TextIO | None = None
        self._line: asyncio.Future[str | None] | None = None
        self._settings: list[Any] | None = None

    def __enter__(self) -> Self:
        if self.attended:
            self._settings = termios.tcgetattr(sys.stdin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._settings is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)

    async def line(self, prompt: str) -> str | None:
        """The next line from stdin, None at its end. `prompt` is shown to a person only."""
        if self._line is None:
            self._line = self._read(prompt)
        elif self.attended:  # the wait before this one was cancelled; its line is still to come
            print(prompt, end="", flush=True)
        line = await asyncio.shield(self._line)
        self._line = None
        return line

    def _read(self, prompt: str) -> asyncio.Future[str | None]:
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str | None] = loop.create_future()
        if not self.attended and self._pipe is None:
            # Python cannot end while a thread waits inside `sys.stdin`; inside this it can.
            self._pipe = os.fdopen(0, encoding="utf-8", errors="replace", closefd=False)

        def read() -> None:
            try:
                text = self._pipe.readline() if self._pipe else f"{input(prompt)}\n"
            except (EOFError, OSError):  # OSError: stdin was closed
                text = ""
            with suppress(RuntimeError):  # the loop has ended while we waited
                loop.call_soon_threadsafe(line.set_result, text.rstrip("\n") if text else None)

        # A daemon: a thread that waits for a key cannot be ended, and must not hold up our end.
        threading.Thread(target=read, name="keyboard", daemon=True).start()
        return line


async def ask(screen: Screen, keyboard: Keyboard, question: Question) -> Answer | None:
    """The person's answer to a question; None when they leave it open, with an empty line or at the
    end of stdin.
    """
    approval = question.kind == "approval"
    prompt = "approve? [y/n, empty: later] " if approval else "your answer [empty: later] "
    while line := (await keyboard.line(prompt) or "").strip():
        decision = _DECISIONS.get(line.lower())
        if decision and question.kind != "question":
            return Answer("", decision)
        if not approval:
            return Answer(line)
        screen.line(f"{line!r} is neither yes nor no", "bad")
    return None
