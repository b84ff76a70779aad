"""Who may call what: allow, ask a person, or deny, per tool and argument."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol

Verdict = Literal["allow", "ask", "deny"]


class Policy(Protocol):
    """Decides each tool call before it runs; `paths` are the files it names, in normal form from
    the working folder.
    """

    def decide(
        self, tool: str, arguments: Mapping[str, Any], paths: Sequence[str] = ()
    ) -> Verdict: ...


@dataclass(frozen=True)
class Rules:
    """A policy of written rules; with none, everything inside the sandbox is allowed.

    A rule is a tool's name or `tool(pattern)`, the pattern matched (`*`, `?`) against any text
    argument of the call and against the paths it names, however they are spelt. `deny` wins over
    `ask`.
    """

    ask: Sequence[str] = ()
    deny: Sequence[str] = ()

    def decide(self, tool: str, arguments: Mapping[str, Any], paths: Sequence[str] = ()) -> Verdict:
        raw = [value for value in arguments.values() if isinstance(value, str)]
        if any(_matches(rule, tool, raw, paths) for rule in self.deny):
            return "deny"
        if any(_matches(rule, tool, raw, paths) for rule in self.ask):
            return "ask"
        return "allow"


def _matches(rule: str, tool: str, raw: Sequence[str], paths: Sequence[str]) -> bool:
    name, bracket, rest = rule.partition("(")
    if not fnmatchcase(tool, name.strip()):
        return False
    if not bracket:
        return True
    pattern = rest.removesuffix(")")
    normal = posixpath.normpath(pattern)
    return any(fnmatchcase(text, pattern) for text in (*raw, *paths)) or any(
        fnmatchcase(path, normal) for path in paths
    )
