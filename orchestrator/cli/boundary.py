"""Where a command's outcome becomes an exit code, and an error one clear message."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.cli.grammar import WrongUse
from orchestrator.cli.output import OutputLost, one_line, print_json, safe, writing
from orchestrator.errors import (
    ConfigError,
    LimitReached,
    PersonError,
    PersonNeeded,
    RetinueError,
)

FAILED, WRONG_USE, WAITING, LIMITED, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 4, 130, 141


def execute(target: str, arguments: dict[str, Any]) -> int:
    """Run `module:function` of this package with its keywords; nothing escapes as a traceback,
    unless `--debug` or RETINUE_DEBUG asks for it.
    """
    debug = bool(arguments.pop("debug")) or bool(os.environ.get("RETINUE_DEBUG"))
    as_json = bool(arguments.get("as_json"))
    _prepare(debug)
    module, _, function = target.partition(":")
    try:
        command = getattr(importlib.import_module(f"orchestrator.cli.{module}"), function)
        outcome = command(**arguments)
        code: int = asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome
        with writing():
            sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = refuse(error, as_json=as_json)
        try:
            sys.stdout.flush()
        except OSError:  # stdout itself is what failed
            _abandon_stdout()
    return code


def _abandon_stdout() -> None:
    """What is still buffered would raise once more when the interpreter closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong, on stderr and with `--json` as an object on stdout too."""
    message = describe(error)
    print(f"retinue: {safe(message)}", file=sys.stderr)
    if as_json:
        problems = error.problems if isinstance(error, ConfigError) else ()
        with suppress(OSError, OutputLost):  # stdout itself may be what failed
            print_json(
                {
                    "error": {
                        "kind": type(error).__name__,
                        "message": message,
                        "problems": [problem.to_dict() for problem in problems],
                    }
                }
            )
    return _code(error)


def describe(error: Exception) -> str:
    """The error as one clear message."""
    if isinstance(error, (RetinueError, WrongUse)):
        return str(error)
    what = f"{type(error).__name__}: {one_line(str(error), 300)}"
    return f"this should not have happened: {what}; --debug shows the traceback"


def _code(error: Exception) -> int:
    match error:
        case PersonError() | WrongUse():
            return WRONG_USE
        case PersonNeeded():
            return WAITING
        case LimitReached():
            return LIMITED
        case _:
            return FAILED


def _prepare(debug: bool) -> None:
    """Streams that were closed lead nowhere, text that the terminal's encoding lacks is escaped
    instead of raising, logs are silent.
    """
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  open to the end
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  likewise
        elif reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    if debug:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    else:
        logging.basicConfig(handlers=[logging.NullHandler()])
