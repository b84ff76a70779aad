"""Who could do a request: a shortlist by meaning, with no model call."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.database import Database, Schema
from orchestrator.errors import RetinueError
from orchestrator.profile.schema import Member

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

SCHEMA = Schema(
    "routing",
    ("CREATE TABLE member_vectors (hash TEXT PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;",),
)

Embed = Callable[[Sequence[str]], "Vectors"]

_SENTENCES = re.compile(r"[.!?;\n]\s*\S|\b(?:then|afterwards|after that)\b", re.IGNORECASE)
_LONGEST = 30
"""Words; a longer request may hold more than one piece of work, so a model looks at it."""


@dataclass(frozen=True)
class Candidate:
    member: Member
    score: float
    """Similarity to the request, -1 to 1; share of common words where there is no embedder."""


class Router:
    """The members of one team, ready to be compared with requests.

    Their texts are embedded once and kept in the supervisor's own database. A member's score is the
    mean of the similarity of its nearest text and of the middle of all its texts: the nearest alone
    follows single words, the middle alone misses the odd request.
    """

    def __init__(self, members: Sequence[Member], database: Database, embed: Embed | None) -> None:
        self._members = members
        self._database = database
        self._embed = embed
        self._loading = threading.Lock()
        self._rows: list[int] = []
        """Which member each of `_vectors` belongs to."""
        self._vectors: Any = None
        self._middles: Any = None

    def shortlist(self, request: str, most: int) -> Sequence[Candidate]:
        """The members that fit best, best first."""
        scores = self._by_meaning(request) or self._by_words(request)
        ranked = sorted(zip(self._members, scores, strict=True), key=lambda pair: -pair[1])
        return [Candidate(member, score) for member, score in ranked[:most]]

    def _by_meaning(self, request: str) -> Sequence[float]:
        embed = self._embed
        if embed is None:
            return []
        try:
            with self._loading:
                if self._vectors is None:
                    self._load(embed)
            vector = embed([request[:2000]])[0]
        except RetinueError:
            self._embed = None
            return []
        best = [-1.0] * len(self._members)
        for row, similarity in zip(self._rows, (self._vectors @ vector).tolist(), strict=True):
            best[row] = max(best[row], similarity)
        middles = (self._middles @ vector).tolist()
        return [(one + other) / 2 for one, other in zip(best, middles, strict=True)]

    def _by_words(self, request: str) -> Sequence[float]:
        words = _words(request)
        return [
            len(words & _words(" ".join(_texts(member)))) / (len(words) or 1)
            for member in self._members
        ]

    def _load(self, embed: Embed) -> None:
        """Fetch the vectors of all members' texts, embedding only texts never seen."""
        import numpy as np

        from orchestrator.index import from_int8, to_int8

        self._database.migrate(SCHEMA)
        keys: list[str] = []
        texts: dict[str, str] = {}
        self._rows = []
        for row, member in enumerate(self._members):
            for text in _texts(member):
                key = hashlib.sha256(text.encode()).hexdigest()
                texts[key] = text
                keys.append(key)
                self._rows.append(row)
        found = {
            row["hash"]: row["vector"]
            for row in self._database.all("SELECT hash, vector FROM member_vectors")
            if row["hash"] in texts
        }
        missing = [key for key in texts if key not in found]
        if missing:
            vectors = embed([texts[key] for key in missing])
            found |= {key: to_int8(vector) for key, vector in zip(missing, vectors, strict=True)}
            with self._database.transaction():
                for key in missing:
                    self._database.execute(
                        "INSERT OR IGNORE INTO member_vectors VALUES (?, ?)", key, found[key]
                    )
        self._vectors = np.stack([from_int8(found[key]) for key in keys])
        rows = np.array(self._rows)
        middles = np.stack(
            [self._vectors[rows == row].mean(axis=0) for row in range(len(self._members))]
        )
        self._middles = middles / np.linalg.norm(middles, axis=1, keepdims=True)


def clear_winner(
    request: str, candidates: Sequence[Candidate], margin: float | None
) -> Member | None:
    """The member a short, single request plainly belongs to, else None."""
    if margin is None or not candidates:
        return None
    if len(request.split()) > _LONGEST or _SENTENCES.search(request.strip()):
        return None
    lead = candidates[0].score - (candidates[1].score if len(candidates) > 1 else 0)
    return candidates[0].member if lead >= margin else None


def _texts(member: Member) -> Sequence[str]:
    return [f"{member.agent.name}: {member.description}", *member.agent.examples]


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2}
