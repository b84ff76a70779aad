"""Models behind Anthropic's wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import cached_property
from typing import Any

from orchestrator.errors import MissingExtraError
from orchestrator.model.failures import ProviderFault, fault_from_response, plain
from orchestrator.model.providers import Opening
from orchestrator.model.wire import only_blocks, root_cause, trust

try:
    import anthropic
    import httpx2
    from langchain_anthropic import ChatAnthropic
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk
    from langchain_core.runnables import Runnable
    from pydantic import SecretStr
except ModuleNotFoundError as error:
    raise MissingExtraError("the provider 'anthropic'", "anthropic") from error

_NEVER_FORCED = ("claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5")
"""Models that refuse a `tool_choice` which forces a call."""


class AnthropicChat(ChatAnthropic):
    """ChatAnthropic with a client of its own, which fails in our words."""

    connect: float = 10

    async def aclose(self) -> None:
        if "_async_client" in self.__dict__:
            await self._async_client.close()

    @cached_property
    def _async_client(self) -> anthropic.AsyncAnthropic:
        timeout = anthropic.Timeout(self.default_request_timeout, connect=self.connect)
        return anthropic.AsyncAnthropic(
            api_key=self.anthropic_api_key.get_secret_value(),
            base_url=self.anthropic_api_url,
            max_retries=0,
            timeout=timeout,
            http_client=anthropic.DefaultAsyncHttpxClient(verify=trust(), timeout=timeout),
        )

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: dict[str, str] | str | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        if tool_choice == "none":
            tool_choice = {"type": "none"}
        elif tool_choice == "any" and self.model.startswith(_NEVER_FORCED):
            tool_choice = "auto"
        parent: Any = super()
        return parent.bind_tools(
            tools,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            strict=strict,
            **kwargs,
        )

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        kept = only_blocks(messages, ("text", "thinking", "redacted_thinking", "tool_use"))
        # One breakpoint at the end of the prompt: the next call of a loop reads it from the cache.
        asked: dict[str, Any] = {"cache_control": {"type": "ephemeral"}, **kwargs}
        stream: Any = super()._astream(kept, stop, run_manager, **asked)
        try:
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    yield chunk
        except anthropic.APIError as error:
            raise self._fault(error) from None
        except httpx2.TransportError as error:
            raise ProviderFault(plain(f"the stream broke: {error!r}", self._secret)) from None

    @property
    def _secret(self) -> str:
        return self.anthropic_api_key.get_secret_value()

    def _fault(self, error: anthropic.APIError) -> ProviderFault:
        if isinstance(error, anthropic.APITimeoutError):
            return ProviderFault("no answer in time")
        if isinstance(error, anthropic.APIConnectionError):
            return ProviderFault(plain(f"no connection: {root_cause(error)}", self._secret))
        response = error.response if isinstance(error, anthropic.APIStatusError) else None
        return fault_from_response(
            response.status_code if response else None,
            error.body,
            response.headers if response else {},
            fallback=error.message,
            secret=self._secret,
        )


def anthropic_model(opening: Opening) -> AnthropicChat:
    """A model of Anthropic, or of a server that speaks its messages format."""
    return AnthropicChat(
        model_name=opening.spec.model,
        api_key=SecretStr(opening.key),
        base_url=opening.address,
        max_retries=0,
        timeout=opening.patience.first_chunk,
        stop=None,
        connect=opening.patience.connect,
    )
