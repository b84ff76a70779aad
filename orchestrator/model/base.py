"""What the rest of Retinue knows of a model: bind tools once, call it, get one reply with its usage
and price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # langchain takes a third of a second to import
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.messages.tool import ToolCall


@dataclass(frozen=True)
class ModelSpec:
    """`provider/model`, e.g. `openai/gpt-5-mini`; a bare provider leaves the model to the
    provider's default.
    """

    provider: str
    model: str = ""

    @classmethod
    def parse(cls, text: str) -> ModelSpec:
        provider, _, model = text.strip().partition("/")
        return cls(provider, model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True)
class ToolSchema:
    """A tool as a model sees it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """Tokens of one call; `input` includes the cached ones, `output` the reasoning."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    message: AIMessage
    """Text and tool calls; `tool_calls` holds only calls whose arguments parsed,
    `invalid_tool_calls` the others.
    """
    model: str
    """The `provider/model` that answered, which may be a fallback."""
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    """None where the price is unknown; 0 only where the model is known to cost nothing."""
    attempts: int = 1

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        return self.message.tool_calls


@dataclass(frozen=True)
class Delta:
    """A piece of a reply as it streams in; one of the three is set, or `restart`."""

    text: str = ""
    reasoning: str = ""
    tool_arguments: str = ""
    tool: str = ""
    """Name of the tool whose arguments stream in."""
    restart: bool = False
    """The stream broke and the reply begins again: what streamed in of it before is void."""


DeltaWatcher = Callable[[Delta], None]


@dataclass(frozen=True)
class PlannedCall:
    """A model call about to be made, as a meter sees it."""

    run: str
    address: str
    """`team/profile` on whose account the call goes."""
    model: str
    estimated_input: int
    """Tokens, estimated."""


class Meter(Protocol):
    """Asked before and during every model call, told after it; LimitReached stops the run."""

    def before(self, call: PlannedCall) -> None: ...

    def during(self, call: PlannedCall, output_so_far: int) -> None:
        """Called while the reply streams in; `output_so_far` is an estimate in tokens."""
        ...

    def after(self, call: PlannedCall, reply: Reply) -> None:
        """Called with the reply, and before that with each one that broke off: what had come of it
        is paid for too.
        """
        ...


@dataclass(frozen=True)
class Account:
    """On whose account a call goes, and who watches the spending."""

    run: str
    address: str
    """`team/profile`."""
    meter: Meter


class BoundModel(Protocol):
    """A model with its tools bound, once."""

    async def call(
        self,
        messages: Sequence[BaseMessage],
        *,
        on_delta: DeltaWatcher | None = None,
        tool_choice: Literal["auto", "none", "required"] = "auto",
        output: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> Reply:
        """One reply, after retries and fallbacks.

        `output` is a JSON schema the text must fulfil when no tool is called; a model that can be
        constrained is held to it, the others are merely asked by the prompt.

        Raises ModelRefusedError (key, credit, unknown model; only when no fallback is left) and
        ModelUnavailable.
        """
        ...


class Model(Protocol):
    """A model, or a chain of them where the next one serves when the one before cannot."""

    @property
    def name(self) -> str:
        """`provider/model` of the first in the chain."""
        ...

    @property
    def window(self) -> int:
        """Context window in tokens."""
        ...

    @property
    def rehearsal(self) -> bool:
        """True when answers come from a script, not from a model."""
        ...

    def bind(self, tools: Sequence[ToolSchema]) -> BoundModel: ...


@dataclass(frozen=True)
class ModelFound:
    """Which model serves when none was named, and why."""

    spec: ModelSpec
    how: str
    """e.g. `OPENAI_API_KEY in the environment` or `Ollama at 127.0.0.1:11434`."""
    base_url: str | None = None
    spends: bool = field(default=False)
    """True when calls cost the person money."""
