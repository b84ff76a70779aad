"""A model and those that serve when it cannot: retries, fallbacks, usage, price, the meter."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from orchestrator.errors import ModelRefusedError, ModelUnavailable, PersonError, Unavailable
from orchestrator.model.base import (
    Account,
    Delta,
    DeltaWatcher,
    ModelSpec,
    PlannedCall,
    Reply,
    ToolSchema,
    Usage,
)
from orchestrator.model.estimate import tokens_of_bytes, tokens_of_messages
from orchestrator.model.failures import ProviderFault, explain
from orchestrator.model.patience import Patience
from orchestrator.model.prices import Price, price_of, window_of
from orchestrator.model.providers import (
    PROVIDERS,
    Builder,
    Opening,
    base_url_of,
    complete,
    presentable,
    provider_named,
)
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk

    from orchestrator.model.draft import Draft

_log = logging.getLogger(__name__)

ToolUse = Literal["auto", "none", "required"]


def open_model(
    specs: Sequence[str],
    *,
    credentials: Mapping[str, str],
    settings: Settings,
    cache: Path,
    profile: str,
    rehearsal: Path | None = None,
    base_url: str | None = None,
    patience: Patience | None = None,
) -> ModelChain:
    """The first of `specs`, with the others as fallbacks; nothing is imported or connected yet.

    `credentials` are the profile's own over the environment's. `base_url` is where the first is
    served, when it was found (ModelFound). Raises NotFoundError and PersonError for a spec that
    names no model.
    """
    if not specs:
        raise PersonError("no model is named")
    links: list[_Link] = []
    for text in specs:
        spec = complete(ModelSpec.parse(text))
        provider = provider_named(spec.provider)
        found = base_url if not links else None
        opening = Opening(
            spec=spec,
            provider=provider,
            credentials=credentials,
            base_url=found or base_url_of(provider, credentials, settings),
            cache=cache,
            profile=profile,
            rehearsal=rehearsal,
            patience=patience or _patience_for(spec),
        )
        links.append(_Link(opening))
    return ModelChain(links, window_of(links[0].opening.spec, credentials))


def _patience_for(spec: ModelSpec) -> Patience:
    """Calls of the local model wait for each other before they begin, and have their own limit."""
    return Patience(first_chunk=3600, idle=600) if spec.provider == "local" else Patience()


class _Link:
    """One model of a chain, made when it is first called."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.name = str(opening.spec)
        self.price: Price | None = price_of(opening.spec, opening.base_url)
        self._model: BaseChatModel | None = None
        self._lock = asyncio.Lock()

    async def model(self) -> BaseChatModel:
        """Raises PersonError: no key, no such extra, no weights."""
        async with self._lock:
            if self._model is None:
                self._model = await asyncio.to_thread(self._make)
            return self._model

    def _make(self) -> BaseChatModel:
        builder: Builder = PROVIDERS.load(self.opening.spec.provider)
        return builder(self.opening)

    async def aclose(self) -> None:
        close = getattr(self._model, "aclose", None)
        if close is not None:
            await close()

    def explain(self, fault: ProviderFault) -> str:
        opening = self.opening
        return explain(opening.provider, opening.spec, presentable(opening.base_url), fault)


class ModelChain:
    """Satisfies Model; an async context manager that closes its connections."""

    def __init__(self, links: Sequence[_Link], window: int) -> None:
        self._links = links
        self._window = window

    @property
    def name(self) -> str:
        return self._links[0].name

    @property
    def window(self) -> int:
        return self._window

    @property
    def rehearsal(self) -> bool:
        return self._links[0].opening.spec.provider == "rehearsal"

    def bind(self, tools: Sequence[ToolSchema]) -> BoundChain:
        return BoundChain(self._links, tools)

    async def aclose(self) -> None:
        for link in self._links:
            await link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class BoundChain:
    """Satisfies BoundModel."""

    def __init__(self, links: Sequence[_Link], tools: Sequence[ToolSchema]) -> None:
        self._links = links
        self._tools = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in tools
        ]
        self._tool_tokens = tokens_of_bytes(len(json.dumps(self._tools))) if tools else 0
        self._bindings: dict[tuple[str, ToolUse], Mapping[str, Any]] = {}

    async def call(
        self,
        messages: Sequence[BaseMessage],
        *,
        on_delta: DeltaWatcher | None = None,
        tool_choice: ToolUse = "auto",
        output: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> Reply:
        estimated_input = self._tool_tokens + tokens_of_messages(messages)
        asked = _Asked(list(messages), on_delta, tool_choice, output, account, estimated_input)
        asked.announce(self._links[0].name)
        reasons: list[str] = []
        final = True
        for link in self._links:
            try:
                return await self._persist(link, asked)
            except ProviderFault as fault:
                reasons.append(link.explain(fault))
                final = final and fault.final
            except PersonError as error:
                if len(self._links) == 1:
                    raise
                reasons.append(str(error))
            except Unavailable as error:
                reasons.append(f"{link.name}: {error}")
                final = False
            _log.warning("%s does not answer: %s", link.name, reasons[-1])
        told = "; ".join(reasons)
        if final:
            raise ModelRefusedError(told)
        raise ModelUnavailable(f"no model answers: {told}")

    async def _persist(self, link: _Link, asked: _Asked) -> Reply:
        """One model's reply, asking it again where that may help."""
        patience = link.opening.patience
        attempt = 0
        while True:
            attempt += 1
            asked.attempts += 1
            try:
                return await self._attempt(link, asked)
            except ProviderFault as fault:
                if fault.final or attempt >= patience.attempts:
                    raise
                wait = patience.wait(attempt, fault.retry_after)
                _log.info("%s: %s; asking again in %.1f s", link.name, fault, wait)
            await patience.sleep(wait)

    async def _attempt(self, link: _Link, asked: _Asked) -> Reply:
        """One request. What has streamed in is paid for, so the meter learns of it in any case."""
        from orchestrator.model.draft import Draft  # imports langchain

        model = await link.model()
        stream = self._stream(model, link, asked)
        draft = Draft()
        try:
            await _receive(stream, draft, asked, link.opening.patience)
            if not draft.finished:
                raise ProviderFault("the stream ended before the reply was complete")
        except BaseException:
            if draft.begun:
                asked.settle(asked.reply(link, draft))
            raise
        reply = asked.reply(link, draft)
        asked.settle(reply)
        return reply

    def _stream(
        self, model: BaseChatModel, link: _Link, asked: _Asked
    ) -> AsyncGenerator[ChatGenerationChunk]:
        # Not `astream`: it would report every prompt to callbacks and tracers of the process, and
        # leave the connection open when the reply is not read to its end.
        kwargs = dict(self._binding(model, link, asked.tool_choice))
        if asked.output is not None and getattr(model, "constrainable", False):
            schema = {"name": "answer", "schema": asked.output}
            kwargs["response_format"] = {"type": "json_schema", "json_schema": schema}
        stream: Any = model._astream(  # pyright: ignore[reportPrivateUsage]: see above
            asked.messages, **kwargs
        )
        return stream

    def _binding(self, model: BaseChatModel, link: _Link, choice: ToolUse) -> Mapping[str, Any]:
        """The tools as the model's provider wants them; worked out once."""
        if not self._tools:
            return {}
        binding = self._bindings.get((link.name, choice))
        if binding is None:
            words = {"auto": None, "none": "none", "required": "any"}
            bound: Any = model.bind_tools(self._tools, tool_choice=words[choice])
            binding = self._bindings[link.name, choice] = bound.kwargs
        return binding


async def _receive(
    stream: AsyncGenerator[ChatGenerationChunk], draft: Draft, asked: _Asked, patience: Patience
) -> None:
    """Read the stream into the draft; raises ProviderFault when nothing comes for too long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(patience.first_chunk) as deadline, aclosing(stream):
            async for chunk in stream:
                deadline.reschedule(loop.time() + patience.idle)
                for delta in draft.add(chunk):
                    asked.pass_on(delta)
                asked.watch(draft.output_tokens)
    except TimeoutError:
        seconds = patience.idle if draft.begun else patience.first_chunk
        raise ProviderFault(f"nothing came for {seconds:g} seconds") from None


@dataclass
class _Asked:
    """What one call asks for, and who is told about it."""

    messages: list[BaseMessage]
    on_delta: DeltaWatcher | None
    tool_choice: ToolUse
    output: Mapping[str, Any] | None
    account: Account | None
    estimated_input: int
    attempts: int = 0
    _planned: PlannedCall | None = None
    _streaming: int | None = None
    """The attempt of which a piece was passed on last."""

    def announce(self, model: str) -> None:
        """Ask the meter; raises LimitReached."""
        if self.account is not None:
            account = self.account
            self._planned = PlannedCall(account.run, account.address, model, self.estimated_input)
            account.meter.before(self._planned)

    def pass_on(self, delta: Delta) -> None:
        if self.on_delta is None:
            return
        if self._streaming not in (None, self.attempts):
            self.on_delta(Delta(restart=True))
        self._streaming = self.attempts
        self.on_delta(delta)

    def watch(self, output_so_far: int) -> None:
        """Tell the meter how far the reply is; raises LimitReached."""
        if self.account is not None and self._planned is not None:
            self.account.meter.during(self._planned, output_so_far)

    def settle(self, reply: Reply) -> None:
        if self.account is not None and self._planned is not None:
            self.account.meter.after(self._planned, reply)

    def reply(self, link: _Link, draft: Draft) -> Reply:
        """The draft as it stands, with its usage (estimated where nobody counted) and price."""
        counted = draft.usage()
        usage, written = counted or (Usage(), 0)
        usage = Usage(
            input=usage.input or self.estimated_input,
            output=usage.output or draft.output_tokens,
            cached=usage.cached,
            reasoning=usage.reasoning,
        )
        cost = draft.billed()
        if cost is None and link.price is not None:
            cost = link.price.cost(usage, written)
        return Reply(draft.message(), link.name, usage, cost, self.attempts)
