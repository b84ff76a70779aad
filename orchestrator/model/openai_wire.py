"""Models behind OpenAI's wire formats: OpenAI itself and every server that speaks like it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import Any, cast

import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr, ValidationError

from orchestrator.model.failures import ProviderFault, fault_from_response, plain
from orchestrator.model.providers import Opening
from orchestrator.model.wire import only_blocks, root_cause, trust

_KEYLESS = "none"
"""Servers without keys get this one, since the SDK insists on one."""


class OpenAIChat(ChatOpenAI):
    """ChatOpenAI that also gives and takes back reasoning, and fails in our words."""

    async def aclose(self) -> None:
        await self.root_async_client.close()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        parent: Any = super(ChatOpenAI, self)
        ask = parent._astream_responses if self._speaks_responses(kwargs) else parent._astream
        details: list[dict[str, Any]] = []
        begun = False
        try:
            async with aclosing(ask(messages, stop, run_manager, **kwargs)) as stream:
                async for chunk in stream:
                    info: dict[str, Any] = chunk.generation_info or {}
                    details += info.pop("reasoning_details", ())
                    begun = True
                    yield chunk
        except openai.APIError as error:
            raise self._fault(error) from None
        except ValidationError as error:
            # langchain-openai fails on a completed response if a call's arguments are JSON but no
            # object; everything has streamed in by then.
            if not begun:
                raise ProviderFault(plain(str(error), self._secret)) from None
            yield ChatGenerationChunk(message=AIMessageChunk(content="", chunk_position="last"))
        except ValueError as error:
            # What langchain-openai makes of an error event in a stream of the Responses API.
            code, _, words = str(error).partition(": ")
            body = {"code": code, "message": words or code}
            raise fault_from_response(None, body, {}, fallback="", secret=self._secret) from None
        if details:
            thoughts = {"reasoning_details": merge_details(details)}
            yield ChatGenerationChunk(
                message=AIMessageChunk(content="", additional_kwargs=thoughts)
            )

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type,
        base_generation_info: dict[str, Any] | None,
    ) -> ChatGenerationChunk | None:
        delta: dict[str, Any] = {}
        if chunk.get("choices"):
            delta = chunk["choices"][0].get("delta") or {}
        for index, call in enumerate(delta.get("tool_calls") or ()):
            call.setdefault("index", index)
        parent: Any = super()
        made: ChatGenerationChunk | None = parent._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, base_generation_info
        )
        if made is None:
            return None
        for name in ("reasoning_content", "reasoning"):
            if delta.get(name):
                made.message.additional_kwargs[name] = delta[name]
        if delta.get("reasoning_details"):
            info: dict[str, Any] = made.generation_info or {}
            made.generation_info = info | {"reasoning_details": delta["reasoning_details"]}
        usage: dict[str, Any] = chunk.get("usage") or {}
        if usage.get("cost") is not None:
            made.message.response_metadata["cost_usd"] = str(usage["cost"])
        return made

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        messages = cast("Sequence[BaseMessage]", input_)
        parent: Any = super()
        if self._speaks_responses(kwargs):
            kept = only_blocks(messages, ("text", "refusal", "reasoning", "function_call"))
            return parent._get_request_payload(kept, stop=stop, **kwargs)
        kept = only_blocks(messages, ("text",))
        payload = parent._get_request_payload(kept, stop=stop, **kwargs)
        for message, sent in zip(_since_person(messages), payload["messages"][::-1], strict=False):
            sent.update(_thoughts_of(message))
        return payload

    def _speaks_responses(self, kwargs: dict[str, Any]) -> bool:
        """Whether the call goes to the Responses API rather than to chat completions."""
        this: Any = self
        return this._use_responses_api({**kwargs, **self.model_kwargs})

    @property
    def _secret(self) -> str:
        key = self.openai_api_key
        return key.get_secret_value() if isinstance(key, SecretStr) else ""

    def _fault(self, error: openai.APIError) -> ProviderFault:
        if isinstance(error, openai.APITimeoutError):
            return ProviderFault("no answer in time")
        if isinstance(error, openai.APIConnectionError):
            return ProviderFault(plain(f"no connection: {root_cause(error)}", self._secret))
        response = error.response if isinstance(error, openai.APIStatusError) else None
        return fault_from_response(
            response.status_code if response else None,
            error.body,
            response.headers if response else {},
            fallback=error.message,
            secret=self._secret,
        )


def openai_model(opening: Opening) -> OpenAIChat:
    """A model of OpenAI. Models since GPT-5.6 take tools on the Responses API only."""
    version = re.match(r"gpt-(\d+)(?:\.(\d+))?", opening.spec.model)
    newer = version is not None and (int(version[1]), int(version[2] or 0)) >= (5, 6)
    organization = opening.credentials.get("OPENAI_ORG_ID")
    return _chat(opening, responses=newer or None, organization=organization)


def compatible_model(opening: Opening) -> OpenAIChat:
    """A model of a server that speaks the chat completions format."""
    return _chat(opening, responses=False)


def _chat(
    opening: Opening, *, responses: bool | None, organization: str | None = None
) -> OpenAIChat:
    key = opening.key or _KEYLESS
    patience = opening.patience
    timeout = openai.Timeout(patience.first_chunk, connect=patience.connect)
    root = openai.AsyncOpenAI(
        api_key=key,
        base_url=opening.address,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAsyncHttpxClient(verify=trust(), timeout=timeout),
    )
    # The SDK takes these from the process, which belongs to no profile in particular.
    root.organization, root.project = organization, None
    return OpenAIChat(
        model=opening.spec.model,
        api_key=SecretStr(key),
        base_url=opening.address,
        max_retries=0,
        stream_usage=True,
        stream_chunk_timeout=None,
        use_responses_api=responses,
        root_async_client=root,
        async_client=root.chat.completions,
        client=root.chat.completions,
    )


def merge_details(pieces: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """OpenRouter's `reasoning_details` put together again: texts of one index are joined."""
    merged: list[dict[str, Any]] = []
    for piece in pieces:
        same = [d for d in merged if all(d.get(k) == piece.get(k) for k in ("index", "type"))]
        if not same or piece.get("index") is None:
            merged.append(dict(piece))
            continue
        for key, value in piece.items():
            if key in ("text", "summary", "data") and isinstance(value, str):
                same[0][key] = (same[0].get(key) or "") + value
            elif value is not None:
                same[0][key] = value
    return merged


def _since_person(messages: Sequence[BaseMessage]) -> Iterator[BaseMessage]:
    """What came after a person last spoke, latest first."""
    return takewhile(lambda message: not isinstance(message, HumanMessage), reversed(messages))


def _thoughts_of(message: BaseMessage) -> dict[str, Any]:
    """What the model thought before its tool calls, which some servers want to see again."""
    if not isinstance(message, AIMessage) or isinstance(message.content, str):
        return {}
    blocks = cast("list[str | dict[str, Any]]", message.content)
    for block in blocks:
        if isinstance(block, dict) and block.get("type") == "reasoning_content":
            return {key: value for key, value in block.items() if key != "type"}
    return {}
