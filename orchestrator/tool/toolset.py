"""The tools one member has: their schemas for the model, and how a call becomes an outcome."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from orchestrator.errors import RetinueError, ToolFailed, ToolRetry, Unavailable, nearest
from orchestrator.model.base import ToolSchema
from orchestrator.tool.base import Arguments, Tool, ToolContext, ToolResult, json_schema
from orchestrator.tool.builtin.paths import normal
from orchestrator.tool.catalog import TOOLS
from orchestrator.tool.footprint import Footprint

_log = logging.getLogger(__name__)

Outcome = Literal["ok", "retry", "failed", "unavailable", "denied", "unknown"]
"""How a call ended; `retry`: other arguments may work, `unavailable`: nobody can act right now."""


@dataclass(frozen=True)
class CallResult:
    """What a tool call came to."""

    outcome: Outcome
    text: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    empty: bool = False
    files: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "text": self.text,
            "data": dict(self.data),
            "empty": self.empty,
            "files": list(self.files),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["outcome"], data["text"], data["data"], data["empty"], tuple(data["files"]))


class ToolSearchArguments(Arguments):
    query: str = Field(min_length=1)


class CallToolArguments(Arguments):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


_SEARCH = ToolSchema(
    "tool_search",
    "Find further tools by what they do; use them with call_tool.",
    json_schema(ToolSearchArguments),
)
_CALL = ToolSchema(
    "call_tool", "Call a tool that tool_search has found.", json_schema(CallToolArguments)
)


@dataclass(frozen=True)
class Call:
    """A call after `call_tool` is unwrapped: the tool that really runs, and its raw arguments."""

    tool: str
    arguments: Mapping[str, Any]


class Toolset:
    """The tools of one member.

    `bound` stand in every prompt and cannot grow; `found`, names of the catalogue, are reached by
    `tool_search` and `call_tool` and imported when first looked at.
    """

    def __init__(self, bound: Mapping[str, Tool[Any]], found: Sequence[str] = ()) -> None:
        self._tools = dict(bound)
        self._bound = tuple(bound)
        self._found = tuple(found)

    @classmethod
    def of(cls, names: Sequence[str], *, denied: Sequence[str] = ()) -> Self:
        """The tools of those names; `tool_search` among them adds the rest of the catalogue."""
        bound = {name: TOOLS.load(name)() for name in names if name in TOOLS}
        search = "tool_search" in names
        return cls(
            bound,
            [name for name in TOOLS if search and name not in bound and name not in denied],
        )

    @property
    def names(self) -> Sequence[str]:
        """What the model may name in a call."""
        return [schema.name for schema in self.schemas]

    def finds(self, name: str) -> bool:
        """Whether the member can use the tool, bound or found."""
        return name in self._bound or name in self._found

    @property
    def schemas(self) -> Sequence[ToolSchema]:
        """The schemas the model is bound to, in an order that never changes."""
        schemas = [_schema(self._tools[name]) for name in self._bound]
        return [*schemas, _SEARCH, _CALL] if self._found else schemas

    def unwrap(self, name: str, arguments: Mapping[str, Any]) -> Call:
        """Look through `call_tool`, so that approval and journal see the tool that runs."""
        if name == "call_tool" and self._found:
            with suppress(ValidationError):
                inner = CallToolArguments.model_validate(arguments)
                return Call(inner.name, inner.arguments)
        return Call(name, arguments)

    def idempotent(self, call: Call) -> bool:
        tool = self._tool(call.tool)
        return tool is None or tool.idempotent

    def paths(self, call: Call, context: ToolContext) -> Sequence[str]:
        """The files and folders the call names, in normal form from the working folder."""
        tool = self._tool(call.tool)
        fields = () if tool is None else tool.arguments.paths
        given = [call.arguments.get(field) for field in fields]
        return [normal(path, context) for path in given if isinstance(path, str)]

    def footprint(self, call: Call, context: ToolContext) -> Footprint:
        """What of the working folder the call reads or changes."""
        tool = self._tool(call.tool)
        if tool is None:
            return Footprint((), changes=False)
        kind = tool.arguments
        whole = kind.whole_folder or any(call.arguments.get(field) is None for field in kind.paths)
        paths = ["."] if whole else self.paths(call, context)
        return Footprint(paths, changes=kind.changes_files)

    async def run(self, call: Call, context: ToolContext) -> CallResult:
        """Run the call; a failure comes back as an outcome.

        Raises PersonNeeded, and HomeError when the home is at fault.
        """
        if call.tool == "tool_search" and self._found:
            return self._search(call.arguments)
        if call.tool == "call_tool" and self._found:
            return CallResult("retry", "call_tool takes `name`, a text, and `arguments`, an object")
        tool = self._tool(call.tool)
        if tool is None:
            return self._unknown(call.tool)
        try:
            arguments = tool.arguments.model_validate(call.arguments)
        except ValidationError as error:
            return CallResult("retry", _explain(tool, error))
        try:
            result: ToolResult = await tool.run(arguments, context)
        except ToolRetry as error:
            return CallResult("retry", str(error))
        except ToolFailed as error:
            return CallResult("failed", str(error))
        except Unavailable as error:
            return CallResult("unavailable", f"{call.tool} cannot be used right now: {error}")
        except RetinueError:
            raise
        except Exception as error:
            _log.exception("tool %s failed", call.tool)
            return CallResult("failed", f"internal error in {call.tool}: {error!r}")
        return CallResult("ok", result.text, result.data, result.empty, result.files)

    def _tool(self, name: str) -> Tool[Any] | None:
        if name not in self._tools and name in self._found:
            self._tools[name] = TOOLS.load(name)()
        return self._tools.get(name)

    def _unknown(self, name: str) -> CallResult:
        near = nearest(name, [*self.names, *self._found])
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        return CallResult(
            "retry", f"there is no tool {name!r}{hint} Tools: {', '.join(self.names)}"
        )

    def _search(self, arguments: Mapping[str, Any]) -> CallResult:
        try:
            query = ToolSearchArguments.model_validate(arguments).query
        except ValidationError as error:
            return CallResult("retry", f"tool_search: {error.errors()[0]['msg']}")
        words = {word.lower() for word in query.split()}
        scored = [
            (sum(word in f"{tool.name} {tool.description}".lower() for word in words), tool)
            for tool in map(self._tool, self._found)
            if tool is not None
        ]
        hits = [tool for score, tool in sorted(scored, key=lambda pair: -pair[0]) if score][:5]
        if not hits:
            names = ", ".join(self._found)
            return CallResult(
                "ok", f"(empty) no tool fits {query!r}; there are: {names}", empty=True
            )
        lines = [
            f"{tool.name}: {tool.description} arguments: "
            + json.dumps(json_schema(tool.arguments), ensure_ascii=False)
            for tool in hits
        ]
        return CallResult("ok", "\n".join(lines))


def _schema(tool: Tool[Any]) -> ToolSchema:
    return ToolSchema(tool.name, tool.description, json_schema(tool.arguments))


def _explain(tool: Tool[Any], error: ValidationError) -> str:
    known = list(tool.arguments.model_fields)
    problems: list[str] = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        near = nearest(place, known) if item["type"] == "extra_forbidden" else ()
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        problems.append(f"{place or 'arguments'}: {item['msg']}{hint}")
    return f"wrong arguments for {tool.name}: {'; '.join(problems)}. It takes: {', '.join(known)}"
