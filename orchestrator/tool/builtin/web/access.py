"""Where `web_fetch` may go: hosts the person allowed, at addresses of the public internet."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from orchestrator.errors import ToolFailed, ToolRetry

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses; raises OSError."""

Address = IPv4Address | IPv6Address

_LONGEST_URL = 4096
_PORTS = {"http": 80, "https": 443}

_UNICAST6 = ip_network("2000::/3")
_NEVER = (
    ip_network("168.63.129.16/32"),  # the metadata service of Azure, though not a private address
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("2002::/16"),  # carries an IPv4 address
)


@dataclass(frozen=True)
class Target:
    """A URL that may be fetched, and the addresses it was allowed for: connect to no other."""

    url: httpx.URL
    addresses: Sequence[str]


@dataclass(frozen=True)
class AllowedHost:
    """One entry of the profile's allowed hosts: `example.org`, `*.example.org` (its subdomains),
    either with `:port`, `*` for any public host, or an address.

    Without a port 80 and 443 are meant. An address named here is allowed where it is private too.
    """

    host: str
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> AllowedHost:
        found = re.fullmatch(r"\[?(.+?)\]?(?::(\d{1,5}))?", entry.strip().lower())
        if found is None or _address(entry.strip()):
            return cls(entry.strip().lower(), None)
        host = found[1].rstrip(".")
        if not host.isascii():
            with contextlib.suppress(httpx.InvalidURL):
                host = httpx.URL(scheme="http", host=host).raw_host.decode("ascii")
        return cls(host, int(found[2]) if found[2] else None)

    def admits(self, host: str, port: int) -> bool:
        if port not in (self.port, *(() if self.port else _PORTS.values())):
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return self.host == "*" or self.host == host or self.names(host)

    def names(self, host: str) -> bool:
        """Whether both are the same address."""
        address = _address(self.host)
        return address is not None and address == _address(host)


def parse_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL if every parser would read the same host in it. Raises ToolRetry."""
    if len(text) > _LONGEST_URL:
        raise ToolRetry(f"the URL is longer than {_LONGEST_URL} characters")
    if re.search(r"[\s\\\x00-\x20\x7f]", text):
        raise ToolRetry(f"{text!r} holds blanks, control characters or backslashes")
    try:
        url = base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolRetry(f"{text!r} is no valid URL: {error}") from error
    if url.scheme not in _PORTS:
        raise ToolRetry(f"{text!r}: only http:// and https:// can be fetched")
    authority = re.match(r"(?:[^/?#]*:)?//([^/?#]*)", text)
    if authority and re.search(r"@|:[^]]*[^\x00-\x7f]", authority[1]):
        raise ToolRetry(f"{text!r}: only a host and a port may stand before the path")
    host = host_of(url)
    if not _is_host(host):
        raise ToolRetry(f"{text!r} has no valid host")
    if not 0 < port_of(url) < 65536:
        raise ToolRetry(f"{text!r} has no valid port")
    return url.copy_with(fragment=None)


def host_of(url: httpx.URL) -> str:
    """Lower-case ASCII, without a final dot; an IPv6 address without brackets."""
    return url.raw_host.decode("ascii").lower().removesuffix(".")


def port_of(url: httpx.URL) -> int:
    return _PORTS[url.scheme] if url.port is None else url.port


async def admit(url: httpx.URL, allowed: Sequence[str], resolve: Resolver) -> Target:
    """The target, if the person's list and every address of the host allow it; the host is resolved
    here and never again. Raises ToolFailed.
    """
    host, port = host_of(url), port_of(url)
    entries = [AllowedHost.parse(entry) for entry in allowed]
    if not any(entry.admits(host, port) for entry in entries):
        known = f"; allowed: {', '.join(allowed)}" if allowed else ""
        name = host if port in _PORTS.values() else f"{host}:{port}"
        raise ToolFailed(
            f"{name!r} is not among the hosts this member may reach{known}. A person can add it to "
            "the member's `allowed_hosts`"
        )
    if _address(host) is not None:
        addresses = [host]
        if any(entry.admits(host, port) and entry.names(host) for entry in entries):
            return Target(url, addresses)
    else:
        addresses = await _resolved(host, port, resolve)
    for address in addresses:
        if not is_public(address):
            raise ToolFailed(f"{host!r} is at {address}, which is not a public address")
    return Target(url, addresses)


async def _resolved(host: str, port: int, resolve: Resolver) -> Sequence[str]:
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise ToolFailed(f"the host {host!r} is not known: {error}") from error
    if not addresses:
        raise ToolFailed(f"the host {host!r} has no address")
    return addresses


async def resolve(host: str, port: int) -> Sequence[str]:
    """Asks the system; the addresses in the order to try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Whether the address is one of a host on the internet: not private, loopback, link-local,
    shared, multicast, reserved, of a cloud's metadata service, nor another address in disguise.
    """
    address = _address(text)
    if address is None or any(address in network for network in _NEVER):
        return False
    if isinstance(address, IPv6Address):
        return address in _UNICAST6 and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_host(host: str) -> bool:
    """An address in its usual form, or a name that no resolver takes for an address."""
    if _address(host):
        return "%" not in host
    labels = host.split(".")
    named = all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", label) for label in labels)
    return named and len(host) <= 253 and not re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1])
