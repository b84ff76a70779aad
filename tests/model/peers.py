"""A model in front of a double, for every wire format."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.model import Delta, ModelChain, Patience, ToolSchema, open_model
from orchestrator.settings import Settings
from tests.model.servers import Act, AnthropicDouble, OpenAIDouble, Request

KEY = "sk-test-0123456789abcdef"

WEATHER = ToolSchema(
    "weather",
    "Weather of a place.",
    {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)


@dataclass(frozen=True)
class Wire:
    """A provider whose models speak one wire format."""

    spec: str
    double: type[OpenAIDouble | AnthropicDouble]
    variable: str

    def credentials(self, base_url: str) -> Mapping[str, str]:
        return {f"{self.variable}_API_KEY": KEY, f"{self.variable}_BASE_URL": base_url}


CHAT = Wire("openai/gpt-4.1-mini", OpenAIDouble, "OPENAI")
RESPONSES = Wire("openai/gpt-6.1-terra", OpenAIDouble, "OPENAI")
COMPATIBLE = Wire("custom/anything", OpenAIDouble, "CUSTOM")
ANTHROPIC = Wire("anthropic/claude-sonnet-5-5", AnthropicDouble, "ANTHROPIC")

WIRES = {"chat": CHAT, "responses": RESPONSES, "compatible": COMPATIBLE, "anthropic": ANTHROPIC}


class Naps:
    """Waits for nothing, and notes how long it would have waited."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@dataclass
class Peer:
    model: ModelChain
    double: OpenAIDouble | AnthropicDouble
    naps: Naps
    deltas: list[Delta] = field(default_factory=list[Delta])

    @property
    def streamed(self) -> str:
        return "".join(delta.text for delta in self.deltas)


@asynccontextmanager
async def serving(
    wire: Wire,
    acts: Act | Iterable[Act] | Callable[[Request], Act],
    *,
    fallbacks: Sequence[str] = (),
    credentials: Mapping[str, str] | None = None,
    first_chunk: float = 30,
    idle: float = 30,
) -> AsyncGenerator[Peer]:
    """The wire's model in front of a double that plays the acts."""
    naps = Naps()
    async with (
        wire.double(acts) as double,
        open_model(
            [wire.spec, *fallbacks],
            credentials={**wire.credentials(double.base_url), **(credentials or {})},
            settings=Settings(),
            cache=Path("/nonexistent"),
            profile="analyst",
            patience=Patience(
                sleep=naps, chance=lambda: 1, first_chunk=first_chunk, idle=idle, connect=5
            ),
        ) as model,
    ):
        yield Peer(model, double, naps)
