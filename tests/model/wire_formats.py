"""An answer, and the server-sent events it is in each wire format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ToolUse:
    """A tool call of the answer; `arguments` is the raw text, valid JSON or not."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """What a double answers, whichever format it speaks."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[ToolUse] = ()
    input_tokens: int = 20
    output_tokens: int = 10
    cached_tokens: int = 0
    usage: bool = True
    """Whether the server counts tokens at all."""
    cost: float | None = None
    """US dollars, as OpenRouter reports them."""
    stops: Literal["stop", "length"] = "stop"
    ends: Literal["well", "early", "breaks", "hangs"] = "well"
    """`early`: the response ends properly but before the reply does. `breaks`: the connection is
    closed in the middle of the response. `hangs`: nothing more comes.
    """
    after_events: int = 4
    """How many events still come, unless it ends well."""
    error: str | None = None
    """Type of an error event in place of the reply's end."""


def chat_completions(answer: Answer, model: str) -> Sequence[bytes]:
    """https://platform.openai.com/docs/api-reference/chat-streaming"""

    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({"id": "chatcmpl-1", "model": model, "choices": [choice], "usage": None})

    def all_events() -> Iterator[bytes]:
        yield event({"role": "assistant", "content": ""})
        for piece in _pieces(answer.reasoning):
            yield event({"reasoning_content": piece})
        for piece in _pieces(answer.text):
            yield event({"content": piece})
        for index, call in enumerate(answer.calls):
            function = {"name": call.name, "arguments": ""}
            head = {"index": index, "id": call.id or f"call_{index}", "type": "function"}
            yield event({"tool_calls": [head | {"function": function}]})
            for piece in _pieces(call.arguments):
                yield event({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        if answer.error:
            yield _data({"error": {"message": "told in the stream", "code": answer.error}})
            return
        yield event({}, _stop(answer, "tool_calls", answer.stops))
        if answer.usage:
            usage: dict[str, Any] = {
                "prompt_tokens": answer.input_tokens,
                "completion_tokens": answer.output_tokens,
                "total_tokens": answer.input_tokens + answer.output_tokens,
                "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
            }
            if answer.cost is not None:
                usage["cost"] = answer.cost
            yield _data({"id": "chatcmpl-1", "model": model, "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    return list(all_events())


def responses(answer: Answer, model: str) -> Sequence[bytes]:
    """https://platform.openai.com/docs/api-reference/responses-streaming"""
    number = iter(range(1_000_000))

    def event(kind: str, **rest: Any) -> bytes:
        return _data({"type": kind, "sequence_number": next(number), **rest}, kind)

    def response(status: str, output: Sequence[Any] = ()) -> dict[str, Any]:
        usage = {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
        reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 0,
            "status": status,
            "model": model,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "incomplete_details": reason,
            "usage": usage if answer.usage and status != "in_progress" else None,
        }

    def all_events() -> Iterator[bytes]:
        yield event("response.created", response=response("in_progress"))
        output: list[dict[str, Any]] = []
        if answer.reasoning:
            part: dict[str, Any] = {"type": "summary_text", "text": ""}
            item: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}
            place: dict[str, Any] = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
            yield event("response.output_item.added", output_index=0, item=item)
            yield event("response.reasoning_summary_part.added", part=part, **place)
            for piece in _pieces(answer.reasoning):
                yield event("response.reasoning_summary_text.delta", delta=piece, **place)
            output.append(item | {"summary": [part | {"text": answer.reasoning}]})
            yield event("response.output_item.done", output_index=0, item=output[-1])
        if answer.text:
            index = len(output)
            item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
            content: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
            place = {"item_id": "msg_1", "output_index": index, "content_index": 0}
            yield event(
                "response.output_item.added", output_index=index, item=item | {"content": []}
            )
            yield event("response.content_part.added", part=content, **place)
            for piece in _pieces(answer.text):
                yield event("response.output_text.delta", delta=piece, logprobs=[], **place)
            output.append(item | {"content": [content | {"text": answer.text}]})
            yield event("response.output_item.done", output_index=index, item=output[-1])
        for call in answer.calls:
            index = len(output)
            item = {
                "type": "function_call",
                "id": f"fc_{index}",
                "call_id": call.id or f"call_{index}",
                "name": call.name,
                "arguments": "",
                "status": "in_progress",
            }
            place = {"item_id": item["id"], "output_index": index}
            yield event("response.output_item.added", output_index=index, item=item)
            for piece in _pieces(call.arguments):
                yield event("response.function_call_arguments.delta", delta=piece, **place)
            output.append(item | {"arguments": call.arguments, "status": "completed"})
            yield event("response.output_item.done", output_index=index, item=output[-1])
        if answer.error:
            yield event("error", code=answer.error, message="told in the stream", param=None)
            return
        status = "incomplete" if answer.stops == "length" else "completed"
        yield event(f"response.{status}", response=response(status, output))

    return list(all_events())


def messages(answer: Answer, model: str) -> Sequence[bytes]:
    """https://platform.claude.com/docs/en/build-with-claude/streaming"""

    def event(kind: str, **rest: Any) -> bytes:
        return _data({"type": kind, **rest}, kind)

    def block(index: int, start: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> list[bytes]:
        return [
            event("content_block_start", index=index, content_block=start),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        ]

    counted = answer.input_tokens - answer.cached_tokens if answer.usage else 0
    cached = answer.cached_tokens if answer.usage else 0
    usage = {"input_tokens": counted, "cache_read_input_tokens": cached}

    def all_events() -> Iterator[bytes]:
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "usage": usage | {"output_tokens": 1},
        }
        yield event("message_start", message=message)
        yield event("ping")
        index = 0
        if answer.reasoning:
            thoughts = [
                {"type": "thinking_delta", "thinking": p} for p in _pieces(answer.reasoning)
            ]
            signed = [*thoughts, {"type": "signature_delta", "signature": "signed"}]
            yield from block(index, {"type": "thinking", "thinking": "", "signature": ""}, signed)
            index += 1
        if answer.text:
            texts = [{"type": "text_delta", "text": piece} for piece in _pieces(answer.text)]
            yield from block(index, {"type": "text", "text": ""}, texts)
            index += 1
        for call in answer.calls:
            start = {"type": "tool_use", "id": call.id or f"toolu_{index}", "name": call.name}
            inputs = [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in _pieces(call.arguments)
            ]
            yield from block(index, start | {"input": {}}, inputs)
            index += 1
        if answer.error:
            yield event("error", error={"type": answer.error, "message": "told in the stream"})
            return
        stop = _stop(answer, "tool_use", "max_tokens" if answer.stops == "length" else "end_turn")
        spent = usage | {"output_tokens": answer.output_tokens if answer.usage else 0}
        yield event(
            "message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=spent
        )
        yield event("message_stop")

    return list(all_events())


def _stop(answer: Answer, called: str, otherwise: str) -> str:
    return called if answer.calls and answer.stops == "stop" else otherwise


def _data(value: object, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def _pieces(text: str, size: int = 7) -> Sequence[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
