"""The command line: `grammar` says what can be typed, each command is imported when it is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong use, 3 waiting for a
    person, 4 stopped by a limit.
    """
    from orchestrator.cli.grammar import WrongUse, parse

    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parse(words)
    except WrongUse as error:
        from orchestrator.cli.boundary import refuse

        return refuse(error, as_json="--json" in words)

    from orchestrator.cli.boundary import execute

    return execute(arguments.pop("target"), arguments)
