"""A conversation with a model, every reply journaled, so that a replay asks nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage

from orchestrator.agent.compress import Compressor
from orchestrator.engine.journal import Journal
from orchestrator.events import ModelCalled, ReasoningDelta, TextDelta, Watcher
from orchestrator.model.base import Account, BoundModel, Delta, Meter, Reply, Usage


class Dialogue:
    """The messages of one member call and its model."""

    def __init__(
        self,
        model: BoundModel,
        window: int,
        journal: Journal,
        *,
        run: str,
        call: str,
        address: str,
        meter: Meter,
        watch: Watcher,
    ) -> None:
        self.messages: list[BaseMessage] = []
        self.steps = 0
        """Model calls made, replayed ones included."""
        self._model = model
        self._window = window
        self._compressor = Compressor(window, head=0)
        self._journal = journal
        self._run, self._call, self._address = run, call, address
        self._meter = meter
        self._watch = watch

    @property
    def last(self) -> AIMessage:
        """The model's latest message."""
        return next(
            message for message in reversed(self.messages) if isinstance(message, AIMessage)
        )

    def begin(self, messages: Sequence[BaseMessage]) -> None:
        """Start with messages that no compression touches: everything up to the brief."""
        self.messages = list(messages)
        self._compressor = Compressor(self._window, head=len(self.messages))

    async def ask(
        self,
        *,
        tool_choice: Literal["auto", "none", "required"] = "auto",
        output: Mapping[str, Any] | None = None,
    ) -> AIMessage:
        """The model's next message, from the journal when it is there."""
        step = f"model/{self.steps}"
        entry = self._journal.get(self._run, self._call, step)
        if entry is None:
            reply = await self._model.call(
                self._compressor.shorten(self.messages),
                on_delta=self._stream(),
                tool_choice=tool_choice,
                output=output,
                account=Account(self._run, self._address, self._meter),
            )
            data = _to_dict(reply)
            await asyncio.to_thread(self._journal.finish, self._run, self._call, step, data)
            self._report(reply)
        else:
            self._compressor.shorten(self.messages)
            reply = _from_dict(entry.payload)
        self.steps += 1
        self.messages.append(reply.message)
        return reply.message

    def take_back(self) -> None:
        """Forget the last reply in the journal, so that a resumed run asks the model anew."""
        self._journal.forget(self._run, self._call, f"model/{self.steps - 1}")

    def _stream(self) -> Callable[[Delta], None]:
        run, profile = self._run, self._address.partition("/")[2]

        def on_delta(delta: Delta) -> None:
            if delta.restart:
                self._watch(TextDelta(run, profile, "", restart=True))
            elif delta.text:
                self._watch(TextDelta(run, profile, delta.text))
            elif delta.reasoning:
                self._watch(ReasoningDelta(run, profile, delta.reasoning))

        return on_delta

    def _report(self, reply: Reply) -> None:
        self._watch(
            ModelCalled(
                run=self._run,
                profile=self._address.partition("/")[2],
                model=reply.model,
                input_tokens=reply.usage.input,
                output_tokens=reply.usage.output,
                cost_usd=None if reply.cost_usd is None else str(reply.cost_usd),
                attempts=reply.attempts,
            )
        )


def _to_dict(reply: Reply) -> dict[str, Any]:
    message = reply.message
    usage = reply.usage
    return {
        "content": message.content,
        "tool_calls": [dict(call) for call in message.tool_calls],
        "invalid": [dict(call) for call in message.invalid_tool_calls],
        "model": reply.model,
        "usage": [usage.input, usage.output, usage.cached, usage.reasoning],
        "cost_usd": None if reply.cost_usd is None else str(reply.cost_usd),
        "attempts": reply.attempts,
    }


def _from_dict(data: Mapping[str, Any]) -> Reply:
    return Reply(
        message=AIMessage(
            content=data["content"],
            tool_calls=data["tool_calls"],
            invalid_tool_calls=data["invalid"],
        ),
        model=data["model"],
        usage=Usage(*data["usage"]),
        cost_usd=None if data["cost_usd"] is None else Decimal(data["cost_usd"]),
        attempts=data["attempts"],
    )
