"""A web server on loopback that says exactly what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes | str,
    kind: str = "text/html; charset=utf-8",
    *,
    status: str = "200 OK",
    **headers: str,
) -> bytes:
    """An HTTP response; `set_cookie` in `headers` becomes Set-Cookie."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def redirect(location: str, **headers: str) -> bytes:
    return answer("", status="302 Found", location=location, **headers)


class SiteDouble:
    """Answers by path; `requests` keeps what was asked, heads only. Unknown paths are 404."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.bodies: list[bytes] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            for line in head.lower().splitlines():
                if line.startswith("content-length:"):
                    self.bodies.append(await reader.readexactly(int(line.split(":")[1])))
            path = head.split(" ")[1].partition("?")[0]
            said = self.answers.get(path, answer("no such page", status="404 Not Found"))
            if isinstance(said, bytes):
                writer.write(said)
                await writer.drain()
            else:
                await said(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
