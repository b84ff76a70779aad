"""Conclusions found by words and by meaning, and joined where two say the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.database import Database, stored
from orchestrator.index import (
    DIMENSION,
    MODEL,
    Embed,
    EmbedderMissing,
    StoredVectors,
    content_words,
    from_int8,
    match_any,
    pieces,
    rebuild_table,
    to_int8,
)
from orchestrator.memory.beliefs import Beliefs
from orchestrator.memory.card import ORDER
from orchestrator.memory.conclusion_store import VECTORS
from orchestrator.memory.conversations import storable
from orchestrator.memory.search import fused
from orchestrator.memory.user_model import Conclusion

if TYPE_CHECKING:
    from orchestrator.index.vectors import Vectors

_SAME = 0.95
"""Cosine from which two statements of one level say the same."""
_COMPARED = 2_000
"""The newest conclusions about a peer that a search or a merge looks at."""
_MEANING = 0.5
"""Share of the meaning in a score, as for messages."""
_CANDIDATES = 50
_NEAR = 0.3
"""Cosine below which a conclusion without a word of the query does not fit it."""

_NOT = re.compile(r"\b(?:not|no|never|nor|without|cannot)\b|n[\u2019']t\b")
_TELLING = re.compile(r"\b\d[\w.,:/-]*|\b[A-ZÀ-Þ]\w+|[^\x00-\u024f\s]+")


class Conclusions(Beliefs):
    """All that is done with conclusions. Methods may be called from any thread."""

    def __init__(self, database: Database, embed: Embed | None = None) -> None:
        super().__init__(database)
        self._embed = embed
        self._vectors = StoredVectors(database, VECTORS)

    def search(
        self,
        query: str,
        observed: str | None = None,
        *,
        observer: str | None = None,
        history: bool = False,
        most: int = 10,
        query_vector: Vectors | None = None,
    ) -> Sequence[tuple[Conclusion, float]]:
        """What fits the query, best first, with its score between 0 and 1. Who has no word of it
        and a meaning far from it is left out. `query_vector`: when it has been computed already.
        """
        text = unicodedata.normalize("NFC", storable(query))
        condition, values = self._condition(observed, observer, history)
        rows = self._database.all(
            f"SELECT id FROM conclusions WHERE {condition} ORDER BY id DESC LIMIT ?",
            *values,
            _COMPARED,
        )
        ids = [row["id"] for row in rows]
        if not ids:
            return []
        words: dict[int, float] = {}
        if telling := content_words(text):
            matches = self._database.all(
                "SELECT w.rowid AS id, bm25(conclusion_words, 1, 0.5) AS score "
                "FROM conclusion_words w CROSS JOIN conclusions c ON c.id = w.rowid "
                f"WHERE conclusion_words MATCH ? AND {condition} ORDER BY score LIMIT ?",
                match_any(telling),
                *values,
                _CANDIDATES,
            )
            words = {row["id"]: -row["score"] for row in matches}
        cosines = self._cosines(text, ids, query_vector)
        near = sorted(cosines, key=lambda row: -cosines[row])[:_CANDIDATES]
        cosines = {row: cosines[row] for row in cosines.keys() & {*near, *words}}
        scores = fused(words, cosines, _MEANING)
        best = [
            row
            for row in sorted(scores, key=lambda row: (-scores[row], -row))
            if row in words or cosines.get(row, 0.0) >= _NEAR
        ][:most]
        found = self.get(best)
        return [(found[row], scores[row]) for row in best if row in found]

    def vector(self, conclusion: int) -> Vectors | None:
        """As it is stored; None when it is still missing."""
        row = self._database.one(f"SELECT vector FROM {VECTORS} WHERE id = ?", conclusion)
        return None if row is None else from_int8(row["vector"])

    def embed_missing(self, most: int | None = None) -> int:
        """Compute missing vectors, at most `most`, and merge what says the same; how many were
        computed. 0 where there is no embedder.
        """
        return self._embed_missing(most)[0]

    def merge(self, most: int) -> int:
        """See `embed_missing`; how many conclusions are gone for it."""
        return self._embed_missing(most)[1]

    def _embed_missing(self, most: int | None) -> tuple[int, int]:
        if self._embed is None:
            return 0, 0
        self._settle_model()
        done = merged = 0
        while most is None or done < most:
            rows = self._database.all(
                f"SELECT id, text FROM conclusions WHERE id NOT IN (SELECT id FROM {VECTORS}) "
                "ORDER BY id LIMIT ?",
                16 if most is None else min(16, most - done),
            )
            if not rows:
                break
            try:
                vectors = self._embed([row["text"] for row in rows])
            except EmbedderMissing:
                break
            with self._database.transaction():
                for row, vector in zip(rows, vectors, strict=True):
                    self._database.execute(
                        f"INSERT OR REPLACE INTO {VECTORS} (id, vector) "
                        "SELECT id, ? FROM conclusions WHERE id = ?",
                        to_int8(vector),
                        row["id"],
                    )
            for row, vector in zip(rows, vectors, strict=True):
                merged += self._merge_near(row["id"], vector)
            done += len(rows)
        return done, merged

    def rebuild(self) -> None:
        """Index the words anew, and drop the vectors that cannot be read."""
        with self._database.transaction():
            rebuild_table(self._database, "conclusion_words")
            self._database.execute(f"DELETE FROM {VECTORS} WHERE length(vector) <> ?", DIMENSION)

    def _merge_near(self, conclusion: int, vector: Vectors) -> bool:
        """Join it with an older one of its level that says the same in other words."""
        new = self.get([conclusion]).get(conclusion)
        if new is None or not new.valid:
            return False
        rows = self._database.all(
            "SELECT id FROM conclusions WHERE observed = ? AND observer = ? AND level = ? "
            "AND invalidated_at IS NULL AND id < ? ORDER BY id DESC LIMIT ?",
            new.observed,
            new.observer,
            new.level,
            new.id,
            _COMPARED,
        )
        cosines = self._vectors.similar(vector, [row["id"] for row in rows], 0)
        older = {row["id"] for row in rows}
        near = [row for row, cosine in cosines.items() if row in older and cosine >= _SAME]
        near.sort(key=lambda row: -cosines[row])
        with self._database.transaction():
            # As they are now: another process may have counted, replaced or forgotten them.
            found = self.get([conclusion, *near])
            new = found.get(conclusion)
            for row in near:
                one = found.get(row)
                if new is None or one is None or not (new.valid and one.valid):
                    continue
                if _says_the_same(one.text, new.text):
                    self._join(one, new)
                    return True
        return False

    def _join(self, older: Conclusion, new: Conclusion) -> None:
        """Keep the one that says more, with the evidence of both, and the slot of either."""
        keep, drop = (older, new) if len(older.text) >= len(new.text) else (new, older)
        kind = min(keep.kind, drop.kind, key=ORDER.index)
        self._database.execute("UPDATE conclusions SET kind = ? WHERE id = ?", kind, keep.id)
        self._database.execute(
            "UPDATE conclusions SET slot = other.slot, value = other.value "
            "FROM (SELECT slot, value FROM conclusions WHERE id = ?) AS other "
            "WHERE conclusions.id = ? AND conclusions.slot = ''",
            drop.id,
            keep.id,
        )
        self._database.execute(
            "UPDATE conclusions SET replaced_by = ? WHERE replaced_by = ?", keep.id, drop.id
        )
        self._attach(keep.id, drop.sources, set(drop.premises) - {keep.id})
        self._database.execute(
            "UPDATE OR IGNORE conclusion_premises SET premise = ? "
            "WHERE premise = ? AND conclusion <> ?",
            keep.id,
            drop.id,
            keep.id,
        )
        both = set(older.sources) & set(new.sources)  # a message that says it twice counts once
        self._database.execute(
            "UPDATE conclusions SET times = ?, valid_from = ?, last_said = ? WHERE id = ?",
            max(1, older.times + new.times - len(both)),
            stored(min(older.valid_from, new.valid_from)),
            stored(max(older.last_said, new.last_said)),
            keep.id,
        )
        self._database.execute("DELETE FROM conclusions WHERE id = ?", drop.id)

    def _cosines(self, text: str, ids: Sequence[int], vector: Vectors | None) -> dict[int, float]:
        if vector is not None:
            return dict(self._vectors.similar(vector, ids, 0))
        if self._embed is None or not (head := pieces(text, 128, 1)):
            return {}
        try:
            return dict(self._vectors.similar(self._embed(head)[0], ids, 0))
        except EmbedderMissing:
            return {}

    def _settle_model(self) -> None:
        row = self._database.one("SELECT model FROM conclusion_space")
        if row is not None and row["model"] == MODEL:
            return
        with self._database.transaction():
            self._database.execute(f"DELETE FROM {VECTORS}")
            self._database.execute("DELETE FROM conclusion_space")
            self._database.execute("INSERT INTO conclusion_space VALUES (?)", MODEL)


def _says_the_same(one: str, other: str) -> bool:
    """Whether what differs is no name, no number and no denial: near vectors cannot tell."""
    if len(_NOT.findall(one.lower())) != len(_NOT.findall(other.lower())):
        return False
    return set(_TELLING.findall(one)) == set(_TELLING.findall(other))
