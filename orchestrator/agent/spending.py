"""What model calls have cost, and how a brief is kept within its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from orchestrator.errors import LimitReached
from orchestrator.model.base import Meter, PlannedCall, Reply, Usage

ASIDE = "aside/"
"""How the journal's steps begin in which a tool had a model think."""


@dataclass(frozen=True)
class Spent:
    """Usage and its price; None as soon as the price of a part is unknown."""

    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal | None = Decimal(0)

    def __add__(self, other: Spent) -> Spent:
        usage = self.usage + other.usage
        if self.cost_usd is None or other.cost_usd is None:
            return Spent(usage, None)
        return Spent(usage, self.cost_usd + other.cost_usd)

    def to_dict(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "usage": [usage.input, usage.output, usage.cached, usage.reasoning],
            "cost_usd": None if self.cost_usd is None else str(self.cost_usd),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        cost = data["cost_usd"]
        return cls(Usage(*data["usage"]), None if cost is None else Decimal(cost))


class Purse:
    """The meter of one model call: adds up its attempts, those that broke off too, and stops it
    where `left` tokens are used; all of it goes on to the run's meter.
    """

    def __init__(self, outer: Meter, address: str, left: int | None) -> None:
        self.spent = Spent()
        self._outer = outer
        self._address = address
        self._left = left

    def before(self, call: PlannedCall) -> None:
        self._check(call.estimated_input)
        self._outer.before(call)

    def during(self, call: PlannedCall, output_so_far: int) -> None:
        self._check(call.estimated_input + output_so_far)
        self._outer.during(call, output_so_far)

    def after(self, call: PlannedCall, reply: Reply) -> None:
        self.spent += Spent(reply.usage, reply.cost_usd)
        self._outer.after(call, reply)

    def _check(self, tokens: int) -> None:
        if self._left is not None and self.spent.usage.total + tokens > self._left:
            raise LimitReached("tokens", f"{self._address} has used the tokens of its brief")
