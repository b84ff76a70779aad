"""Who serves models: under which name, where, with which key, and which model by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from orchestrator.errors import NotFoundError, PersonError
from orchestrator.model.base import ModelSpec
from orchestrator.model.patience import Patience
from orchestrator.registry import Registry
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

PROVIDERS = Registry(
    "model provider",
    "retinue.models",
    {
        "openai": "orchestrator.model.openai_wire:openai_model",
        "anthropic": "orchestrator.model.anthropic_wire:anthropic_model",
        "openrouter": "orchestrator.model.openai_wire:compatible_model",
        "nous": "orchestrator.model.openai_wire:compatible_model",
        "ollama": "orchestrator.model.openai_wire:compatible_model",
        "lmstudio": "orchestrator.model.openai_wire:compatible_model",
        "llamacpp": "orchestrator.model.openai_wire:compatible_model",
        "vllm": "orchestrator.model.openai_wire:compatible_model",
        "custom": "orchestrator.model.openai_wire:compatible_model",
        "local": "orchestrator.model.embedded:local_model",
        "rehearsal": "orchestrator.model.rehearsal:rehearsal_model",
    },
)
"""Provider name to Builder."""


@dataclass(frozen=True)
class Provider:
    """What is known of a provider before it is asked."""

    name: str
    title: str
    key: str | None = None
    """Variable that holds the key."""
    base_url: str | None = None
    base_url_key: str | None = None
    """Variable that replaces the base URL."""
    model: str = ""
    """Model when only the provider is named."""
    keyless: bool = False
    """Works without a key."""


def _loopback(name: str, title: str, port: int) -> Provider:
    """A server people run on their own machine."""
    variable = name.upper()
    return Provider(
        name,
        title,
        f"{variable}_API_KEY",
        f"http://127.0.0.1:{port}/v1",
        f"{variable}_BASE_URL",
        keyless=True,
    )


_KNOWN = (
    Provider(
        "openai",
        "OpenAI",
        "OPENAI_API_KEY",
        "https://api.openai.com/v1",
        "OPENAI_BASE_URL",
        "gpt-6.1-terra",
    ),
    Provider(
        "anthropic",
        "Anthropic",
        "ANTHROPIC_API_KEY",
        "https://api.anthropic.com",
        "ANTHROPIC_BASE_URL",
        "claude-sonnet-5-5",
    ),
    Provider(
        "openrouter",
        "OpenRouter",
        "OPENROUTER_API_KEY",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_BASE_URL",
        "openai/gpt-6.1-terra",
    ),
    Provider(
        "nous",
        "Nous Portal",
        "NOUS_API_KEY",
        "https://inference-api.nousresearch.com/v1",
        "NOUS_BASE_URL",
        "nousresearch/hermes-4-405b",
    ),
    _loopback("ollama", "Ollama", 11434),
    _loopback("lmstudio", "LM Studio", 1234),
    _loopback("llamacpp", "llama.cpp", 8080),
    _loopback("vllm", "vLLM", 8000),
    Provider(
        "custom",
        "the custom server",
        "CUSTOM_API_KEY",
        base_url_key="CUSTOM_BASE_URL",
        keyless=True,
    ),
    Provider("local", "the local model", keyless=True),
    Provider("rehearsal", "the rehearsal", keyless=True),
)

_NAMELESS = ("local", "rehearsal")
"""Providers whose model needs no name."""


def provider_named(name: str) -> Provider:
    """The provider; raises NotFoundError with near names."""
    known = next((provider for provider in _KNOWN if provider.name == name), None)
    if known is not None:
        return known
    if name not in PROVIDERS:
        hint = "a model is named provider/model, e.g. openai/gpt-6.1-terra"
        raise NotFoundError("model provider", name, PROVIDERS, hint)
    return Provider(name, name, f"{name.upper()}_API_KEY", base_url_key=f"{name.upper()}_BASE_URL")


@dataclass(frozen=True)
class Opening:
    """What a builder is given to make a model of."""

    spec: ModelSpec
    provider: Provider
    credentials: Mapping[str, str] = field(repr=False)
    base_url: str | None = field(repr=False)
    """May hold a password; `presentable` takes it out."""
    cache: Path
    profile: str
    rehearsal: Path | None
    """The script that the provider `rehearsal` plays."""
    patience: Patience

    @property
    def key(self) -> str:
        """The key; empty for a provider that needs none. Raises PersonError when it is missing."""
        variable = self.provider.key or ""
        key = self.credentials.get(variable, "").strip()
        if not key and not self.provider.keyless:
            raise PersonError(
                f"{self.provider.title} needs a key: set {variable} in the environment or in the "
                "profile's .env"
            )
        return key

    @property
    def address(self) -> str:
        """The base URL; raises PersonError when none is known."""
        if self.base_url is None:
            raise PersonError(
                f"{self.provider.title} needs a base URL: set custom_base_url in settings.yaml, or "
                f"{self.provider.base_url_key} in the environment"
            )
        return self.base_url


Builder = Callable[[Opening], "BaseChatModel"]
"""Makes the model of an opening; may import what is heavy, and raise PersonError.

Its `_astream` is what is called: the last chunk says why the reply ended (`finish_reason`,
`stop_reason`, `status` or `chunk_position`), and what fails on the way is a ProviderFault. A model
with `constrainable = True` takes `response_format` (a JSON schema). One with a coroutine method
`aclose` has it called in the end.
"""


def complete(spec: ModelSpec) -> ModelSpec:
    """The spec with the provider's default model filled in.

    Raises NotFoundError (no such provider) and PersonError (no model named, and none by default).
    """
    provider = provider_named(spec.provider)
    if spec.model or spec.provider in _NAMELESS:
        return spec
    if not provider.model:
        raise PersonError(f"{provider.title} needs a model: write {spec.provider}/MODEL")
    return ModelSpec(spec.provider, provider.model)


def base_url_of(
    provider: Provider, credentials: Mapping[str, str], settings: Settings
) -> str | None:
    """Where the provider is reached: the credentials' word, the settings', the usual address."""
    chosen = credentials.get(provider.base_url_key or "", "").strip()
    if not chosen and provider.name == "custom":
        chosen = settings.custom_base_url or ""
    return chosen.rstrip("/") or provider.base_url


def is_loopback(base_url: str | None) -> bool:
    host = urlsplit(base_url or "").hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def presentable(base_url: str | None) -> str | None:
    """The base URL without the user and password it may hold."""
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
