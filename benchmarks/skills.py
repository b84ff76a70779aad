"""Finding skills: what a search, an index and the prompt cost, and how often it is the right one.

With the environment variable RETINUE_SKILLBENCH, a folder with `corpus/` (skills) and `dev.jsonl`
(judged queries, as `retinue skill eval` reads them), real skills are measured, and the ranking too;
else skills mixed from what Retinue brings along.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.figure import Figure, show
from orchestrator.content import bundled
from orchestrator.database import Database
from orchestrator.index import Embedder, count_tokens, from_int8, to_int8
from orchestrator.skill import IndexedSkill, SkillIndex, SkillSearch, cards
from orchestrator.skill.evaluate import Query, evaluate, read_corpus, read_queries

SAMPLE = 100
"""Skills whose vectors are computed; those of larger libraries are theirs, jittered."""

_MEMORY = """\
from orchestrator.index import Embedder
embedder = Embedder()
for n in range(20):
    embedder.embed([f"{n} {k} how to restore the database of the shop " * 20 for k in range(16)])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _texts() -> Sequence[IndexedSkill]:
    """What Retinue brings along, as if each file were a skill."""
    files = [path for kind in ("skills", "agents") for path in sorted(bundled(kind).rglob("*.md"))]
    files += sorted((Path(__file__).parents[1] / "docs").rglob("*.md"))
    texts = [(path, path.read_text("utf-8")) for path in files]
    return [IndexedSkill(str(path), path.stem, text[:300], text) for path, text in texts]


def _mixed(skills: Sequence[IndexedSkill], count: int) -> Sequence[IndexedSkill]:
    """That many skills: those given, then ones made of others' paragraphs and words."""
    chance = random.Random(7)
    made = list(skills[:count])
    paragraphs = [part for skill in skills for part in skill.body.split("\n\n") if part.strip()]
    words = [re.findall(r"\w+", f"{skill.name} {skill.description}") for skill in skills]
    length = max(1, round(len(paragraphs) / len(skills)))
    for n in range(len(made), count):
        some = [word for each in chance.sample(words, 3) for word in each]
        description = " ".join(chance.sample(some, min(30, len(some))))
        body = "\n\n".join(chance.choices(paragraphs, k=length))
        made.append(IndexedSkill(f"mixed/{n}", f"mixed-{n}", description, body))
    return made


def _fill(database: Database, skills: int, sample: Sequence[bytes]) -> None:
    """Give every skill a vector: one of the sample, and some noise."""
    noise = np.random.default_rng(7)
    vectors = [from_int8(each) for each in sample]
    with database.transaction():
        for row in database.all("SELECT id FROM skill_index LIMIT ?", skills):
            id: int = row["id"]
            vector = vectors[id % len(vectors)]
            jittered = vector + noise.normal(scale=0.03, size=vector.shape).astype(np.float32)
            database.execute(
                "INSERT OR REPLACE INTO skill_vectors (id, meaning, vector) "
                "SELECT id, meaning, ? FROM skill_index WHERE id = ?",
                to_int8(jittered),
                id,
            )


def _searched(search: SkillSearch, queries: Sequence[str]) -> tuple[float, float]:
    """Median and 95th percentile of a search whose query was embedded before, in milliseconds."""
    for query in queries:
        search.search(query)
    taken = sorted(_cpu(lambda query=query: search.search(query)) for query in queries)
    return 1000 * statistics.median(taken), 1000 * taken[int(0.95 * len(taken))]


def _costs(folder: Path, skills: Sequence[IndexedSkill], queries: Sequence[str]) -> list[Figure]:
    embedder = Embedder()
    embedder.embed(["load the model"])
    sample = SkillIndex(database := Database(folder / "sample.db"))
    sample.update(skills[:SAMPLE])
    embedded = _cpu(lambda: sample.embed_missing(embedder.embed)) / len(sample)
    vectors = [row["vector"] for row in database.all("SELECT vector FROM skill_vectors")]
    asked = sorted(_cpu(lambda query=query: embedder.embed([query])) for query in queries)
    figures = [
        Figure(
            "vectors of 1,000 skills",
            1000 * embedded,
            "s CPU",
            at_most=150,
            note=f"from {len(sample)} skills",
        ),
        Figure("embedding of a query", 1000 * statistics.median(asked), "ms CPU"),
    ]
    for count, at_most in ((1_000, 12), (10_000, 25)):
        index = SkillIndex(database := Database(folder / f"{count}.db"))
        library = _mixed(skills, count)
        written = _cpu(lambda index=index, library=library: index.update(library))
        again = _cpu(lambda index=index, library=library: index.update(library))
        _fill(database, count, vectors)
        search = SkillSearch(index, embedder.embed)
        median, high = _searched(search, queries)
        if count == 1_000:
            figures += [
                Figure("index of 1,000 skills, words", written, "s CPU", at_most=2),
                Figure("the same when nothing changed", again, "s CPU", at_most=1),
                Figure(
                    "prompt cost of 1,000 skills",
                    max(count_tokens(cards(search.search(query))) for query in queries),
                    "tokens",
                    at_most=300,
                    note="the dearest of all queries",
                ),
            ]
        figures.append(
            Figure(
                f"search in {count:,} skills",
                median,
                "ms CPU",
                at_most=at_most,
                note=f"95th percentile {high:.1f}; the query's embedding is apart",
            )
        )
    return figures


class _Undone(Exception):
    """Rolls a transaction back."""


def _triggers_without(
    database: Database, index: SkillIndex, search: SkillSearch, query: Query, skills: Sequence[str]
) -> bool:
    """Whether something is served when the skills that fit are not there."""
    served = False
    try:
        with database.transaction():
            for skill in query.relevant:
                database.execute(
                    "DELETE FROM skill_words WHERE rowid = "
                    "(SELECT id FROM skill_index WHERE skill = ?)",
                    skill,
                )
                database.execute("DELETE FROM skill_index WHERE skill = ?", skill)
            served = bool(search.recall(query.text))
            raise _Undone
    except _Undone:
        return served


def _quality(folder: Path, skills: Sequence[IndexedSkill], judged: Path) -> list[Figure]:
    embedder = Embedder()
    database = Database(folder / "judged.db")
    index = SkillIndex(database)
    index.update(skills)
    index.embed_missing(embedder.embed)
    search = SkillSearch(index, embedder.embed)
    ids = [skill.id for skill in skills]
    queries = read_queries(judged, ids)
    found = evaluate(search, queries, len(skills))
    fitting = [query for query in queries if query.relevant]
    hard = [_triggers_without(database, index, search, query, ids) for query in fitting]
    where = f"{len(skills)} skills, {found.overall.queries} queries"
    return [
        Figure("nDCG@5", found.overall.ndcg_at_5, "", at_least=0.84, note=where),
        Figure("recall@5", found.overall.recall_at_5, "", note=where),
        Figure("recall@10", found.overall.recall_at_10, "", note=where),
        Figure("served unasked, of queries that some skill fits", found.overall.served, ""),
        Figure(
            "false triggers, of queries that nothing fits",
            len(found.false_triggers),
            f"of {found.empty}",
        ),
        Figure(
            "false triggers when the skills that fit are taken away",
            sum(hard),
            f"of {len(hard)}",
            note="a related skill may still help",
        ),
    ]


def _memory() -> float:
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def measure() -> Sequence[Figure]:
    place = os.environ.get("RETINUE_SKILLBENCH")
    bench = Path(place) if place else None
    skills = read_corpus(bench / "corpus") if bench is not None else _texts()
    random.Random(7).shuffle(shuffled := list(skills))
    known = [skill.id for skill in skills]
    queries = (
        [query.text for query in read_queries(bench / "dev.jsonl", known)]
        if bench is not None
        else [" ".join(skill.description.split()[5:15]) for skill in _mixed(skills, 1_000)[-50:]]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = _costs(folder, _mixed(shuffled, max(len(skills), SAMPLE)), queries)
        figures.append(Figure("memory with the embedder loaded", _memory(), "MB", at_most=220))
        if bench is not None:
            figures += _quality(folder, skills, bench / "dev.jsonl")
    return figures


if __name__ == "__main__":
    show(measure())
