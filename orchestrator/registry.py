"""One mechanism for models, sandboxes, tools and channels: a name mapped to `"module:Object"`,
imported on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from orchestrator.errors import NotFoundError


class Registry:
    """Names of one kind of plugin, ours and those of installed packages alike.

    `group` is the entry-point group, e.g. `retinue.tools`; an installed package may add names,
    never replace ours.
    """

    def __init__(self, kind: str, group: str, ours: Mapping[str, str]) -> None:
        self.kind = kind
        self._group = group
        self._ours = dict(ours)
        self._theirs: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._theirs is None:
            self._theirs = {entry.name: entry.value for entry in entry_points(group=self._group)}
        return self._theirs | self._ours

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in self._all()

    def load(self, name: str) -> Any:
        """The object behind `name`; raises NotFoundError with near names."""
        target = self._ours.get(name) or self._all().get(name)
        if target is None:
            raise NotFoundError(self.kind, name, self)
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
