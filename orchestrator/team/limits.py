"""What a run may use, kept in code: the meter of a run, and how often whom may be asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from orchestrator.agent.spending import Spent
from orchestrator.agent.state import Brief
from orchestrator.errors import LimitReached
from orchestrator.model.base import Meter, PlannedCall, Reply
from orchestrator.profile.schema import RunLimits


class RunMeter:
    """Counts what a run spends and stops it at its limits; `outer` is asked first.

    Replayed calls do not pass here: `steps` and `spent` say what was used before, in a run that a
    crash or a question has cut in pieces. The minutes count from now.
    """

    def __init__(
        self,
        limits: RunLimits,
        outer: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        steps: int = 0,
        spent: Spent | None = None,
    ) -> None:
        self._limits = limits
        self._outer = outer
        self._clock = clock
        self._deadline = clock() + limits.minutes * 60
        self._steps = steps
        self._tokens = spent.usage.total if spent else 0
        self._cost = (spent.cost_usd if spent else None) or Decimal(0)

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
        words = (brief.goal, brief.context, brief.constraints, brief.expected)
        key = (profile, " ".join(" ".join(words).lower().split()))
        if self._briefs[key] >= self._limits.repeats:
            return False
        self._briefs[key] += 1
        self.count += 1
        return True
