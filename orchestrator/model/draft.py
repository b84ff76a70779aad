"""A reply while it streams in: pieces go in, deltas come out, in the end a message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.content import InvalidToolCall
from langchain_core.messages.tool import ToolCall, ToolCallChunk, invalid_tool_call, tool_call

from orchestrator.model.base import Delta, Usage
from orchestrator.model.estimate import tokens_of_bytes
from orchestrator.text.unicode import well_formed

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk

_ENDINGS = ("finish_reason", "stop_reason", "status")
_REASONING = ("reasoning_content", "reasoning")
"""Where servers that speak OpenAI's format put what the model thinks."""


@dataclass
class _Call:
    """A tool call whose arguments stream in."""

    id: str
    name: str = ""
    arguments: str = ""


class Draft:
    """Collects the chunks of one stream."""

    def __init__(self) -> None:
        self.finished = False
        """The model has said that the reply is complete."""
        self._chunks: list[AIMessageChunk] = []
        self._calls: list[_Call] = []
        self._open: dict[object, _Call] = {}
        """The call each index stands for at the moment."""
        self._ending = ""
        self._bytes = 0

    @property
    def begun(self) -> bool:
        return bool(self._chunks)

    @property
    def output_tokens(self) -> int:
        """What has come so far, estimated."""
        return tokens_of_bytes(self._bytes)

    def add(self, generation: ChatGenerationChunk) -> Iterator[Delta]:
        """Take a chunk in and give what it brings as deltas."""
        chunk = cast("AIMessageChunk", generation.message)
        self._chunks.append(chunk)
        facts = {**(generation.generation_info or {}), **chunk.response_metadata}
        ending = next((str(facts[name]) for name in _ENDINGS if facts.get(name)), "")
        self._ending = ending or self._ending
        self.finished = self.finished or bool(ending) or chunk.chunk_position == "last"
        for reasoning in _thoughts(chunk):
            self._bytes += _size(reasoning)
            yield Delta(reasoning=reasoning)
        if text := chunk.text:
            self._bytes += _size(text)
            yield Delta(text=text)
        for piece in chunk.tool_call_chunks:
            call = self._call_of(piece)
            arguments = piece["args"] or ""
            call.arguments += arguments
            self._bytes += _size(arguments)
            if arguments or piece["name"]:
                yield Delta(tool_arguments=arguments, tool=call.name)

    def message(self) -> AIMessage:
        """What the model answered; calls whose arguments are not a JSON object are kept apart."""
        merged = self._chunks[0] + self._chunks[1:] if self._chunks else AIMessageChunk(content="")
        valid: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        for call in self._calls:
            arguments = _json_object(call.arguments)
            if arguments is not None and call.name:
                valid.append(tool_call(name=call.name, args=arguments, id=call.id))
            else:
                invalid.append(
                    invalid_tool_call(
                        name=call.name,
                        args=well_formed(call.arguments),
                        id=call.id,
                        error="the arguments are not a JSON object",
                    )
                )
        metadata = {"finish_reason": self._ending} if self._ending else {}
        return AIMessage(
            content=_well_formed(_content(merged, valid)),
            tool_calls=valid,
            invalid_tool_calls=invalid,
            id=merged.id,
            response_metadata=metadata,
        )

    def usage(self) -> tuple[Usage, int] | None:
        """What the server counted, and the tokens it wrote into its cache; None if it told nothing.

        Some servers count in one chunk, some in two halves, some anew in each: the largest number
        is the right one for all of them.
        """
        told = [chunk.usage_metadata for chunk in self._chunks if chunk.usage_metadata]
        if not told:
            return None
        inputs = [usage.get("input_token_details", {}) for usage in told]
        outputs = [usage.get("output_token_details", {}) for usage in told]
        usage = Usage(
            input=max(usage["input_tokens"] for usage in told),
            output=max(usage["output_tokens"] for usage in told),
            cached=_most(inputs, "cache_read"),
            reasoning=_most(outputs, "reasoning"),
        )
        written = sum(
            _most(inputs, kind)
            for kind in ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        )
        return usage, written

    def billed(self) -> Decimal | None:
        """US dollars, where the server itself says what the reply cost."""
        costs = (chunk.response_metadata.get("cost_usd") for chunk in self._chunks)
        return next((Decimal(str(cost)) for cost in costs if cost is not None), None)

    def _call_of(self, piece: ToolCallChunk) -> _Call:
        """The call a piece belongs to; a new id begins a new call, whatever its index."""
        index, id = piece["index"], piece["id"]
        call = self._open.get(index)
        if call is None or (id and id != call.id):
            call = _Call(id or f"call_{uuid4().hex[:16]}")
            self._open[index] = call
            self._calls.append(call)
        call.name = call.name or piece["name"] or ""
        return call


def _thoughts(chunk: AIMessageChunk) -> Iterator[str]:
    """The pieces of reasoning in a chunk, in any of the known forms."""
    for name in _REASONING:
        if isinstance(text := chunk.additional_kwargs.get(name), str) and text:
            yield text
            return
    if isinstance(chunk.content, str):
        return
    for block in chunk.content:
        if not isinstance(block, dict):
            continue
        block = cast("dict[str, Any]", block)
        if block.get("type") == "thinking" and block.get("thinking"):
            yield str(block["thinking"])
        elif block.get("type") == "reasoning":
            parts = cast("list[dict[str, Any]]", block.get("summary") or [])
            yield from (str(part["text"]) for part in parts if part.get("text"))


def _content(merged: AIMessageChunk, calls: Sequence[ToolCall]) -> str | list[str | dict[Any, Any]]:
    """Plain text where that is all there is, else blocks as the provider wants them back."""
    blocks: list[dict[str, Any]] = []
    thoughts = {
        name: merged.additional_kwargs[name]
        for name in (*_REASONING, "reasoning_details")
        if merged.additional_kwargs.get(name)
    }
    if thoughts:
        blocks.append({"type": "reasoning_content", **thoughts})
    arguments = {call["id"]: call["args"] for call in calls}
    raw = [merged.content] if isinstance(merged.content, str) else merged.content
    for block in raw:
        if isinstance(block, str):
            blocks.append({"type": "text", "text": block})
            continue
        block = {key: value for key, value in block.items() if key != "index"}
        if block.get("type") == "tool_use":
            known = {key: block.get(key) for key in ("type", "id", "name")}
            block = {**known, "input": arguments.get(block.get("id"), {})}
        blocks.append(block)
    if all(block.get("type") == "text" for block in blocks):
        return "".join(block.get("text", "") for block in blocks)
    kept = [block for block in blocks if block.get("type") != "text" or block.get("text")]
    return cast("list[str | dict[Any, Any]]", kept)


def _json_object(text: str) -> dict[str, Any] | None:
    """The object; None when the text is not one, or nested beyond measure. No text at all means no
    arguments.
    """
    try:
        value: Any = _well_formed(json.loads(text)) if text.strip() else {}
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _well_formed(value: Any) -> Any:
    """The JSON value with all its texts well-formed; some models cut characters in two."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_well_formed(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {_well_formed(key): _well_formed(item) for key, item in items}
    return value


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _most(details: Sequence[Mapping[str, Any]], key: str) -> int:
    return max((detail.get(key) or 0 for detail in details), default=0)
