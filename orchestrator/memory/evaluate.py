"""How well things said are found, in conversations and with judged questions of one's own."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from orchestrator.database import Database
from orchestrator.errors import ConfigError, PersonError, Problem
from orchestrator.memory.conversations import Conversations
from orchestrator.memory.search import ConversationSearch

_MOST = 10
_FORMAT = 1
"""Of a stored conversation; another one is stored anew."""


class Turn(BaseModel):
    """One thing that was said."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str
    speaker: str
    text: str
    time: str = ""
    """ISO 8601; anything else is as good as nothing."""


class Question(BaseModel):
    """What is asked, and the turns that answer it."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    question: str
    evidence: tuple[str, ...]
    category: str = "question"


class Conversation(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    turns: tuple[Turn, ...]
    questions: tuple[Question, ...] = ()

    @property
    def digest(self) -> str:
        """Of what was said."""
        said = json.dumps([_FORMAT, *(turn.model_dump() for turn in self.turns)])
        return blake2b(said.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Recalled:
    """What was found of one question's evidence: the share among the first 5 and the first 10."""

    category: str
    at_5: float
    at_10: float


@dataclass(frozen=True)
class Quality:
    """Means over questions."""

    questions: int
    recall_at_5: float
    recall_at_10: float


_FILE = TypeAdapter(tuple[Conversation, ...])


def read_conversations(file: Path) -> Sequence[Conversation]:
    """The conversations of a JSON file. Raises PersonError, and ConfigError with every problem."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PersonError(f"cannot read {str(file)!r}: {error.strerror}") from error
    try:
        found = _FILE.validate_json(data)
    except ValidationError as error:
        raise ConfigError(
            [
                Problem(
                    str(file),
                    None,
                    ".".join(str(part) for part in problem["loc"]),
                    problem["msg"],
                    "docs/memory.md shows the format",
                )
                for problem in error.errors()[:20]
            ]
        ) from error
    if not any(conversation.questions for conversation in found):
        raise PersonError(f"{str(file)!r} asks no question; docs/memory.md shows the format")
    return found


def store(database: Database, conversation: Conversation) -> Mapping[str, int]:
    """Keep what was said, unless it is there; returns the turns' ids and their messages'."""
    said = Conversations(database)
    known = {message.key: message.id for message in said.of_run("turns")}
    if len(known) != len({turn.id for turn in conversation.turns}):
        with database.transaction():
            for turn in conversation.turns:
                said.append(
                    "turns",
                    run="turns",
                    key=turn.id,
                    peer=turn.speaker,
                    kind="said",
                    text=turn.text,
                    tokens=len(turn.text) // 4,
                    at=_time(turn.time),
                )
        known = {message.key: message.id for message in said.of_run("turns")}
    return known


def ask(
    search: ConversationSearch, conversation: Conversation, known: Mapping[str, int]
) -> tuple[Sequence[Recalled], Sequence[str]]:
    """Ask every question; returns what was found, and the evidence that is not among the turns.

    A question without evidence is left out.
    """
    found: list[Recalled] = []
    strange: list[str] = []
    for question in conversation.questions:
        strange += [turn for turn in question.evidence if turn not in known]
        wanted = {known[turn] for turn in question.evidence if turn in known}
        if not wanted:
            continue
        hits = [hit.message.id for hit in search.search(question.question, most=_MOST)]
        at_5, at_10 = (len(wanted.intersection(hits[:k])) / len(wanted) for k in (5, 10))
        found.append(Recalled(question.category, at_5, at_10))
    return found, strange


def qualities(found: Sequence[Recalled]) -> Mapping[str, Quality]:
    """Of each category."""
    categories = sorted({each.category for each in found})
    return {
        category: quality([each for each in found if each.category == category])
        for category in categories
    }


def quality(found: Sequence[Recalled]) -> Quality:
    def mean(values: Sequence[float]) -> float:
        return statistics.fmean(values) if values else 0.0

    return Quality(
        len(found), mean([each.at_5 for each in found]), mean([each.at_10 for each in found])
    )


def _time(text: Any) -> datetime | None:
    with suppress(ValueError):
        time = datetime.fromisoformat(text)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None
