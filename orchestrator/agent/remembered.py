"""What a prompt gets from memory, as messages, and as it is kept for a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import DatabaseError
from typing import Any, Self

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from orchestrator.errors import RetinueError
from orchestrator.memory import Context, MemoryConfig, PromptMemory, Turn

_SHARE_OF_WINDOW = 3
"""One part in so many of a model's window may be filled from memory, at most."""


@dataclass(frozen=True)
class Remembered:
    """What stands before a new message, the same after a crash, whatever is known by then."""

    notes: str = ""
    turns: tuple[Turn, ...] = ()
    recalled: str = ""
    """Goes with the new message."""

    @classmethod
    def of(cls, context: Context) -> Self:
        return cls(context.notes, context.turns, context.recalled)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        turns = tuple(Turn(mine, text) for mine, text in payload.get("history", ()))
        return cls(payload.get("notes", ""), turns, payload.get("recalled", ""))

    def payload(self) -> dict[str, Any]:
        history = [[turn.mine, turn.text] for turn in self.turns]
        return {"notes": self.notes, "history": history, "recalled": self.recalled}

    def before(self, message: str) -> Sequence[BaseMessage]:
        """The notes, the turns and the message, so that no two messages of one side begin it:
        some models take them in turn only.
        """
        said = [(turn.mine, turn.text) for turn in self.turns]
        said.append((False, message))
        if self.notes and said[0][0]:
            said.insert(0, (False, self.notes))
        elif self.notes:
            said[0] = (False, f"{self.notes}\n\n{said[0][1]}")
        return [AIMessage(text) if mine else HumanMessage(text) for mine, text in said]


@dataclass(frozen=True)
class Recollection:
    """How a profile remembers in one run. What cannot be searched is told and left out."""

    memory: PromptMemory
    config: MemoryConfig
    person: str
    session: str
    run: str
    warn: Callable[[str], None]

    def before_turn(self, query: str, window: int) -> Remembered:
        """For a message of the person to this profile, whose model has that window."""
        most = self._most(window)
        try:
            self._read_new()
            context = self.memory.for_turn(
                person=self.person,
                session=self.session,
                query=query,
                run=self.run,
                most=most,
                refresh_turns=self.config.refresh_turns,
            )
        except (RetinueError, OSError, DatabaseError) as error:
            self._tell(error)
            context = self.memory.turns(self.session, self.run, most)
        return Remembered.of(context)

    def for_work(self, query: str, window: int) -> Remembered:
        """For a piece of work on behalf of the person; the notes go with the brief."""
        try:
            self._read_new()
            context = self.memory.about(self.person, query, self._most(window))
        except (RetinueError, OSError, DatabaseError) as error:
            self._tell(error)
            return Remembered()
        return Remembered(recalled=context.notes)

    def _read_new(self) -> None:
        if self.config.observe:
            self.memory.read_new()

    def _most(self, window: int) -> int:
        return min(self.config.context_tokens, window // _SHARE_OF_WINDOW)

    def _tell(self, error: Exception) -> None:
        self.warn(f"its memory cannot be searched: {error}; mend it with retinue memory reindex")
