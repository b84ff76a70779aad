"""What `retinue model list` and `retinue model test` show."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from orchestrator.errors import PersonError, Unavailable
from orchestrator.model.base import Delta, ModelSpec, Usage
from orchestrator.model.chain import open_model
from orchestrator.model.patience import Patience
from orchestrator.model.prices import Price, checked, price_of, window_of
from orchestrator.model.providers import PROVIDERS, base_url_of, presentable, provider_named
from orchestrator.settings import Settings


@dataclass(frozen=True)
class ModelRow:
    """A provider, and the model it serves by default."""

    provider: str
    model: str
    """Empty where one has to be named, or none is needed."""
    key: str | None
    """Variable that holds the key; None: no key is needed."""
    key_present: bool
    base_url: str | None
    ready: bool
    """Nothing is missing to call it, as far as can be told without asking it."""
    missing: str
    """What is, in a few words; empty when ready."""
    window: int
    price: Price | None
    """US dollars per million tokens; None: unknown."""
    price_checked: date | None
    price_source: str | None


def list_models(
    *, environment: Mapping[str, str], settings: Settings, cache: Path
) -> Sequence[ModelRow]:
    """Every provider, sorted by name; asks nobody."""
    return [_row(name, environment, settings, cache) for name in PROVIDERS]


def _row(name: str, environment: Mapping[str, str], settings: Settings, cache: Path) -> ModelRow:
    provider = provider_named(name)
    spec = ModelSpec(name, provider.model)
    base_url = base_url_of(provider, environment, settings)
    key_present = bool(provider.key and environment.get(provider.key, "").strip())
    missing = ""
    if not key_present and not provider.keyless:
        missing = f"set {provider.key}"
    elif name == "custom" and base_url is None:
        missing = f"set custom_base_url in settings.yaml, or {provider.base_url_key}"
    elif name == "local":
        from orchestrator.model.weights import weights_path

        missing = "" if weights_path(cache) else "retinue model pull"
    when, source = checked(spec) or (None, None)
    return ModelRow(
        provider=name,
        model=provider.model,
        key=None if provider.keyless else provider.key,
        key_present=key_present,
        base_url=presentable(base_url),
        ready=not missing,
        missing=missing,
        window=window_of(spec, environment),
        price=price_of(spec, base_url),
        price_checked=when,
        price_source=source,
    )


@dataclass(frozen=True)
class ModelTest:
    """How a tiny real call went."""

    model: str
    ok: bool
    text: str = ""
    """What the model said."""
    first_seconds: float | None = None
    """Until the first piece of the reply."""
    seconds: float = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = None
    error: str = ""


async def test_model(
    spec: str,
    *,
    credentials: Mapping[str, str],
    settings: Settings,
    cache: Path,
    base_url: str | None,
) -> ModelTest:
    """Ask the model once for one word; what goes wrong is part of the result.

    `base_url` is where the model was found (ModelFound).
    """
    from langchain_core.messages import HumanMessage

    began = time.monotonic()
    first: float | None = None

    def on_delta(_: Delta) -> None:
        nonlocal first
        first = first or time.monotonic() - began

    try:
        async with open_model(
            [spec],
            credentials=credentials,
            settings=settings,
            cache=cache,
            profile="test",
            base_url=base_url,
            patience=Patience(attempts=1),
        ) as model:
            question = HumanMessage("Answer with the single word: ready")
            reply = await model.bind(()).call([question], on_delta=on_delta)
    except (PersonError, Unavailable) as error:
        return ModelTest(spec, False, seconds=time.monotonic() - began, error=str(error))
    return ModelTest(
        model=reply.model,
        ok=True,
        text=reply.text.strip(),
        first_seconds=first,
        seconds=time.monotonic() - began,
        usage=reply.usage,
        cost_usd=reply.cost_usd,
    )
