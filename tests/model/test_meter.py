"""The meter: asked before, told during and after, able to stop a reply that streams."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from langchain_core.messages import HumanMessage

from orchestrator.errors import LimitReached, ModelUnavailable
from orchestrator.model import Account, PlannedCall, Reply
from tests.model.peers import CHAT, WEATHER, WIRES, Wire, serving
from tests.model.servers import Answer, Fail

SAID = [HumanMessage("How is the weather? " * 20)]
LONG = Answer("It rains in Oslo. " * 50, input_tokens=200, output_tokens=300)

every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


class Ledger:
    """A meter that writes everything down, and stops where it is told to."""

    def __init__(self, *, most_output: int | None = None, closed: bool = False) -> None:
        self.planned: list[PlannedCall] = []
        self.seen: list[int] = []
        self.replies: list[Reply] = []
        self._most_output = most_output
        self._closed = closed

    @property
    def account(self) -> Account:
        return Account("run-1", "desk/analyst", self)

    def before(self, call: PlannedCall) -> None:
        self.planned.append(call)
        if self._closed:
            raise LimitReached("tokens", "nothing is left")

    def during(self, call: PlannedCall, output_so_far: int) -> None:
        self.seen.append(output_so_far)
        if self._most_output is not None and output_so_far > self._most_output:
            raise LimitReached("tokens", "that is enough")

    def after(self, call: PlannedCall, reply: Reply) -> None:
        self.replies.append(reply)


async def test_a_call_is_planned_watched_and_settled() -> None:
    ledger = Ledger()
    async with serving(CHAT, LONG) as peer:
        reply = await peer.model.bind([WEATHER]).call(SAID, account=ledger.account)
    (planned,) = ledger.planned
    assert (planned.run, planned.address) == ("run-1", "desk/analyst")
    assert planned.model == "openai/gpt-4.1-mini"
    assert 100 < planned.estimated_input < 200
    assert ledger.seen == sorted(ledger.seen)
    assert ledger.seen[-1] == 225
    assert ledger.replies == [reply]


async def test_no_request_leaves_when_the_meter_says_no() -> None:
    ledger = Ledger(closed=True)
    async with serving(CHAT, LONG) as peer:
        with pytest.raises(LimitReached, match="nothing is left"):
            await peer.model.bind(()).call(SAID, account=ledger.account)
    assert peer.double.posts == []
    assert ledger.replies == []


@every_wire
async def test_a_reply_that_grows_too_long_is_cut_off_and_its_part_is_paid(wire: Wire) -> None:
    ledger = Ledger(most_output=40)
    endless = Answer(LONG.text, ends="hangs", after_events=60)
    async with serving(wire, endless) as peer:
        with pytest.raises(LimitReached, match="that is enough"):
            await peer.model.bind(()).call(SAID, account=ledger.account)
        await asyncio.wait_for(peer.double.left.wait(), 5)
    (partial,) = ledger.replies
    assert LONG.text.startswith(partial.text)
    assert 40 < partial.usage.output < 50
    assert partial.usage.input > 0


async def test_what_a_broken_stream_brought_is_paid_too() -> None:
    ledger = Ledger()
    broken = Answer(LONG.text, ends="breaks", after_events=30)
    async with serving(CHAT, [Fail(500), broken, LONG]) as peer:
        reply = await peer.model.bind(()).call(SAID, account=ledger.account)
    assert len(ledger.planned) == 1
    partial, whole = ledger.replies
    assert whole is reply
    assert 0 < partial.usage.output < whole.usage.output
    assert partial.cost_usd is not None
    assert Decimal(0) < partial.cost_usd < (whole.cost_usd or 0)
    assert (partial.attempts, whole.attempts) == (2, 3)


async def test_a_call_that_never_began_is_not_paid() -> None:
    ledger = Ledger()
    async with serving(CHAT, Fail(503)) as peer:
        with pytest.raises(ModelUnavailable):
            await peer.model.bind(()).call(SAID, account=ledger.account)
    assert ledger.replies == []
