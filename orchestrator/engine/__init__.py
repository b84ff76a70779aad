"""What keeps work from being lost: the run journal."""

from orchestrator.engine.journal import Entry, Journal

__all__ = ["Entry", "Journal"]
