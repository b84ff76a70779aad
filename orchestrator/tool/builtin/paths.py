"""Between the paths a model writes, relative to its working folder, and those of the sandbox."""

from __future__ import annotations

import posixpath
from collections.abc import Generator
from contextlib import contextmanager

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.sandbox.workspace import INSIDE
from orchestrator.tool.base import ToolContext


def located(path: str, context: ToolContext) -> str:
    """The path from the workspace's root. Raises ToolRetry where it leads out of the run's folder;
    the sandbox judges the rest.
    """
    found = _from_root(path, context)
    if context.workdir and not f"{found}/".startswith(f"{context.workdir}/"):
        raise ToolRetry(
            f"{path!r} lies outside the workspace's folder of this run, the working folder; "
            "give a path in it"
        )
    return found


def _from_root(path: str, context: ToolContext) -> str:
    found = posixpath.normpath(posixpath.join(context.workdir, path))
    for root in (INSIDE, context.sandbox.root):
        if found == root or found.startswith(f"{root}/"):
            return found.removeprefix(root).lstrip("/") or "."
    return found


def shown(path: str, context: ToolContext) -> str:
    """A path from the workspace's root as the model may use it again."""
    return posixpath.relpath(path, context.workdir or ".")


def normal(path: str, context: ToolContext) -> str:
    """The one spelling, from the working folder, of all that lead to the same place."""
    return shown(_from_root(path, context), context)


@contextmanager
def named(given: str, path: str) -> Generator[None]:
    """Have the sandbox's refusals of `path` speak of it as the model wrote it."""
    try:
        yield
    except (ToolRetry, ToolFailed) as error:
        raise type(error)(str(error).replace(repr(path), repr(given))) from error
