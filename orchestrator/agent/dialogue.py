"""A conversation with a model, every reply journaled, so that a replay asks nothing twice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage

from orchestrator.agent.compress import Compressor
from orchestrator.agent.spending import ASIDE, Purse, Spent
from orchestrator.engine.journal import Journal
from orchestrator.events import ModelCalled, ReasoningDelta, TextDelta, Watcher
from orchestrator.model.base import Account, BoundModel, Delta, Meter, Reply

Choice = Literal["auto", "none", "required"]
Schema = Mapping[str, Any]


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
        tokens: int | None = None,
    ) -> None:
        """`tokens` is what all its calls together may use."""
        self.messages: list[BaseMessage] = []
        self.steps = 0
        """Replies of the model that stand, the replayed ones included."""
        self._taken_back = 0
        """Replies of earlier attempts that stand no more."""
        self._model = model
        self._window = window
        self._compressor = Compressor(window, head=0)
        self._journal = journal
        self._run, self._call, self._address = run, call, address
        self._meter = meter
        self._watch = watch
        self._tokens = tokens
        self._spent = Spent()

    @property
    def last(self) -> AIMessage:
        """The model's latest message."""
        return next(
            message for message in reversed(self.messages) if isinstance(message, AIMessage)
        )

    @property
    def asked(self) -> int:
        """Replies of the model in all, those taken back included."""
        return self.steps + self._taken_back

    def begin(self, messages: Sequence[BaseMessage]) -> None:
        """Start with messages that no compression touches: everything up to the brief."""
        self.messages = list(messages)
        self._taken_back = len(self._journal.steps(self._run, "taken/", call=self._call))
        self._compressor = Compressor(self._window, head=len(self.messages))

    async def ask(
        self,
        *,
        tool_choice: Choice = "auto",
        output: Schema | None = None,
    ) -> AIMessage:
        """The model's next message, from the journal when it is there."""
        messages = self._compressor.shorten(self.messages)
        entry = self._journal.get(self._run, self._call, self._step)
        if entry is None:
            reply = await self._query(messages, tool_choice, output)
            data = _to_dict(reply)
            await asyncio.to_thread(self._journal.finish, self._run, self._call, self._step, data)
            self._report(reply)
        else:
            reply = _from_dict(entry.payload)
        self.steps += 1
        self._spent += Spent(reply.usage, reply.cost_usd)
        self.messages.append(reply.message)
        return reply.message

    @property
    def is_replaying(self) -> bool:
        """Whether the model's next message has been given already."""
        return self._journal.get(self._run, self._call, self._step) is not None

    def take_back(self) -> None:
        """Forget the last reply in the journal, so that a resumed run asks the model anew."""
        step = f"model/{self.steps - 1}"
        entry = self._journal.get(self._run, self._call, step)
        if entry is not None:
            taken = f"taken/{secrets.token_hex(8)}"
            spent = Spent.from_dict(entry.payload).to_dict()
            self._journal.finish(self._run, self._call, taken, spent)
            self._journal.forget(self._run, self._call, step)

    @property
    def _step(self) -> str:
        return f"model/{self.steps}"

    async def _query(
        self, messages: Sequence[BaseMessage], tool_choice: Choice, output: Schema | None
    ) -> Reply:
        """A new reply, with what all its attempts have cost."""
        left = None if self._tokens is None else self._tokens - self._spent.usage.total
        purse = Purse(self._meter, self._address, left)
        try:
            reply = await self._model.call(
                messages,
                on_delta=self._stream(),
                tool_choice=tool_choice,
                output=output,
                account=Account(self._run, self._address, purse),
            )
        except BaseException:
            if purse.spent.usage.total:
                self._lose(purse.spent)
            raise
        return replace(reply, usage=purse.spent.usage, cost_usd=purse.spent.cost_usd)

    def _lose(self, spent: Spent) -> None:
        """Keep what was paid for nothing."""
        step = f"lost/{secrets.token_hex(8)}"
        self._journal.finish(self._run, self._call, step, spent.to_dict())

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


def used(journals: Sequence[Journal], run: str, call: str | None = None) -> tuple[int, Spent]:
    """Replies the run or a call of it has had, and what it has spent, also on those that broke off
    or were taken back.
    """

    def parts(prefix: str) -> list[Mapping[str, Any]]:
        return [part for journal in journals for part in journal.steps(run, prefix, call=call)]

    replies, lost = parts("model/") + parts("taken/"), parts("lost/") + parts(ASIDE)
    return len(replies), sum(map(Spent.from_dict, replies + lost), Spent())


def _to_dict(reply: Reply) -> dict[str, Any]:
    message = reply.message
    return {
        "content": message.content,
        "tool_calls": [dict(call) for call in message.tool_calls],
        "invalid": [dict(call) for call in message.invalid_tool_calls],
        "model": reply.model,
        "attempts": reply.attempts,
        **Spent(reply.usage, reply.cost_usd).to_dict(),
    }


def _from_dict(data: Mapping[str, Any]) -> Reply:
    spent = Spent.from_dict(data)
    return Reply(
        message=AIMessage(
            content=data["content"],
            tool_calls=data["tool_calls"],
            invalid_tool_calls=data["invalid"],
        ),
        model=data["model"],
        usage=spent.usage,
        cost_usd=spent.cost_usd,
        attempts=data["attempts"],
    )
