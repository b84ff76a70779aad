from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.tool.builtin.web.access import (
    AllowedHost,
    admit,
    host_of,
    is_public,
    parse_url,
    port_of,
)


@pytest.mark.parametrize(
    ("entry", "url", "admitted"),
    [
        ("example.org", "http://example.org/", True),
        ("example.org", "https://EXAMPLE.org./x", True),
        ("Example.ORG", "https://example.org/", True),
        ("example.org", "https://www.example.org/", False),
        ("example.org", "https://notexample.org/", False),
        ("example.org", "https://example.org.evil.test/", False),
        ("example.org", "https://example.org:8443/", False),
        ("example.org:8443", "https://example.org:8443/", True),
        ("example.org:8443", "https://example.org/", False),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://evilexample.org/", False),
        ("*.example.org:81", "http://a.example.org:81/", True),
        ("\uff11.example", "https://1.example/", False),
        ("https://example.org", "https://example.org/", False),
        ("", "https://example.org/", False),
        ("*", "https://anything.test/", True),
        ("*", "https://anything.test:22/", False),
        ("*:8000", "https://anything.test:8000/", True),
        ("10.0.0.5", "http://10.0.0.5/", True),
        ("10.0.0.5", "http://10.0.0.5:8080/", False),
        ("[::1]:8080", "http://[0:0::1]:8080/", True),
        ("::1", "http://[::1]/", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("bücher.example", "https://bücher.example/", True),
    ],
)
def test_an_entry_admits_what_it_says(entry: str, url: str, admitted: bool) -> None:
    parsed = parse_url(url)
    assert AllowedHost.parse(entry).admits(host_of(parsed), port_of(parsed)) is admitted


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "203.0.113.9"),
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2001:0:7f00:1::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1"),
        *("fd00:ec2::254", "ff02::1", "2001:db8::1", "not an address", ""),
    ],
)
def test_no_inner_address_counts_as_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "1.1.1.1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fc00::/7"))
def test_no_private_network_has_a_gap(address: ipaddress.IPv4Address) -> None:
    assert not is_public(str(address))


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org", "//example.org", "http:example.org", "http:///x", "http://"),
        *("file:///etc/passwd", "ftp://example.org", "gopher://x", "data:text/html,x", "HTTPS:x"),
        *("http://user@example.org/", "http://user:pw@example.org/", "http://@example.org/"),
        *("http://example.org@127.0.0.1/", "http://127.0.0.1\\@example.org/"),
        *("http://exa mple.org/", "http://example.org\t/", "http://example.org/\r\nX: y"),
        *("http://example.org\x00.evil.test/", "http://example.org%00.evil.test/"),
        *("http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://127.1/"),
        *("http://0177.0.0.1/", "http://127.0.0.0x1/", "http://%31%32%37.0.0.1/", "http://1.2.3/"),
        *("http://\uff11\uff12\uff17.0.0.1/", "http://[::1%25lo]/", "http://[fe80::1%lo]/"),
        *("http://[::1", "http://::1/", "http://[127.0.0.1]/", "http://[::1]x/", "http://[v1.a]/"),
        *("http://example.org:99999/", "http://example.org:-1/", "http://example.org:0/"),
        *(
            "http://example.org:80:81/",
            "http://example.org:\u0668\u0660/",
            "http://a..b/",
            "http://-/",
        ),
        *("http://example.org/" + "x" * 5000, "http://" + "a" * 300 + ".org/", "http://a,b/"),
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ToolRetry):
        parse_url(url)


_HOST_PARTS = st.sampled_from(
    [
        *("example.org", "127.0.0.1", "[::1]", "0x7f.1", "2130706433", "a", "user:pw", "", "xn--a"),
        *("@", ":", ":80", ":8080", "\\", "/", "//", "?", "#", "%40", "%2f", ".", "..", "[", "]"),
        *("é", "。", "\t", " ", "&", ";", ",", "=", "'", "\uff5e"),
    ]
)


@given(st.lists(_HOST_PARTS, max_size=7).map("".join) | st.text(max_size=20))
def test_two_parsers_agree_on_the_host_of_every_url_that_is_accepted(rest: str) -> None:
    try:
        parsed = parse_url(f"http://{rest}")
    except ToolRetry:
        return
    for text in {str(parsed), f"http://{rest}" if rest.isascii() else str(parsed)}:
        other = urlsplit(text)
        assert (other.hostname or "").removesuffix(".") == host_of(parsed)
        assert (other.port or 80) == port_of(parsed)
        assert not other.username


async def resolver_double(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@given(st.lists(_HOST_PARTS, max_size=7).map("".join))
async def test_no_url_leads_inside_though_every_host_is_allowed(rest: str) -> None:
    """Names are all at 127.0.0.1 here, so only public addresses may pass."""
    try:
        target = await admit(parse_url(f"http://{rest}"), ("*", "*:8080"), resolver_double)
    except (ToolRetry, ToolFailed):
        return
    assert all(is_public(address) for address in target.addresses)


async def test_an_address_named_by_a_person_may_be_private() -> None:
    target = await admit(parse_url("http://10.0.0.5:8080/"), ("10.0.0.5:8080",), resolver_double)
    assert target.addresses == ["10.0.0.5"]


async def test_a_refusal_names_the_host_the_list_and_the_way_out() -> None:
    with pytest.raises(ToolFailed) as refusal:
        await admit(parse_url("https://example.org/"), ("a.test", "*.b.test"), resolver_double)
    for words in ("'example.org'", "a.test, *.b.test", "the member's `allowed_hosts`"):
        assert words in str(refusal.value)
