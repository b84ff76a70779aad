"""Changing and taking back what was said, with what was concluded from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.database import Database
from orchestrator.memory.conclusions import Conclusions
from orchestrator.memory.conversations import Conversations
from orchestrator.memory.derivation import SCHEMA as DERIVATION


class Corrections:
    """Corrections in one profile: the one place where messages and conclusions are changed
    together.
    """

    def __init__(self, database: Database, conclusions: Conclusions) -> None:
        self._conversations = Conversations(database)
        database.migrate(DERIVATION)
        self._database = database
        self._conclusions = conclusions

    def amend(
        self,
        message: int,
        text: str,
        *,
        key: str,
        run: str | None = None,
        extra: dict[str, Any] | None = None,
        at: datetime | None = None,
    ) -> int:
        """See `Conversations.amend`; what rests on messages that no longer stand alone holds no
        more from then on.
        """
        with self._database.transaction():
            new = self._conversations.amend(message, text, key=key, run=run, extra=extra, at=at)
            self._settle(message, at)
            return new

    def retract(self, message: int, *, at: datetime | None = None) -> None:
        """See `Conversations.retract`, and `amend`."""
        with self._database.transaction():
            self._conversations.retract(message, at=at)
            self._settle(message, at)

    def _settle(self, message: int, at: datetime | None) -> None:
        self._database.execute("DELETE FROM derivation WHERE message = ?", message)
        rows = self._database.all(
            "SELECT DISTINCT other.message FROM conclusion_sources own "
            "JOIN conclusion_sources other ON other.conclusion = own.conclusion "
            "JOIN amendments ON amendments.message = other.message WHERE own.message = ?",
            message,
        )
        without = self._conclusions.orphans([row["message"] for row in rows])
        self._conclusions.invalidate(without, at or datetime.now(UTC))
