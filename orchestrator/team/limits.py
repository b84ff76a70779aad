"""What a run may use, kept in code: the meter of a run, and how often whom may be asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from orchestrator.agent.state import Brief
from orchestrator.errors import LimitReached
from orchestrator.model.base import Meter, PlannedCall, Reply, Usage
from orchestrator.profile.schema import RunLimits


class RunMeter:
    """Counts what a run spends now and stops it at its limits; `outer` is asked first.

    Replayed calls cost nothing and do not pass here: a resumed run has its limits anew.
    """

    def __init__(
        self,
        limits: RunLimits,
        outer: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._outer = outer
        self._clock = clock
        self._deadline = clock() + limits.minutes * 60
        self._steps = 0
        self._tokens = 0
        self._cost = Decimal(0)

    def before(self, call: PlannedCall) -> None:
        if self._outer is not None:
            self._outer.before(call)
        limits = self._limits
        if self._steps >= limits.steps:
            raise LimitReached("steps", f"the run has used its {limits.steps} steps")
        if self._tokens + call.estimated_input > limits.tokens:
            raise LimitReached("tokens", f"the run has used its {limits.tokens} tokens")
        if self._cost >= limits.cost_usd:
            raise LimitReached("cost_usd", f"the run has spent its {limits.cost_usd} USD")
        if self._clock() > self._deadline:
            raise LimitReached("minutes", f"the run has used its {limits.minutes:g} minutes")
        self._steps += 1

    def during(self, call: PlannedCall, output_so_far: int) -> None:
        if self._outer is not None:
            self._outer.during(call, output_so_far)
        if self._tokens + call.estimated_input + output_so_far > self._limits.tokens:
            raise LimitReached("tokens", f"the run has used its {self._limits.tokens} tokens")
        if self._clock() > self._deadline:
            minutes = self._limits.minutes
            raise LimitReached("minutes", f"the run has used its {minutes:g} minutes")

    def after(self, call: PlannedCall, reply: Reply) -> None:
        self._tokens += reply.usage.total
        self._cost += reply.cost_usd or Decimal(0)
        if self._outer is not None:
            self._outer.after(call, reply)


class Totals:
    """What a run has used since it began, replayed calls included."""

    def __init__(self) -> None:
        self.steps = 0
        self.usage = Usage()
        self.cost_usd: Decimal | None = Decimal(0)
        """None as soon as the price of one call is unknown."""

    def add(self, usage: Usage, cost_usd: Decimal | None) -> None:
        self.steps += 1
        self.usage += usage
        if self.cost_usd is not None:
            self.cost_usd = None if cost_usd is None else self.cost_usd + cost_usd


class Hops:
    """Counts hand-offs of one run; the same brief to the same member is a loop, not work."""

    def __init__(self, limits: RunLimits) -> None:
        self._limits = limits
        self._briefs: Counter[tuple[str, str]] = Counter()
        self.count = 0

    @property
    def used_up(self) -> bool:
        return self.count >= self._limits.hops

    def allow(self, profile: str, brief: Brief) -> bool:
        """Count the hand-off; False when this member has had this brief often enough."""
        key = (profile, " ".join(brief.goal.lower().split()))
        if self._briefs[key] >= self._limits.repeats:
            return False
        self._briefs[key] += 1
        self.count += 1
        return True
