"""Everything that reaches the terminal: text made harmless, lines with or without colour, JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

from orchestrator.errors import RetinueError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

Style = Literal["plain", "quiet", "good", "bad", "ask", "strong"]

_LOOKS: dict[Style, str] = {
    "plain": "",
    "quiet": "dim",
    "good": "green",
    "bad": "red",
    "ask": "bold yellow",
    "strong": "bold",
}

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what turns the direction of text around, and lone surrogates."""


class OutputLost(RetinueError):
    """What was to be printed could not be; a reader that went away is another thing."""


@contextmanager
def writing() -> Generator[None]:
    """Raises OutputLost where stdout cannot take what is written, and BrokenPipeError as it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(f"the output could not be written: {error.strerror}") from error


def safe(text: str) -> str:
    """The text with nothing a terminal would obey: control characters are shown, not sent; line
    ends and tabs stay.
    """
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, most: int = 160) -> str:
    """The text on one line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def counted(number: int, one: str, many: str) -> str:
    """E.g. `1 message waits`, `2 messages wait`."""
    return f"{number} {one if number == 1 else many}"


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """The rows as lines of aligned columns; the last column is free in width."""
    cells = [[one_line(safe(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def print_json(value: Any) -> None:
    """One JSON value on stdout, money, times and paths as text; characters a terminal would obey
    are escaped.
    """
    ascii_only = not (sys.stdout.encoding or "ascii").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2, default=str)
    with writing():
        print(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text), flush=True)


class Screen:
    """Lines for a person, in colour on a terminal and plain elsewhere.

    A context manager. A reader that has gone away (`| head`), or a full disk behind it, silences it
    instead of ending the work it reports on; that stdout could not be written is said at the end,
    by OutputLost.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.label = ""
        """Stands before every line."""
        self._stream = stream or sys.stdout
        self._console = _console(self._stream) if self._stream.isatty() else None
        self._status: Status | None = None
        self._line_open = False
        self._gone = False
        self._lost: OSError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.busy("")
        self.end_line()
        if self._lost is not None and error is None:
            with writing():
                raise self._lost

    def line(self, text: str = "", style: Style = "plain", who: str = "") -> None:
        """One or more whole lines; `who` stands before the first, the others are indented."""
        self.end_line()
        name = f"{safe(who):<12} " if who else ""
        for part in safe(text).split("\n"):
            self._put(name, f"{part}\n", style)
            name = " " * len(name)

    def stream(self, text: str, who: str = "") -> None:
        """The next piece of a text that is still being written; the next line ends it."""
        self.busy("")
        for part in safe(text).splitlines(keepends=True):
            name = f"{safe(who):<12} " if who and not self._line_open else ""
            self._put(name, part, labelled=not self._line_open)
            self._line_open = not part.endswith("\n")

    def busy(self, doing: str) -> None:
        """Show below the lines what is going on; a terminal only. Empty: nothing."""
        if self._console is None:
            return
        if self._status is not None and not doing:
            self._status.stop()
            self._status = None
        elif doing and self._status is None:
            self._status = self._console.status(_text(doing, "quiet"))
            self._status.start()
        elif self._status is not None:
            self._status.update(_text(doing, "quiet"))

    def end_line(self) -> None:
        """End a streamed text."""
        if self._line_open:
            self._line_open = False
            self._put("", "\n", labelled=False)

    def _put(self, name: str, text: str, style: Style = "plain", *, labelled: bool = True) -> None:
        label = f"{self.label} | " if self.label and labelled else ""
        try:
            if self._gone:
                return
            if self._console is None:
                self._stream.write(f"{label}{name}{text}")
                self._stream.flush()
            else:
                words = (_text(label, "ask"), _text(name, "strong"), _text(text, style))
                self._console.print(*words, sep="", end="", soft_wrap=True)
        except OSError as error:
            self._gone = True
            if self._stream is sys.stdout and not isinstance(error, BrokenPipeError):
                self._lost = error


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _text(text: str, style: Style) -> Any:
    from rich.text import Text

    return Text(text, style=_LOOKS[style])
