"""What a tool is: typed arguments in, text for the model and data for the program out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from orchestrator.memory import ConversationSearch, Thinker, UserModel
from orchestrator.sandbox.base import Sandbox
from orchestrator.skill.shelf import Shelf


class Arguments(BaseModel):
    """Base of every tool's arguments; a misspelt one is refused, and the model may retry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: ClassVar[tuple[str, ...]] = ()
    """The fields that name files or folders; approvals look at these in normal form, too."""
    whole_folder: ClassVar[bool] = False
    """Whether the call may touch any file of the working folder."""
    changes_files: ClassVar[bool] = False
    """Whether it changes files, those it names or any. Calls of one reply run at once, except that
    one waits for those before it that change what it looks at, or look at what it changes.
    """


A = TypeVar("A", bound=Arguments, contravariant=True)


@dataclass(frozen=True)
class ToolResult:
    text: str
    """What the model reads."""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON-ready facts for the program, e.g. `exit_code`, `rows`, `path`."""
    empty: bool = False
    """Nothing was found; an answer built on it must say so."""
    files: tuple[str, ...] = ()
    """Workspace-relative files this call wrote on purpose; they count as part of the member's
    result.
    """


@dataclass(frozen=True)
class ToolContext:
    """What a tool may touch: its own profile's sandbox, and nothing process-wide."""

    address: str
    """`team/profile`."""
    run: str
    workdir: str
    """Folder of this run inside the workspace; relative paths of tools start here."""
    sandbox: Sandbox
    timeout_seconds: float = 120
    allowed_hosts: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """The profile's secrets by name; never put into a result."""
    search_url: str | None = None
    """SearXNG server, for `web_search`."""
    cache: Path | None = None
    call: str = ""
    """The member call within the run."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from reading a file to writing it changed."""
    shelf: Shelf | None = None
    """The profile's skills; None: it has none to look at."""
    conversations: ConversationSearch | None = None
    """What was said to the profile and by it; None: it has nothing to look at."""
    people: UserModel | None = None
    """What the profile believes about people; None: it keeps nothing about them."""
    person: str = "person"
    """For whom the work is done."""
    message: int | None = None
    """The message the member works on, in its conversations."""
    forget: Callable[[str], Mapping[str, int]] | None = None
    """Forgets for good what the person has told about a topic; how much of what sort."""
    thinker: Callable[[], Thinker] | None = None
    """The profile's own model, for a tool that has something to think over."""


class Tool(Protocol, Generic[A]):
    """One tool. Failures are raised: ToolRetry, ToolFailed, Unavailable, PersonNeeded."""

    name: ClassVar[str]
    description: ClassVar[str]
    """One or two sentences: the whole prompt budget of a member is 1,500 tokens."""
    arguments: ClassVar[type[Arguments]]
    idempotent: ClassVar[bool]
    """True when running it twice does no harm: after a crash it is then run again without asking.
    """

    async def run(self, arguments: A, context: ToolContext) -> ToolResult: ...


@cache
def json_schema(arguments: type[Arguments]) -> Mapping[str, Any]:
    """The arguments as a short JSON schema: titles gone, references resolved, `X | None` as `X`."""
    schema: dict[str, Any] = arguments.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    return _shorten(schema, definitions)


def _shorten(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return _shorten(definitions[str(node["$ref"]).rsplit("/", 1)[1]], definitions)
    options: list[dict[str, Any]] = [
        option for option in node.get("anyOf", []) if option.get("type") != "null"
    ]
    if len(options) == 1:
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return _shorten(options[0] | rest, definitions)
    short: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            short[key] = {name: _shorten(item, definitions) for name, item in value.items()}
        elif key == "items":
            short[key] = _shorten(value, definitions)
        elif not _is_noise(key, value):
            short[key] = value
    return short


def _is_noise(key: str, value: object) -> bool:
    return (
        key == "title"
        or key in ("additionalProperties", "maxLength")  # said by the check, should it matter
        or (key == "default" and value in (None, "", [], ()))
    )
