from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.home import Home
from orchestrator.sandbox import SandboxConfig, open_sandbox
from orchestrator.tool.base import ToolContext, ToolResult
from orchestrator.tool.builtin.web import WebSearch
from orchestrator.tool.builtin.web.search import WebSearchArguments
from tests.tool.builtin.site_double import SiteDouble, answer, redirect

FOUND = {
    "results": [
        {
            "title": "Oats &amp; rye",
            "url": "https://grain.example/",
            "content": "All\n about <b>oats</b>. " * 50,
        },
        {"title": None, "url": "https://second.example/"},
        {"title": "nowhere", "url": "javascript:alert(1)"},
        "not a result",
    ]
}


def as_json(data: Any, status: str = "200 OK") -> bytes:
    return answer(json.dumps(data), "application/json", status=status)


@pytest.fixture
async def site() -> AsyncIterator[SiteDouble]:
    """Stands for whichever search service a test asks."""
    async with SiteDouble() as site:
        yield site


@pytest.fixture
def context(home: Home) -> ToolContext:
    sandbox = open_sandbox(SandboxConfig(isolation="none"), home.profile("desk", "clerk"))
    return ToolContext("desk/clerk", "r1", "r1", sandbox)


async def search(context: ToolContext, site: SiteDouble) -> ToolResult:
    tool = WebSearch(tavily=site.url("/tavily"), brave=site.url("/brave"))
    return await tool.run(WebSearchArguments(query="oats & rye"), context)


async def test_without_a_service_the_ways_to_get_one_are_named(context: ToolContext) -> None:
    with pytest.raises(ToolFailed) as refusal:
        await WebSearch().run(WebSearchArguments(query="oats"), context)
    for words in ("searxng_url", "TAVILY_API_KEY", "BRAVE_API_KEY"):
        assert words in str(refusal.value)


@pytest.mark.parametrize("path", ["", "/", "/search"])
async def test_searxng_is_asked_for_json(site: SiteDouble, context: ToolContext, path: str) -> None:
    site.answers["/search"] = as_json(FOUND)
    result = await search(replace(context, search_url=site.url(path)), site)
    assert "GET /search?q=oats+%26+rye&format=json HTTP/1.1" in site.requests[0]
    assert result.text.startswith("1. Oats & rye\n   https://grain.example/\n   All about oats.")
    assert "2. https://second.example/" in result.text
    assert "javascript" not in result.text
    assert [hit["url"] for hit in result.data["results"]] == [
        "https://grain.example/",
        "https://second.example/",
    ]
    assert len(result.data["results"][0]["snippet"]) <= 300


async def test_tavily_gets_the_key_in_its_header(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/tavily"] = as_json(FOUND)
    result = await search(replace(context, secrets={"TAVILY_API_KEY": "tvly-secret"}), site)
    assert "POST /tavily" in site.requests[0]
    assert "authorization: bearer tvly-secret" in site.requests[0].lower()
    assert json.loads(site.bodies[0])["query"] == "oats & rye"
    assert "https://grain.example/" in result.text
    assert "tvly-secret" not in result.text


async def test_brave_gets_the_key_in_its_header(site: SiteDouble, context: ToolContext) -> None:
    site.answers["/brave"] = as_json(
        {"web": {"results": [{"title": "T", "url": "http://a.b/", "description": "<strong>x"}]}}
    )
    result = await search(replace(context, secrets={"BRAVE_API_KEY": "bsa-secret"}), site)
    assert "GET /brave?q=oats+%26+rye&count=6" in site.requests[0]
    assert "x-subscription-token: bsa-secret" in site.requests[0].lower()
    assert result.text == "1. T\n   http://a.b/\n   x"


async def test_the_persons_own_server_comes_before_a_paid_service(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/search"] = as_json(FOUND)
    await search(replace(context, search_url=site.url(), secrets={"BRAVE_API_KEY": "k"}), site)
    assert [request.split("?")[0] for request in site.requests] == ["GET /search"]


@pytest.mark.parametrize("body", [{"results": []}, {}, {"results": None}, {"results": {"a": 1}}])
async def test_finding_nothing_is_empty(
    site: SiteDouble, context: ToolContext, body: dict[str, Any]
) -> None:
    site.answers["/search"] = as_json(body)
    result = await search(replace(context, search_url=site.url()), site)
    assert result.empty
    assert result.text.startswith("(empty)")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (as_json({}, "403 Forbidden"), "search.formats"),
        (as_json({}, "429 Too Many Requests"), "limit is used up"),
        (as_json({}, "500 Oops"), "answered 500"),
        (answer("<html>"), "JSON"),
        (answer("[1]", "application/json"), "JSON"),
        (answer("x" * 3_000_000, "application/json"), "JSON"),
        (redirect("http://elsewhere.example/"), "answered 302"),
        (b"nonsense", "cannot be reached"),
    ],
)
async def test_what_a_server_does_wrong_is_told(
    site: SiteDouble, context: ToolContext, said: bytes, words: str
) -> None:
    site.answers["/search"] = said
    with pytest.raises(ToolFailed, match=words):
        await search(replace(context, search_url=site.url()), site)


@pytest.mark.parametrize("key", ["TAVILY_API_KEY", "BRAVE_API_KEY"])
async def test_a_wrong_key_is_named_but_not_shown(
    site: SiteDouble, context: ToolContext, key: str
) -> None:
    site.answers["/tavily"] = site.answers["/brave"] = as_json({}, "401 Unauthorized")
    with pytest.raises(ToolFailed, match=key) as refusal:
        await search(replace(context, secrets={key: "wrong-key"}), site)
    assert "wrong-key" not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "not a url", "ftp://x/", "http://[::1"])
async def test_a_server_that_cannot_be_reached_is_named(
    site: SiteDouble, context: ToolContext, url: str
) -> None:
    with pytest.raises(ToolFailed, match="cannot be reached"):
        await search(replace(context, search_url=url), site)


async def test_a_blank_query_is_refused_and_a_long_one_cut(
    site: SiteDouble, context: ToolContext
) -> None:
    site.answers["/search"] = as_json(FOUND)
    context = replace(context, search_url=site.url())
    with pytest.raises(ToolRetry):
        await WebSearch().run(WebSearchArguments(query=" "), context)
    await WebSearch().run(WebSearchArguments(query="x" * 1000), context)
    assert f"q={'x' * 400}&" in site.requests[0]
