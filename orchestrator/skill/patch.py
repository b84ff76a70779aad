"""Changing a skill's text by small typed operations, never by writing it anew."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.errors import ToolRetry

MOST_LOST = 0.25
"""Share of the lines that a patch may drop without saying why."""


@dataclass(frozen=True)
class Operation:
    """`add` puts `text` behind the line `anchor` (an empty anchor: at the end), `replace` puts it
    in place of that line, `remove` takes the line out.
    """

    kind: Literal["add", "replace", "remove"]
    anchor: str = ""
    text: str = ""


def apply(body: str, operations: Sequence[Operation], *, supersedes: str = "") -> str:
    """The body after all operations, in order. `supersedes` says why many lines may go.

    Raises ToolRetry for an anchor that is not one line of the text, and for a patch that drops more
    than a quarter of the lines without a reason.
    """
    lines = body.splitlines()
    for operation in operations:
        lines = _apply(lines, operation)
    lost = _lost(body.splitlines(), lines)
    if lost > MOST_LOST and not supersedes.strip():
        raise ToolRetry(
            f"the patch drops {lost:.0%} of the lines; change less, or say in `supersedes` why "
            "what goes is no longer right"
        )
    return "\n".join(lines).strip("\n")


def _apply(lines: Sequence[str], operation: Operation) -> list[str]:
    text = operation.text.strip("\n").splitlines()
    if operation.kind != "remove" and not operation.text.strip():
        raise ToolRetry(f"`{operation.kind}` needs a text")
    if operation.kind == "add" and not operation.anchor.strip():
        return [*lines, *text]
    at = _find(lines, operation.anchor)
    kept = list(lines)
    if operation.kind == "add":
        kept[at + 1 : at + 1] = text
    else:
        kept[at : at + 1] = text if operation.kind == "replace" else []
    return kept


def _find(lines: Sequence[str], anchor: str) -> int:
    wanted = anchor.strip()
    if not wanted:
        raise ToolRetry("name the line to replace or remove as `anchor`")
    found = [at for at, line in enumerate(lines) if line.strip() == wanted]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise ToolRetry(f"the line {wanted!r} stands there {len(found)} times; take another anchor")
    near = difflib.get_close_matches(wanted, [line.strip() for line in lines], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ToolRetry(f"no line of the skill is {wanted!r}{hint}")


def _lost(old: Sequence[str], new: Sequence[str]) -> float:
    """Share of the old lines, blank ones aside, that are gone."""
    before = [line.strip() for line in old if line.strip()]
    left = [line.strip() for line in new if line.strip()]
    lost = 0
    for line in before:
        if line in left:
            left.remove(line)
        else:
            lost += 1
    return lost / len(before) if before else 0.0
