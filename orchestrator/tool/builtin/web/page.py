"""HTML to Markdown, run as a process of its own: a hostile page costs that process its life, not
ours.

HTML comes on stdin and the page's address as the argument; `title` and `markdown` leave as JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag
from markdownify import ATX, MarkdownConverter

_CPU_SECONDS = 10
_MEMORY_BYTES = 1 << 30
_DEEPEST = 20_000
"""Calls; old pages that never close a paragraph nest as deep as they are long."""

_NO_TEXT = (
    "script, style, noscript, template, nav, footer, iframe, svg, canvas, object, dialog,"
    "button, input, select, textarea, [hidden], [aria-hidden=true], [role=navigation]"
)
_ENOUGH_CHARACTERS = 200
"""A `main` or `article` with fewer is not the page's content."""


def to_markdown(html: str, base: str) -> tuple[str, str]:
    """Title and text; links stay, made absolute, images leave their description."""
    page = BeautifulSoup(html, "html.parser")
    title = page.title.get_text(" ", strip=True) if page.title else ""
    for element in page.select(_NO_TEXT):
        element.decompose()
    for image in page.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    for link in page.find_all("a"):
        _mend_link(link, base)
    return " ".join(title.split()), re.sub(r"\n\s*\n\s*\n", "\n\n", _text(_content(page))).strip()


def _mend_link(link: Tag, base: str) -> None:
    href = str(link.get("href") or "")
    try:
        target = urljoin(base, href)
    except ValueError:
        target = ""
    if href and not href.startswith("#") and target.startswith(("http://", "https://", "mailto:")):
        link.attrs = {"href": target}
    else:
        link.unwrap()


def _content(page: BeautifulSoup) -> Tag:
    for name in ("main", "article"):
        found = page.find(name)
        if found and len(found.get_text(strip=True)) >= _ENOUGH_CHARACTERS:
            return found
    return page.body or page


def _text(content: Tag) -> str:
    converter = MarkdownConverter(
        heading_style=ATX,
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
    )
    try:
        return str(converter.convert_soup(content))
    except RecursionError:
        return content.get_text("\n", strip=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sys.setrecursionlimit(_DEEPEST)
    title, markdown = to_markdown(sys.stdin.buffer.read().decode(), sys.argv[1])
    json.dump({"title": title, "markdown": markdown}, sys.stdout)
