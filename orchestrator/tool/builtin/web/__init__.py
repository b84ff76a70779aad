"""The web, from outside the sandbox: `web_fetch` reads a page, `web_search` finds some.

`access` decides where a member may go, `http` goes there, `page` turns HTML into Markdown.
"""

from orchestrator.tool.builtin.web.fetch import WebFetch
from orchestrator.tool.builtin.web.search import WebSearch

__all__ = ["WebFetch", "WebSearch"]
