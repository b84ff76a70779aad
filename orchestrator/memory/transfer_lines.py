"""The lines of an exported memory: what each may say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from orchestrator.memory.conversations import Kind
from orchestrator.memory.user_model import Kind as About
from orchestrator.memory.user_model import Level

FORMAT = 1
"""Of the file; raised when an older Retinue could no longer read it."""

Count = Annotated[int, Field(ge=0, le=2**31)]

MessageRef = tuple[str, str]
"""Run and key."""


def _in_utc(at: datetime) -> datetime:
    """Raises ValueError for a time at the edge of what there is."""
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("there is no such time in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Header(_Line):
    type: Literal["retinue-memory"]
    format: Count


class SessionLine(_Line):
    type: Literal["session"]
    id: str
    platform: str
    started: Moment


class MessageLine(_Line):
    """`session`, `peer`, `text` and `at` are enough."""

    type: Literal["message"] = "message"
    session: Annotated[str, Field(min_length=1)]
    run: str | None = None
    key: str | None = None
    peer: Annotated[str, Field(min_length=1)] | None
    kind: Kind = "said"
    text: str
    tokens: Count | None = None
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])
    at: Moment

    @field_validator("extra")
    @classmethod
    def _says_what_was_said(cls, extra: dict[str, Any]) -> dict[str, Any]:
        """Of a brief, the person and their words are read from it."""
        for name in ("person", "words"):
            if not isinstance(extra.get(name, ""), str):
                raise ValueError(f"{name!r} must be text")
        return extra


class AmendmentLine(_Line):
    type: Literal["amendment"]
    message: MessageRef
    by: MessageRef | None
    at: Moment


class LinkLine(_Line):
    type: Literal["link"]
    alias: str
    peer: str


class ConclusionLine(_Line):
    type: Literal["conclusion"]
    observer: str | None
    observed: str | None
    level: Level
    kind: About
    slot: str = ""
    value: str = ""
    text: str
    by: str
    times: Count = 1
    valid_from: Moment
    last_said: Moment
    invalidated_at: Moment | None = None
    sources: tuple[MessageRef, ...] = ()


class RelationLine(_Line):
    """What a conclusion was drawn from, and what took its place: by their places in the file."""

    type: Literal["relation"]
    conclusion: Count
    premises: tuple[Count, ...] = ()
    replaced_by: Count | None = None


class ReadLine(_Line):
    """The last message that conclusions have been drawn from."""

    type: Literal["read"]
    message: MessageRef


AnyLine = (
    Header
    | SessionLine
    | MessageLine
    | AmendmentLine
    | LinkLine
    | ConclusionLine
    | RelationLine
    | ReadLine
)
_TYPES: Mapping[str, type[AnyLine]] = {
    "retinue-memory": Header,
    "session": SessionLine,
    "message": MessageLine,
    "amendment": AmendmentLine,
    "link": LinkLine,
    "conclusion": ConclusionLine,
    "relation": RelationLine,
    "read": ReadLine,
}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def parsed(text: str) -> AnyLine:
    """The line; one without a type is a message. Raises ValueError saying what is wrong with it."""
    if not text.isascii() and text != text.encode(errors="replace").decode():
        raise ValueError("it is not UTF-8 text")
    try:
        found: Any = json.loads(text, parse_constant=_no_number)
        json.dumps(found, allow_nan=False)  # 1e400 is one, too
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    line = cast("dict[str, Any]", found)
    kind = str(line.get("type", "message"))
    if kind not in _TYPES:
        raise ValueError(f"there is no line of type {kind!r}; there are {', '.join(_TYPES)}")
    try:
        made = _TYPES[kind].model_validate(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{key}: {first['msg']}") from error
    if isinstance(made, Header) and made.format > FORMAT:
        raise ValueError("it was written by a newer Retinue; upgrade to read it")
    return made
