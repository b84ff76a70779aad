"""Text that a person wrote, read with care."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import ConfigError, Problem

MAX_BYTES = 1_000_000


def read_text(path: Path, *, most: int = MAX_BYTES) -> str:
    """The file's text, UTF-8 with or without a byte order mark. Raises ConfigError when it is not a
    readable text file of at most `most` bytes.
    """
    data = read_data(path, most=most)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refused(path, "is not UTF-8 text", "save it as UTF-8", line) from error


def read_data(path: Path, *, most: int = MAX_BYTES) -> bytes:
    """The bytes of a text file in any encoding. Raises ConfigError as `read_text` does."""
    try:
        if not path.is_file():
            raise _refused(path, "is not a file", "give the path of a text file")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise _refused(
            path, f"cannot be read: {error.strerror}", "look at its owner and mode"
        ) from error
    if len(data) > most:
        raise _refused(path, f"is larger than {most:,} bytes", "make it smaller")
    if b"\0" in data:
        raise _refused(path, "is a binary file", "give a text file in UTF-8")
    return data


def _refused(path: Path, problem: str, hint: str, line: int | None = None) -> ConfigError:
    return ConfigError([Problem(str(path), line, "", problem, hint)])
