"""How long a call waits for a model, and how often it asks again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Times are in seconds."""

    attempts: int = 4
    """Times one model is asked before the next of the chain is."""
    first_wait: float = 0.5
    """Wait before the second attempt; it doubles from then on, with jitter."""
    longest_wait: float = 60
    """No single wait is longer, whatever the provider asks for."""
    connect: float = 10
    first_chunk: float = 600
    """Wait for the first piece of a reply; models that think in silence take minutes."""
    idle: float = 120
    """Wait between two pieces of a reply."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """Jitter: a number from 0 to 1."""

    def wait(self, attempt: int, asked: float | None) -> float:
        """After the `attempt`th failed (1-based); `asked` is what the provider asks for."""
        if asked is not None:
            return min(asked, self.longest_wait)
        return min(self.first_wait * 2 ** (attempt - 1), self.longest_wait) * (
            0.5 + self.chance() / 2
        )
