from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import pytest

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.home import Home
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.tool.base import ToolContext, ToolResult
from orchestrator.tool.builtin.web import WebFetch
from orchestrator.tool.builtin.web.access import Target
from orchestrator.tool.builtin.web.fetch import WebFetchArguments
from orchestrator.tool.builtin.web.http import get
from tests.tool.builtin.site_double import SiteDouble, answer, redirect

PUBLIC = "93.184.216.34"


@pytest.fixture
async def site() -> AsyncIterator[SiteDouble]:
    async with SiteDouble() as site:
        yield site


@pytest.fixture
def context(home: Home, site: SiteDouble) -> ToolContext:
    """A member that may reach the site, whose address a person named with its port."""
    sandbox = open_sandbox(SandboxConfig(isolation="none"), home.profile("desk", "clerk"))
    return ToolContext("desk/clerk", "r1", "r1", sandbox, allowed_hosts=(site.host,))


async def fetch(url: str, context: ToolContext, start: int | None = None) -> ToolResult:
    return await WebFetch().run(WebFetchArguments(url=url, start=start), context)


class ResolverDouble:
    """Gives the next list of addresses at each question."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if not self.answers:
            raise OSError("Name or service not known")
        return self.answers.pop(0)


# What comes back


async def test_a_page_becomes_markdown(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/a/page"] = answer(
        """<html><head><title>Grain  prices</title><style>p{}</style></head><body>
        <nav><a href="/">Home</a></nav><script>alert(1)</script>
        <h1>Grain</h1><p>Up <b>3 %</b>, see <a href="../b?x=1#y" title="t">the table</a>.</p>
        <ul><li>oats<li>rye</ul><img src="x.png" alt="a barn"><a href="javascript:x()">no</a>
        <table><tr><th>year</th><th>price</th></tr><tr><td>2024</td><td>7</td></tr></table>
        <footer>imprint</footer></body></html>"""
    )
    result = await fetch(site.url("/a/page"), context)
    assert result.data["title"] == "Grain prices"
    for part in (
        "# Grain",
        f"[the table]({site.url('/b?x=1#y')})",
        "**3 %**",
        "- oats",
        "a barn",
        "| 2024 | 7 |",
    ):
        assert part in result.text
    for part in ("alert", "Home", "imprint", "javascript", "p{}"):
        assert part not in result.text


async def test_the_main_part_of_a_page_is_enough(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = answer(f"<body><p>menu</p><main>{'story ' * 60}</main><p>ads</p></body>")
    text = (await fetch(site.url(), context)).text
    assert "story" in text
    assert "menu" not in text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "text/csv", "application/ld+json"]
)
async def test_text_and_json_come_as_they_are(
    site: SiteDouble, context: ToolContext, kind: str
) -> None:
    site.answers["/"] = answer('{"a": "<b>"}', kind)
    result = await fetch(site.url(), context)
    assert '{"a": "<b>"}' in result.text
    assert result.data["content_type"] == kind


async def test_a_long_page_is_read_on_from_where_it_was_cut(
    site: SiteDouble, context: ToolContext
) -> None:
    text = "".join(f"line {number}\n" for number in range(3000))
    site.answers["/"] = answer(text, "text/plain")
    first = await fetch(site.url(), context)
    assert "next: start=12000" in first.text
    second = await fetch(site.url(), context, start=12000)
    assert text[12000:12050] in second.text
    beyond = await fetch(site.url(), context, start=10**6)
    assert beyond.empty


async def test_a_page_without_text_says_that_it_is_empty(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/"] = answer("<body><script>render()</script><div id=app></div></body>")
    result = await fetch(site.url(), context)
    assert result.empty
    assert result.text.startswith("(empty)")


async def test_a_page_of_no_declared_type_is_recognised(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/html"] = answer("<!DOCTYPE html><p>one <b>two</b>", "")
    site.answers["/text"] = answer("one <b>two", "")
    site.answers["/binary"] = answer(b"\x7fELF\0\0", "")
    assert "one **two**" in (await fetch(site.url("/html"), context)).text
    assert "one <b>two" in (await fetch(site.url("/text"), context)).text
    with pytest.raises(ToolFailed, match="binary"):
        await fetch(site.url("/binary"), context)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("application/pdf", "PDF"), ("image/png", "image/png"), ("application/zip", "HTML, text")],
)
async def test_what_is_no_text_is_refused_by_name(
    site: SiteDouble, context: ToolContext, kind: str, words: str
) -> None:
    site.answers["/"] = answer(b"%PDF-1.7", kind)
    with pytest.raises(ToolFailed, match=words):
        await fetch(site.url(), context)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain; charset=iso-8859-1", "Käse".encode("latin-1")),
        ('text/html; charset="windows-1252"', "<p>Käse".encode("cp1252")),
        ("text/html", '<meta charset="iso-8859-15"><p>Käse'.encode("latin-1")),
        ("text/plain", "\ufeffKäse".encode("utf-16-le")),
        ("text/plain; charset=no-such-thing", "Käse".encode()),
        ("text/plain; charset=hex", "Käse".encode()),
        ("text/plain; charset=cp-99999", "Käse".encode()),
        ("text/plain", "Käse".encode()),
    ],
)
async def test_encodings_are_understood_and_bad_ones_survived(
    site: SiteDouble, context: ToolContext, kind: str, body: bytes
) -> None:
    site.answers["/"] = answer(body, kind)
    assert "Käse" in (await fetch(site.url(), context)).text


async def test_a_secret_on_a_page_is_not_repeated(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = answer("you sent hunter2hunter2", "text/plain")
    result = await fetch(site.url(), replace(context, secrets={"PASS": "hunter2hunter2"}))
    assert "hunter2" not in result.text


# Where it goes


async def test_without_allowed_hosts_nothing_is_asked(
    site: SiteDouble, context: ToolContext
) -> None:
    with pytest.raises(ToolFailed, match="the member's `allowed_hosts`"):
        await fetch(site.url(), replace(context, allowed_hosts=()))
    assert site.requests == []


async def test_another_port_of_an_allowed_address_is_refused(
    site: SiteDouble, context: ToolContext
) -> None:
    with pytest.raises(ToolFailed, match="not among the hosts"):
        await fetch(site.url(), replace(context, allowed_hosts=("127.0.0.1:1", "127.0.0.1")))
    assert site.requests == []


async def test_any_public_host_does_not_include_this_machine(
    site: SiteDouble, context: ToolContext
) -> None:
    allowed = replace(context, allowed_hosts=("*", f"*:{site.host.partition(':')[2]}"))
    with pytest.raises(ToolFailed, match="not a public address"):
        await fetch(site.url(), allowed)
    assert site.requests == []


async def test_redirects_are_followed(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/old"] = redirect("/new?x=1")
    site.answers["/new"] = answer("here", "text/plain")
    result = await fetch(site.url("/old"), context)
    assert result.data["url"] == site.url("/new?x=1")


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "//10.0.0.1/",
        "http://localhost/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://2130706433/",
    ],
)
async def test_every_redirect_is_checked_again(
    site: SiteDouble, context: ToolContext, location: str
) -> None:
    site.answers["/"] = redirect(location)
    allowed = replace(context, allowed_hosts=(site.host, "*"))
    fetching = WebFetch(ResolverDouble(["127.0.0.1"]))
    with pytest.raises((ToolFailed, ToolRetry)):
        await fetching.run(WebFetchArguments(url=site.url()), allowed)
    assert len(site.requests) == 1


async def test_redirects_come_to_an_end(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = redirect("/")
    with pytest.raises(ToolFailed, match="more than 5 times"):
        await fetch(site.url(), context)
    assert len(site.requests) == 6


async def test_no_cookie_is_sent_back(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = redirect("/next", set_cookie="id=1; Path=/")
    site.answers["/next"] = answer("x", "text/plain")
    await fetch(site.url(), context)
    assert "cookie" not in site.requests[1].lower()


async def test_proxies_of_the_environment_are_not_used(
    site: SiteDouble, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.answers["/"] = answer("direct", "text/plain")
    assert "direct" in (await fetch(site.url(), context)).text


async def test_it_says_who_it_is_and_whom_it_asks(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = answer("x", "text/plain")
    await fetch(site.url(), context)
    head = site.requests[0].lower()
    assert f"\r\nhost: {site.host}\r\n" in head
    assert "\r\nuser-agent: retinue/" in head


async def test_a_name_is_resolved_once_and_that_address_is_used(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer, which rebinding would slip in, is never asked for."""
    connect, reached = socket.socket.connect, list[str]()

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        reached.append(address[0])
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    resolver = ResolverDouble([PUBLIC], ["127.0.0.1"])
    allowed = replace(context, allowed_hosts=("rebind.example",))
    with pytest.raises(ToolFailed, match="cannot be read"):
        await WebFetch(resolver).run(WebFetchArguments(url="http://rebind.example/"), allowed)
    assert resolver.asked == [("rebind.example", 80)]
    assert reached == [PUBLIC]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "10.1.2.3"], ["::ffff:127.0.0.1"]])
async def test_an_allowed_name_at_a_private_address_is_refused(
    context: ToolContext, addresses: Sequence[str]
) -> None:
    allowed = replace(context, allowed_hosts=("intern.example",))
    with pytest.raises(ToolFailed, match="not a public address"):
        await WebFetch(ResolverDouble(addresses)).run(
            WebFetchArguments(url="http://intern.example/"), allowed
        )


async def test_an_unknown_name_is_said_to_be_unknown(context: ToolContext) -> None:
    with pytest.raises(ToolFailed, match="not known"):
        await WebFetch(ResolverDouble()).run(
            WebFetchArguments(url="http://nowhere.example/"),
            replace(context, allowed_hosts=("*.example",)),
        )


async def test_the_certificate_asked_for_is_that_of_the_name() -> None:
    asked: list[str | None] = []

    def note(_: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int:
        asked.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.sni_callback = note  # pyright: ignore[reportAttributeAccessIssue]  the stub knows only sockets
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        target = Target(httpx.URL(f"https://example.test:{port}/"), ["127.0.0.1"])
        with pytest.raises(ToolFailed, match=r"example\.test"):
            async with get(target, accept="*/*"):
                pass
    assert asked == ["example.test"]


async def test_the_next_address_is_tried_when_one_is_dead(site: SiteDouble) -> None:
    site.answers["/"] = answer("alive", "text/plain")
    port = int(site.host.partition(":")[2])
    target = Target(httpx.URL(f"http://example.test:{port}/"), ["192.0.2.1", "127.0.0.1"])
    async with get(target, accept="*/*") as response:
        assert response.status_code == 200
    assert f"host: example.test:{port}" in site.requests[0].lower()


# What goes wrong


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content", "304 Same"])
async def test_another_status_is_told(site: SiteDouble, context: ToolContext, status: str) -> None:
    site.answers["/"] = answer("", status=status)
    with pytest.raises(ToolFailed, match=status):
        await fetch(site.url(), context)


async def test_a_site_that_is_down_is_told(site: SiteDouble, context: ToolContext) -> None:
    async with SiteDouble() as gone:
        url = gone.url()
    with pytest.raises(ToolFailed, match="cannot be read"):
        await fetch(url, replace(context, allowed_hosts=(gone.host,)))


async def test_a_slow_page_is_given_up(site: SiteDouble, context: ToolContext) -> None:
    stop = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst")
        await writer.drain()
        await stop.wait()

    site.answers["/"] = drip
    with pytest.raises(ToolFailed, match=r"took longer than 0\.2 s"):
        await fetch(site.url(), replace(context, timeout_seconds=0.2))
    stop.set()


async def test_a_page_cut_off_in_the_middle_is_no_page(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/"] = answer("x" * 100, "text/plain")[:-50]
    with pytest.raises(ToolFailed, match="cannot be read"):
        await fetch(site.url(), context)


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_not_http_is_survived(
    site: SiteDouble, context: ToolContext, garbage: bytes
) -> None:
    site.answers["/"] = garbage
    with pytest.raises(ToolFailed, match="cannot be read"):
        await fetch(site.url(), context)


async def test_a_huge_body_is_cut(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/"] = answer(b"x" * 4_000_000, "text/plain")
    result = await fetch(site.url(), context)
    assert result.data["characters"] == 3_000_000
    last = await fetch(site.url(), context, start=2_999_990)
    assert "[cut: only the first 3 MB were read]" in last.text


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
    ],
)
async def test_packed_bodies_are_unpacked(
    site: SiteDouble, context: ToolContext, name: str, pack: type[bytes]
) -> None:
    site.answers["/"] = answer(pack(b"oats " * 1000), "text/plain", content_encoding=name)
    assert (await fetch(site.url(), context)).data["characters"] == 4999


async def test_a_bomb_is_unpacked_no_further_than_the_limit(
    site: SiteDouble, context: ToolContext
) -> None:
    bomb = gzip.compress(b"x" * 30_000_000, 9)
    site.answers["/"] = answer(bomb, "text/plain", content_encoding="gzip")
    assert (await fetch(site.url(), context)).data["characters"] == 3_000_000


@pytest.mark.parametrize(("name", "words"), [("gzip", "not the gzip"), ("br", "not asked for")])
async def test_wrongly_packed_bodies_are_refused(
    site: SiteDouble, context: ToolContext, name: str, words: str
) -> None:
    site.answers["/"] = answer("plain", "text/plain", content_encoding=name)
    with pytest.raises(ToolFailed, match=words):
        await fetch(site.url(), context)


async def test_html_nested_without_end_still_gives_its_text(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/"] = answer("<div>" * 1200 + "deep inside")
    assert "deep inside" in (await fetch(site.url(), context)).text


@pytest.mark.slow
async def test_html_made_to_stall_a_parser_is_given_up(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/"] = answer("<!--" * 700_000)
    with pytest.raises(ToolFailed, match="hostile"):
        await fetch(site.url(), context)
