"""Templates in workflows: read once, checked before anything runs, then rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orchestrator.errors import PersonError, nearest

if TYPE_CHECKING:
    from jinja2 import nodes

MOST_SOURCE = 50_000
"""Characters of a template."""
MOST_DEPTH = 60
"""Levels an expression may be nested."""

Path = tuple[str, ...]
"""A chain of names, e.g. `("steps", "research", "output", "title")`."""


class TemplateError(PersonError):
    """A template cannot be read, or what it asks for is not there."""

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem} ({hint})" if hint else problem)


@dataclass(frozen=True)
class Template:
    """Text with `{{ expressions }}` over plain data, and what can be said of it unrendered."""

    source: str
    names: frozenset[str]
    """The variables it reads."""
    paths: tuple[Path, ...]
    """The fixed chains of names it reads, as far as they are fixed."""
    is_expression: bool
    """True when it is a single `{{ … }}` and nothing else, so that it has a value."""

    @staticmethod
    def parse(source: str) -> Template:
        """Raises TemplateError."""
        return _parse(source.strip())

    def render(self, values: Mapping[str, object]) -> str:
        """The text; what is not text in it is written as JSON. Raises TemplateError."""
        return _render(_compiled(self.source, False), values)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """The value of an expression, as plain data. Raises TemplateError."""
        return json.loads(_render(_compiled(self.source, True), values))

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether a condition holds; text is refused, since `"no"` would hold. Raises
        TemplateError.
        """
        value = self.evaluate(values)
        if isinstance(value, str):
            raise TemplateError(f"gives the text {value[:40]!r}, not true or false", "compare it")
        return bool(value)


def kind_of(value: object) -> str:
    """How a person calls this kind of value: `text`, `a list`, …"""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return type(value).__name__


@lru_cache(maxsize=256)
def _parse(source: str) -> Template:
    from jinja2 import TemplateSyntaxError, meta, nodes

    if len(source) > MOST_SOURCE:
        raise TemplateError(f"longer than {MOST_SOURCE:,} characters")
    try:
        tree = _tree(source)
        stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
        read = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
        names = meta.find_undeclared_variables(tree) | (read & {"self"})
    except TemplateSyntaxError as error:
        raise TemplateError(_at_line(error.message or "cannot be read", error.lineno)) from error
    except RecursionError as error:
        raise TemplateError("nested too deeply") from error
    if taken := stored & {"inputs", "steps"}:
        raise TemplateError(f"a loop cannot use the name {min(taken)!r}", "take another name")
    paths = tuple(path for path in _paths(tree) if path[0] not in stored)
    return Template(source, frozenset(names), paths, _expression(tree) is not None)


def _tree(source: str) -> nodes.Template:
    from orchestrator.profile.template_language import language

    tree = language().parse(source)
    level: list[nodes.Node] = [tree]
    for _ in range(MOST_DEPTH):
        for node in level:
            _check_allowed(node)
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return tree
    raise TemplateError("nested too deeply")


def _check_allowed(node: nodes.Node) -> None:
    from jinja2 import nodes

    from orchestrator.profile.template_language import ALLOWED, filters, language

    if isinstance(node, nodes.Call):
        hint = "there are filters: " + ", ".join(filters())
        raise TemplateError(_at_line("nothing can be called", node.lineno), hint)
    if not isinstance(node, ALLOWED):
        what = f"`{type(node).__name__.lower()}` is not part of the template language"
        hint = "it has comparisons, and, or, not, in, +, -, filters, {% if %} and {% for %}"
        raise TemplateError(_at_line(what, node.lineno), hint)
    if isinstance(node, nodes.Filter) and node.name not in filters():
        near = nearest(node.name, filters()) or filters()
        raise TemplateError(
            _at_line(f"no filter {node.name!r}", node.lineno), "there is " + ", ".join(near)
        )
    if isinstance(node, nodes.Test) and node.name not in language().tests:
        near = nearest(node.name, language().tests) or ("defined",)
        raise TemplateError(
            _at_line(f"no test {node.name!r}", node.lineno), "there is " + ", ".join(near)
        )


def _paths(node: nodes.Node) -> Iterator[Path]:
    if chain := _chain(node):
        yield chain
    else:
        for child in node.iter_child_nodes():
            yield from _paths(child)


def _chain(node: nodes.Node) -> Path | None:
    from jinja2 import nodes

    match node:
        case nodes.Name(ctx="load"):
            return (node.name,)
        case nodes.Getattr():
            below, last = _chain(node.node), node.attr
        case nodes.Getitem(arg=nodes.Const(value=str() as key)):
            below, last = _chain(node.node), key
        case _:
            return None
    return (*below, last) if below else None


def _expression(tree: nodes.Template) -> nodes.Expr | None:
    from jinja2 import nodes

    match tree.body:
        case [nodes.Output(nodes=[only])] if not isinstance(only, nodes.TemplateData):
            return only
        case _:
            return None


def _at_line(problem: str, line: int) -> str:
    return problem if line == 1 else f"line {line} of the text: {problem}"


@lru_cache(maxsize=256)
def _compiled(source: str, as_value: bool) -> Any:
    """The template ready to run; `as_value`: it writes its one expression as JSON."""
    from jinja2 import nodes

    from orchestrator.profile.template_language import count_rounds, language

    tree = _tree(source)
    if as_value:
        expression = _expression(tree)
        if expression is None:
            raise TemplateError("must be one expression and nothing else", "write {{ … }}")
        value = nodes.Filter(expression, "json", [], [], None, None, lineno=1)
        tree.body = [nodes.Output([value], lineno=1)]
    count_rounds(tree)
    tree.set_environment(language())
    return language().from_string(tree)


def _render(compiled: Any, values: Mapping[str, object]) -> str:
    from jinja2 import TemplateError as JinjaError

    from orchestrator.profile.template_language import TooMuch, render

    try:
        return render(compiled, values)
    except (JinjaError, TooMuch, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateError(str(error)) from error
