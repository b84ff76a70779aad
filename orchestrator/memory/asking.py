"""Answering a question about a peer from what is known, each word with its source."""

from __future__ import annotations

import asyncio

from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.search import ConversationSearch
from orchestrator.memory.user_model import AskAnswer, AskLevel, Evidence, Thinker

NO_MODEL = "no synthesis: no model"
_CONCLUSIONS = 8


async def ask(
    observed: str,
    question: str,
    *,
    level: AskLevel,
    thinker: Thinker | None,
    observer: str,
    conclusions: Conclusions,
    past: ConversationSearch,
) -> AskAnswer:
    """What is known of a peer that answers the question, with its sources."""
    del level, thinker, past
    found = await asyncio.to_thread(conclusions.search, question, observed, most=_CONCLUSIONS)
    cited = tuple(Evidence(f"c{c.id}", c.text, c.last_said, c.observer) for c, _ in found)
    del observer
    return AskAnswer("", cited, synthesis=False, note=NO_MODEL)
