"""What `grep` runs inside the sandbox, as a program of its own: request in, matches out, as JSON.

Exit code 2 and a sentence on stderr: the request is wrong.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_LONGEST_LINE = 20_000
_PREFIX_BYTES = 8_192
_LARGEST_FILE = 64 << 20
_SKIPPED = {".git"}
_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")
"""A byte of a name that is not UTF-8, as `_shown` writes it."""


def main() -> None:
    request = json.load(sys.stdin)
    top = Path(request["path"])
    if not top.exists():
        top = Path(_ESCAPED.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), request["path"]))
    if not top.exists():
        sys.exit(_refuse(f"{request['path']!r} does not exist"))
    if not top.resolve().is_relative_to(Path.cwd()):
        sys.exit(_refuse(f"{request['path']!r} goes through a link; links are refused"))
    try:
        wanted = re.compile(request["pattern"])
    except (re.error, OverflowError, RecursionError) as error:
        sys.exit(_refuse(f"{request['pattern']!r} is no regular expression: {error}"))
    found: list[tuple[str, int, str]] = []
    for file in _files(top):
        for number, line in _lines(file):
            if wanted.search(line[:_LONGEST_LINE]):
                found.append((_shown(file), number, line.strip()[: request["width"]]))
                if len(found) > request["most"]:
                    break
        if len(found) > request["most"]:
            break
    json.dump(
        {"matches": found[: request["most"]], "more": len(found) > request["most"]}, sys.stdout
    )


def _files(top: Path) -> Iterator[Path]:
    """Regular files in order; links are left out."""
    if not top.is_dir():
        yield top
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text file; none of a binary or very large one."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return
        with file.open("rb") as stream:
            if b"\0" in stream.read(_PREFIX_BYTES):
                return
            stream.seek(0)
            for number, line in enumerate(stream, 1):
                yield number, line.decode("utf-8", "replace").rstrip("\r\n")
    except OSError:
        return


def _shown(file: Path) -> str:
    """Names that are not UTF-8 as the other file tools show and understand them."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")


def _refuse(problem: str) -> int:
    print(problem, file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
