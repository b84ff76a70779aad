"""`web_search`: asks the search service the person has set up."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from orchestrator.errors import ToolFailed, ToolRetry
from orchestrator.tool.base import Arguments, ToolContext, ToolResult
from orchestrator.tool.builtin.text import redacted
from orchestrator.tool.builtin.web.http import ask_json

_SECONDS = 20
_LONGEST_QUERY = 400
"""Characters; what the services take."""
_MOST_RESULTS = 6
_LONGEST_TITLE = 150
_LONGEST_SNIPPET = 300


class WebSearchArguments(Arguments):
    query: str


@dataclass(frozen=True)
class _Hit:
    title: str
    url: str
    snippet: str


class WebSearch:
    """Asks the person's SearXNG server, else Tavily or Brave when there is a key for it."""

    name: ClassVar[str] = "web_search"
    description: ClassVar[str] = "Search the web; gives titles, addresses and snippets."
    arguments: ClassVar[type[Arguments]] = WebSearchArguments
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        tavily: str = "https://api.tavily.com/search",
        brave: str = "https://api.search.brave.com/res/v1/web/search",
    ) -> None:
        self._tavily_url, self._brave_url = tavily, brave

    async def run(self, arguments: WebSearchArguments, context: ToolContext) -> ToolResult:
        """`data`: results, each with title, url and snippet. Raises ToolFailed."""
        query = " ".join(arguments.query.split())[:_LONGEST_QUERY]
        if not query:
            raise ToolRetry("the query is empty")
        seconds = min(context.timeout_seconds, _SECONDS)
        try:
            async with asyncio.timeout(seconds):
                hits = (await self._search(query, context))[:_MOST_RESULTS]
        except TimeoutError as error:
            raise ToolFailed(f"the search took longer than {seconds:g} s") from error
        data = {"results": [vars(hit) for hit in hits]}
        if not hits:
            return ToolResult(f"(empty) Nothing found for {query!r}.", data, empty=True)
        text = "\n".join(
            f"{number}. {hit.title}\n   {hit.url}\n   {hit.snippet}".rstrip()
            for number, hit in enumerate(hits, 1)
        )
        return ToolResult(redacted(text, context.secrets), data)

    async def _search(self, query: str, context: ToolContext) -> Sequence[_Hit]:
        if context.search_url:
            return await self._searxng(query, context.search_url)
        if key := context.secrets.get("TAVILY_API_KEY"):
            return await self._tavily(query, key)
        if key := context.secrets.get("BRAVE_API_KEY"):
            return await self._brave(query, key)
        raise ToolFailed(
            "web_search is not set up. A person can either name a SearXNG server (`searxng_url` in "
            "settings.yaml), or give TAVILY_API_KEY or BRAVE_API_KEY as a secret of this member"
        )

    async def _searxng(self, query: str, server: str) -> Sequence[_Hit]:
        url = server.rstrip("/").removesuffix("/search") + "/search"
        status, answer = await ask_json("GET", url, params={"q": query, "format": "json"})
        if status == 403:
            raise ToolFailed(
                f"{server} refuses JSON; its settings.yml must list `json` under `search.formats`"
            )
        return _hits(_checked(url, status, answer), "content")

    async def _tavily(self, query: str, key: str) -> Sequence[_Hit]:
        status, answer = await ask_json(
            "POST",
            self._tavily_url,
            headers={"Authorization": f"Bearer {key}"},
            body={"query": query, "max_results": _MOST_RESULTS},
        )
        return _hits(_checked("Tavily", status, answer, "TAVILY_API_KEY"), "content")

    async def _brave(self, query: str, key: str) -> Sequence[_Hit]:
        status, answer = await ask_json(
            "GET",
            self._brave_url,
            params={"q": query, "count": _MOST_RESULTS},
            headers={"X-Subscription-Token": key, "Accept": "application/json"},
        )
        found = _checked("Brave", status, answer, "BRAVE_API_KEY")
        return _hits(found.get("web") or {}, "description")


def _checked(service: str, status: int, answer: Any, key: str = "") -> Mapping[str, Any]:
    if status in (401, 403) and key:
        raise ToolFailed(f"{service} refuses the key in {key}; a person must give a valid one")
    if status in (402, 429, 432, 433):
        raise ToolFailed(f"{service} answered {status}: its limit is used up for now")
    if status != 200:
        raise ToolFailed(f"{service} answered {status}")
    if not isinstance(answer, dict):
        raise ToolFailed(f"{service} did not answer in JSON")
    return cast("dict[str, Any]", answer)


def _hits(answer: Mapping[str, Any], snippet: str) -> Sequence[_Hit]:
    """The results that lead somewhere; services mark words they found with tags."""
    results: Any = answer.get("results")
    found = cast("list[Any]", results) if isinstance(results, list) else []
    hits: list[_Hit] = []
    for result in found:
        if isinstance(result, dict):
            fields = cast("dict[str, Any]", result)
            url = str(fields.get("url") or "")
            if url.startswith(("http://", "https://")):
                title = _plain(fields.get("title"), _LONGEST_TITLE) or url
                hits.append(_Hit(title, url, _plain(fields.get(snippet), _LONGEST_SNIPPET)))
    return hits


def _plain(text: object, longest: int) -> str:
    bare = html.unescape(re.sub(r"<[^<>]*>", "", str(text or "")))
    line = " ".join(bare.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
