"""The language inside `{{ … }}`: Jinja expressions, `if` and `for`, over plain data only.

A team file may come from anybody, so a template can reach nothing but the values it is given: there
are no calls, no methods, no attributes of Python objects, no assignments; what it writes and how
often it loops is bounded. Importing this module imports Jinja (45 ms CPU, 8 MB).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.profile.template import kind_of

MOST_TEXT = 1_000_000
"""Characters a template may give."""
MOST_ROUNDS = 10_000
"""Rounds of all loops of one rendering together."""

ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If,
    nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.Add, nodes.Sub, nodes.Neg,
)  # fmt: skip

ROUNDS = "rounds left"
"""Where a rendering counts its loops, and the filter that does; no template can spell it."""


class TooMuch(Exception):
    """A template wants more than it may have."""


class Language(ImmutableSandboxedEnvironment):
    """Jinja without anything that is not data."""

    intercepted_binops = frozenset({"+"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The element; `a.b` always means `a["b"]`, so that `output.items` is the field. Below what
        is missing everything is missing, so that `default` helps at any depth.
        """
        if isinstance(obj, Undefined):
            return obj
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(_why_missing(obj, argument))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        result: Any = super().call_binop(context, operator, left, right)
        if isinstance(result, (str, list)):
            _check_size(len(cast("Sequence[Any]", result)))
        return cast("Any", result)


@cache
def language() -> Language:
    """The one environment; it holds no values."""
    found = Language(
        undefined=StrictUndefined, finalize=_as_text, trim_blocks=True, lstrip_blocks=True
    )
    found.globals.clear()
    kept = ("first", "last", "length", "lower", "round", "trim", "upper")
    own = {"default": _default, "join": _join, "json": to_json, "map": _map, ROUNDS: _counted}
    jinja = cast("dict[str, Any]", found.filters)
    for name in jinja.keys() - set(kept):
        del jinja[name]
    jinja.update(own)
    return found


def filters() -> list[str]:
    """The filters a template may use."""
    return sorted(set(language().filters) - {ROUNDS})


def count_rounds(tree: nodes.Template) -> None:
    """Let every loop of the template count its rounds."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, ROUNDS, [], [], None, None, lineno=loop.lineno)


def render(template: Any, values: Mapping[str, object]) -> str:
    """What the compiled template gives. Raises TooMuch and what Jinja raises."""
    return "".join(_bounded(template.generate({**values, ROUNDS: iter(range(MOST_ROUNDS))})))


def to_json(value: Any) -> str:
    """The value as JSON."""
    encoder = json.JSONEncoder(ensure_ascii=False, default=_not_data)
    return "".join(_bounded(encoder.iterencode(value)))


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        _check_size(size)
        yield piece


def _check_size(size: int) -> None:
    if size > MOST_TEXT:
        raise TooMuch(f"it gives more than {MOST_TEXT:,} characters")


def _as_text(value: Any) -> Any:
    """What `{{ }}` writes: text as it is, anything else as JSON."""
    return value if isinstance(value, (str, Undefined)) else to_json(value)


def _not_data(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises, saying what is missing
    raise TypeError(f"{type(value).__name__} is not data")


def _default(value: Any, instead: Any = "") -> Any:
    return instead if value is None or isinstance(value, Undefined) else value


def _join(values: Any, between: str = "\n") -> str:
    parts = [str(_as_text(value)) for value in _elements(values, "join")]
    _check_size(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _map(values: Any, attribute: str) -> list[Any]:
    return [language().getitem(value, attribute) for value in _elements(values, "map")]


@pass_context
def _counted(context: Context, values: Any) -> Iterator[Any]:
    left: Iterator[int] = context.parent[ROUNDS]
    for value in _elements(values, "for"):
        if next(left, None) is None:
            raise TooMuch(f"its loops take more than {MOST_ROUNDS:,} rounds")
        yield value


def _elements(values: Any, whose: str) -> Iterable[Any]:
    if isinstance(values, Undefined):
        str(values)  # raises, saying what is missing
    if isinstance(values, (list, tuple, dict)):
        return cast("Iterable[Any]", values)
    raise TypeError(f"{whose!r} needs a list, not {kind_of(values)}")


def _why_missing(obj: Any, argument: Any) -> str:
    if isinstance(obj, Mapping):
        there = ", ".join(repr(key) for key in list(cast("Mapping[Any, Any]", obj))[:12])
        return f"there is no {argument!r} here, only {there or 'nothing'}"
    return f"there is no {argument!r} in {kind_of(obj)}"
