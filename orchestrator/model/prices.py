"""What models cost and how much they can read, from the dated table `prices.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.model.base import ModelSpec, Usage
from orchestrator.model.providers import is_loopback

_MILLION = 6
"""Prices are per million tokens: ten to the power of six."""

_USUAL_WINDOWS = {
    "ollama": 4_096,
    "lmstudio": 4_096,
    "llamacpp": 4_096,
    "vllm": 32_768,
    "custom": 32_768,
    "local": 8_192,
}
"""Tokens, where neither the table nor the person says it: the servers' own defaults on a small
machine. Some of them silently drop what is beyond.
"""

_USUAL_WINDOW = 128_000


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal
    written: Decimal
    above: int | None = None
    """Input tokens above which `long` holds for the whole request."""
    long: Price | None = None

    def cost(self, usage: Usage, written: int = 0) -> Decimal:
        """US dollars; `written` of the input tokens went into the provider's cache."""
        if self.long is not None and self.above is not None and usage.input > self.above:
            return self.long.cost(usage, written)
        fresh = max(0, usage.input - usage.cached - written)
        total = (
            fresh * self.input
            + usage.cached * self.cached
            + written * self.written
            + usage.output * self.output
        )
        return total.scaleb(-_MILLION)


FREE = Price(Decimal(0), Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True)
class _Entry:
    window: int
    price: Price | None


@dataclass(frozen=True)
class _Table:
    models: Mapping[str, _Entry]
    """`provider/model`."""
    checked: Mapping[str, date]
    source: Mapping[str, str]


def price_of(spec: ModelSpec, base_url: str | None = None) -> Price | None:
    """The price; FREE where calls are known to cost nothing, None where it is unknown."""
    match spec.provider:
        case "local" | "rehearsal":
            return FREE
        case "ollama" if spec.model.endswith("cloud"):
            return None
        case "ollama" | "lmstudio" | "llamacpp" | "vllm" | "custom":
            return FREE if is_loopback(base_url) else None
        case _:
            entry = _entry(spec)
            return entry.price if entry else None


def window_of(spec: ModelSpec, credentials: Mapping[str, str]) -> int:
    """Context window in tokens; `OLLAMA_CONTEXT_LENGTH`, `CUSTOM_CONTEXT_LENGTH` and their like say
    it for servers of one's own.
    """
    told = credentials.get(f"{spec.provider.upper()}_CONTEXT_LENGTH", "")
    if told.isdecimal() and int(told) > 0 and spec.provider != "local":
        return int(told)
    entry = _entry(spec)
    return entry.window if entry else _USUAL_WINDOWS.get(spec.provider, _USUAL_WINDOW)


def checked(spec: ModelSpec) -> tuple[date, str] | None:
    """When the model's price was looked up, and where; None when it is not in the table."""
    maker, model = _maker(spec)
    table = _table()
    known = f"{maker}/{model}" in table.models
    return (table.checked[maker], table.source[maker]) if known else None


def _entry(spec: ModelSpec) -> _Entry | None:
    return _table().models.get("/".join(_maker(spec)))


def _maker(spec: ModelSpec) -> tuple[str, str]:
    """Under which names the table lists it: without a date, and by its maker behind OpenRouter."""
    maker, model = spec.provider, re.sub(r"[-@](20\d{6}|20\d\d-\d\d-\d\d)$", "", spec.model)
    if maker == "openrouter":
        maker, _, model = model.partition("/")
        if maker == "anthropic":
            model = model.replace(".", "-")
    return maker, model


@cache
def _table() -> _Table:
    text = Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    return _Table(
        {
            f"{provider}/{model}": _Entry(line["window"], _price(line))
            for provider, part in data.items()
            for model, line in part["models"].items()
        },
        {provider: part["checked"] for provider, part in data.items()},
        {provider: part["source"] for provider, part in data.items()},
    )


def _price(line: Mapping[str, Any]) -> Price | None:
    if "input" not in line:
        return None
    usual, long = Decimal(line["input"]), line.get("long")
    return Price(
        input=usual,
        output=Decimal(line["output"]),
        cached=Decimal(line.get("cached", usual)),
        written=Decimal(line.get("written", usual)),
        above=long["above"] if long else None,
        long=_price(long) if long else None,
    )
