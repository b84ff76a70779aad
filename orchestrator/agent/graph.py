"""Walking a LangGraph graph, and telling nobody about it."""

from __future__ import annotations

from typing import Any


async def walk(graph: Any, state: Any, *, most_rounds: int) -> Any:
    """The state at the graph's end; raises what a node raises.

    LangGraph reports states, and with them what was said, to any tracer that the process's
    environment names. A profile's words are not the process's to tell, so tracing is off in here.
    """
    from langsmith import tracing_context  # pyright: ignore[reportUnknownVariableType]: untyped there

    with tracing_context(enabled=False):
        return await graph.ainvoke(state, {"recursion_limit": most_rounds})
