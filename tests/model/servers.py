"""Doubles of model providers: HTTP servers on loopback that speak the real wire formats.

They know nothing of Retinue and are no models: a test tells them what to answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from tests.model import wire_formats
from tests.model.wire_formats import Answer, ToolUse

__all__ = ["Answer", "AnthropicDouble", "Fail", "OpenAIDouble", "Request", "ToolUse"]


@dataclass(frozen=True)
class Fail:
    """An error response."""

    status: int
    message: str = "refused on purpose"
    kind: str = "error"
    """`type` and `code` of the error."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Act = Answer | Fail


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: dict[str, Any]


class _Double:
    """Answers each POST with the next act; the last one is repeated."""

    base_path = ""

    def __init__(
        self, acts: Act | Iterable[Act] | Callable[[Request], Act], models: Sequence[str] = ()
    ) -> None:
        self.requests: list[Request] = []
        self.left = asyncio.Event()
        """Set when a client has gone away in the middle of an answer."""
        self._models = models
        self._choose = acts if callable(acts) else _in_turn(acts)

    @property
    def port(self) -> int:
        return self._server.sockets[0].getsockname()[1]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    async def __aenter__(self) -> Self:
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        tasks = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.close()
        await asyncio.gather(*tasks)

    def _events(self, request: Request, answer: Answer) -> Sequence[bytes] | None:
        """The events of the streamed answer; None when the path is not served."""
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await self._respond(request, reader, writer):
                    break
        except ConnectionError:
            self.left.set()
        finally:
            del self._open[writer]
            writer.close()

    async def _respond(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection is still good."""
        if request.method == "GET" and request.path.endswith("/models"):
            listed = {"object": "list", "data": [{"id": name} for name in self._models]}
            return await _send(writer, 200, listed)
        act = self._choose(request)
        if isinstance(act, Fail):
            error = {"message": act.message, "type": act.kind, "code": act.kind}
            return await _send(writer, act.status, {"error": error}, act.headers)
        events = self._events(request, act)
        if events is None:
            return await _send(writer, 404, {"error": {"message": f"no path {request.path}"}})
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        async for event in self._until_cut(events, act, reader):
            writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            await writer.drain()
        if act.ends == "breaks":
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _until_cut(
        self, events: Sequence[bytes], answer: Answer, reader: asyncio.StreamReader
    ) -> AsyncIterator[bytes]:
        whole = len(events) if answer.ends == "well" else answer.after_events
        for event in events[:whole]:
            yield event
        if answer.ends == "hangs":
            await reader.read(1)  # returns when the client goes away
            self.left.set()
            raise ConnectionResetError


def _in_turn(acts: Act | Iterable[Act]) -> Callable[[Request], Act]:
    queue = [acts] if isinstance(acts, Answer | Fail) else list(acts)

    def choose(_: Request) -> Act:
        return queue.pop(0) if len(queue) > 1 else queue[0]

    return choose


class OpenAIDouble(_Double):
    """Speaks chat completions, the Responses API and the list of models."""

    base_path = "/v1"

    def _events(self, request: Request, answer: Answer) -> Sequence[bytes] | None:
        model = str(request.body.get("model"))
        match request.path:
            case "/v1/chat/completions":
                return wire_formats.chat_completions(answer, model)
            case "/v1/responses":
                return wire_formats.responses(answer, model)
            case _:
                return None


class AnthropicDouble(_Double):
    """Speaks the messages format."""

    def _events(self, request: Request, answer: Answer) -> Sequence[bytes] | None:
        if request.path != "/v1/messages":
            return None
        return wire_formats.messages(answer, str(request.body.get("model")))


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request on the connection; None when it has ended."""
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split()
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(raw) if raw else {})


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> Literal[True]:
    payload = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Told", "content-type: application/json"]
    lines += [f"content-length: {len(payload)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
    await writer.drain()
    return True
