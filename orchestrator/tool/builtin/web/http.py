"""HTTP for the web tools: no cookies, no proxies of the environment, and every body bounded."""

from __future__ import annotations

import functools
import json
import ssl
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import certifi
import httpx

import orchestrator
from orchestrator.errors import ToolFailed
from orchestrator.tool.builtin.web.access import Target, host_of

_HEADERS = {
    "User-Agent": f"Retinue/{orchestrator.__version__}",
    "Accept-Encoding": "gzip, deflate",
}
_SECONDS_OF_SILENCE = 10.0
_MOST_ADDRESSES = 3
_MOST_JSON_BYTES = 2_000_000


@asynccontextmanager
async def get(target: Target, *, accept: str) -> AsyncGenerator[httpx.Response]:
    """The answer from an address of the target, its body not read yet; redirects are not followed.

    The name in the request and in the certificate is the URL's. Raises ToolFailed.
    """
    host = host_of(target.url)
    try:
        async with httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False) as transport:
            response = await _first_answer(transport, target, accept)
            try:
                yield response
            finally:
                await response.aclose()
    except httpx.TransportError as error:
        raise ToolFailed(f"{host} cannot be read: {_reason(error)}") from error


async def _first_answer(
    transport: httpx.AsyncHTTPTransport, target: Target, accept: str
) -> httpx.Response:
    """From the first address that can be reached."""
    seconds = dict.fromkeys(("connect", "read", "write", "pool"), _SECONDS_OF_SILENCE)
    failed: httpx.TransportError | None = None
    for address in target.addresses[:_MOST_ADDRESSES]:
        request = httpx.Request(
            "GET",
            target.url.copy_with(host=address),
            headers={**_HEADERS, "Accept": accept, "Host": target.url.netloc.decode("ascii")},
            extensions={"sni_hostname": host_of(target.url), "timeout": seconds},
        )
        try:
            return await transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failed = error
    raise failed or httpx.ConnectError("no address")


async def read_body(response: httpx.Response, most: int) -> tuple[bytes, bool]:
    """At most `most` bytes, unpacked, and whether there were more. Raises ToolFailed."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise ToolFailed(f"the answer is packed as {encoding!r}, which was not asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding not in ("identity", "") else None
    body = bytearray()
    async for part in response.aiter_raw():
        try:
            room = most + 1 - len(body)
            body += part if unpacker is None else unpacker.decompress(part, room)
        except zlib.error as error:
            raise ToolFailed(f"the answer is not the {encoding} it claims to be") from error
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False


async def ask_json(
    method: Literal["GET", "POST"],
    url: str,
    *,
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> tuple[int, Any]:
    """Status and JSON of a service the person has named; None where it is no JSON. Raises
    ToolFailed.
    """
    client = httpx.AsyncClient(
        verify=_tls(), trust_env=False, headers=_HEADERS, timeout=_SECONDS_OF_SILENCE
    )
    try:
        async with (
            client,
            client.stream(method, url, params=params, headers=headers, json=body) as response,
        ):
            text, _ = await read_body(response, _MOST_JSON_BYTES)
            status = response.status_code
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ToolFailed(f"{url} cannot be reached: {_reason(error)}") from error
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no answer for {_SECONDS_OF_SILENCE:g} s"
    return str(error) or type(error).__name__


@functools.cache
def _tls() -> ssl.SSLContext:
    """Mozilla's authorities, and those of this machine."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context
