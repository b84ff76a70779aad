"""The local model as LangChain sees it: a chat model with tool calls, inside this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from orchestrator.model.local_engine import Chunk, Shape, engine_of
from orchestrator.model.local_policy import (
    Choose,
    Say,
    ToolUse,
    conclude,
    is_repeat,
    next_step,
)
from orchestrator.model.local_prompt import (
    ANSWER,
    WORDS,
    Choice,
    LocalTool,
    Schema,
    Turn,
    asking_to_answer,
    asking_to_choose,
    choice_schema,
    fitted,
    output_schema,
    parse_choice,
    turns,
)

_SEED = 7


class LocalChat(BaseChatModel):
    """A GGUF file that chooses one tool, looks at its result and answers.

    Calls are constrained to the schemas of the tools bound, so they always parse.
    """

    weights: Path
    max_tokens: int = 1024
    """Of one reply."""
    timeout_seconds: float = 600
    """For one reply, once it is its turn."""
    examples: bool = True
    """Show examples for the tools bound."""

    constrainable: ClassVar[bool] = True
    """Takes `response_format` with a JSON schema."""
    window: ClassVar[int] = 8192
    """Tokens of a request and its reply."""

    @property
    def _llm_type(self) -> str:
        return "local"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        bound = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=bound, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, self._agenerate(messages, stop, **kwargs)).result()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | dict[str, Any] | bool | None = None,
        response_format: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        bound = [LocalTool.of(tool) for tool in tools]
        use, allowed = _tool_use(tool_choice, bound)
        schema = _wanted_schema(response_format)
        made = turns(messages, bound, examples=self.examples)
        tally = _Tally()

        step = next_step(messages, [tool.name for tool in allowed], use)
        if isinstance(step, Choose):
            offered = [tool for tool in allowed if tool.name in step.tools]
            asked = asking_to_choose(made, messages)
            shape = choice_schema(offered, answer=step.answer)
            text = ""
            async with aclosing(self._pieces(asked, shape, stop, tally)) as pieces:
                async for piece in pieces:
                    text += piece
                    yield _text_chunk("")
            choice = parse_choice(text)
            if choice.tool != ANSWER and not is_repeat(choice.tool, choice.arguments, messages):
                yield _call_chunk(choice, messages)
                cut_off = choice.arguments is None
                yield tally.last_chunk(tally.ending if cut_off else "tool_calls")
                return
            step = conclude(messages)
        if isinstance(step, Say):
            yield _text_chunk(step.text)
        else:
            asked = made if schema else asking_to_answer(made, messages, tools=bool(bound))
            words = WORDS if bound else None
            async with aclosing(self._pieces(asked, schema or words, stop, tally)) as pieces:
                async for piece in pieces:
                    yield _text_chunk(piece)
        yield tally.last_chunk(tally.ending)

    async def _pieces(
        self, asked: Sequence[Turn], shape: Shape | None, stop: list[str] | None, tally: _Tally
    ) -> AsyncGenerator[str]:
        """The text of one completion as it comes, with empty pieces as signs of life; what it cost
        goes into the tally.
        """
        request: dict[str, Any] = {
            "messages": fitted(asked, self.window - self.max_tokens),
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "seed": _SEED,
            "chat_template_kwargs": {"enable_thinking": False},
        }
        if stop:
            request["stop"] = stop
        engine = engine_of(self.weights, self.window)
        stream = engine.stream(request, shape=shape, timeout_seconds=self.timeout_seconds)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                tally.add(chunk)
                deltas = [choice["delta"] for choice in chunk.get("choices", ())]
                yield "".join(delta.get("content") or "" for delta in deltas)


class _Tally:
    """What the completions behind one reply cost, and how the last one ended."""

    def __init__(self) -> None:
        self.ending = "stop"
        self._input = self._output = self._cached = 0

    def add(self, chunk: Chunk) -> None:
        for choice in chunk.get("choices", ()):
            self.ending = choice.get("finish_reason") or self.ending
        if usage := chunk.get("usage"):
            self._input += usage["prompt_tokens"]
            self._output += usage["completion_tokens"]
            self._cached += usage["prompt_tokens_details"]["cached_tokens"]

    def last_chunk(self, ending: str) -> ChatGenerationChunk:
        usage = UsageMetadata(
            input_tokens=self._input,
            output_tokens=self._output,
            total_tokens=self._input + self._output,
            input_token_details={"cache_read": self._cached},
        )
        message = AIMessageChunk(
            content="",
            usage_metadata=usage,
            response_metadata={"finish_reason": ending},
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message)


def _tool_use(
    choice: str | dict[str, Any] | bool | None, bound: Sequence[LocalTool]
) -> tuple[ToolUse, Sequence[LocalTool]]:
    """LangChain's and OpenAI's ways to say which tools may, must or must not be called."""
    match choice:
        case None | False | "auto":
            return "auto", bound
        case "none":
            return "none", bound
        case True | "any" | "required":
            return "required", bound
        case {"function": {"name": name}} | str(name):
            return "required", [tool for tool in bound if tool.name == name]
        case _:
            raise ValueError(f"unknown tool choice {choice!r}")


def _wanted_schema(response_format: Mapping[str, Any] | None) -> Schema | None:
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return output_schema(schema)
        case {"type": "json_object"}:
            return {"type": "object"}
        case _:
            return None


def _text_chunk(text: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text))


def _call_chunk(choice: Choice, messages: Sequence[BaseMessage]) -> ChatGenerationChunk:
    chunk = tool_call_chunk(name=choice.tool, args=choice.text, id=_new_id(messages), index=0)
    return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[chunk]))


def _new_id(messages: Sequence[BaseMessage]) -> str:
    """The same for the same conversation, and no other call's in it."""
    taken = {
        call["id"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    number = len(taken) + 1
    while f"call_{number}" in taken:
        number += 1
    return f"call_{number}"
