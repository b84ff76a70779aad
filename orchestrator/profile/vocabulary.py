"""The names that teams and agents may refer to beyond their own files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from orchestrator.profile.checking import did_you_mean, shown


class Names(Protocol):
    """A registry, or any set of names."""

    def __contains__(self, name: object, /) -> bool: ...

    def __iter__(self) -> Iterator[str]: ...


@dataclass(frozen=True)
class Vocabulary:
    """What exists in the rooms around this one; whoever loads a team passes it in.

    The methods return problem and hint, or None when all is well.
    """

    tools: Names
    core: Sequence[str]
    """What a member may use when neither it nor its agent names tools; known names too."""
    providers: Names
    """Of models."""

    def tool(self, name: str) -> tuple[str, str] | None:
        if name in self.core or name in self.tools:
            return None
        return f"no tool {shown(name)}", did_you_mean(name, self._all_tools(), "tools")

    def rule(self, rule: str) -> tuple[str, str] | None:
        """A rule of `approvals`: `tool` or `tool(pattern)`."""
        match = re.fullmatch(r"\s*([^()\s]+)\s*(\(.*\))?\s*", rule, re.DOTALL)
        if match is None:
            return f"{shown(rule)} is no rule", "write a tool's name, or tool(pattern)"
        name = match[1]
        if any(sign in name for sign in "*?["):
            known = self._all_tools()
            fits = any(fnmatchcase(tool, name) for tool in known)
            return None if fits else (f"no tool fits {shown(name)}", f"tools: {', '.join(known)}")
        return self.tool(name)

    def model(self, text: str) -> tuple[str, str] | None:
        """A model's `provider/model`."""
        provider, slash, _ = text.strip().partition("/")
        if provider in self.providers:
            return None
        hint = did_you_mean(provider, sorted(self.providers), "providers")
        if not slash:
            return f"{shown(text)} names no provider", f"write provider/model; {hint}"
        return f"no provider {shown(provider)}", hint

    def _all_tools(self) -> Sequence[str]:
        return list(dict.fromkeys([*self.core, *self.tools]))
