"""`retinue skill eval`."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from orchestrator.cli.output import Screen, columns, print_json
from orchestrator.cli.places import cache
from orchestrator.database import Database
from orchestrator.index import Embedder, EmbedderMissing
from orchestrator.skill import Embed, SkillIndex, SkillSearch
from orchestrator.skill.evaluate import Evaluation, evaluate, read_corpus, read_queries

_AT_ONCE = 8
_SECONDS_EACH = 0.13
"""Of CPU, for the vector of one skill."""


def evaluate_library(*, corpus: str, queries: str, as_json: bool) -> int:
    folder = Path(corpus).expanduser().absolute()
    skills = read_corpus(folder)
    asked = read_queries(Path(queries).expanduser(), (skill.id for skill in skills))
    with Screen(sys.stderr) as progress, _index(folder) as index:
        index.update(skills)
        embed = _embedded(index, progress)
        progress.busy(f"asking {len(asked)} queries")
        found = evaluate(SkillSearch(index, embed), asked, len(skills))
    if as_json:
        print_json(_row(found))
    else:
        with Screen() as screen:
            for line in _lines(found):
                screen.line(line)
    return 0


@contextmanager
def _index(corpus: Path) -> Generator[SkillIndex]:
    """Kept for the next time; what changed in the corpus since is indexed again."""
    name = blake2b(str(corpus).encode(errors="replace"), digest_size=8).hexdigest()
    folder = cache() / "skill-eval"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(folder / f"{name}.db")
    try:
        yield SkillIndex(database)
    finally:
        database.close()


def _embedded(index: SkillIndex, progress: Screen) -> Embed | None:
    """Compute the missing vectors; None where there is no embedder."""
    embed = Embedder().embed
    missing = index.missing()
    try:
        if missing:
            seconds = _SECONDS_EACH * missing
            progress.line(f"embedding {missing} skills, about {seconds:.0f} s", "quiet")
        done = 0
        while some := index.embed_missing(embed, _AT_ONCE):
            done += some
            progress.busy(f"embedded {done} of {missing} skills")
    except EmbedderMissing as error:
        progress.line(f"words alone are evaluated: {error}", "ask")
        return None
    return embed


def _row(found: Evaluation) -> Mapping[str, Any]:
    median, high = found.search_ms
    return {
        **asdict(found.overall),
        "skills": found.skills,
        "by_type": {type: asdict(quality) for type, quality in found.by_type.items()},
        "empty": found.empty,
        "false_triggers": found.false_triggers,
        "misses": found.misses,
        "latency": {"search_cpu_ms": {"median": median, "p95": high}},
    }


def _lines(found: Evaluation) -> Iterator[str]:
    table: list[Sequence[str]] = [
        ("QUERIES", "NUMBER", "NDCG@5", "R@1", "R@5", "R@10", "MRR", "SERVED")
    ]
    for type, quality in (*found.by_type.items(), ("all", found.overall)):
        figures = (
            quality.ndcg_at_5,
            quality.recall_at_1,
            quality.recall_at_5,
            quality.recall_at_10,
            quality.mrr,
            quality.served,
        )
        table.append((type, str(quality.queries), *(f"{figure:.3f}" for figure in figures)))
    yield from columns(table)
    median, high = found.search_ms
    yield f"\n{found.skills} skills; {median:.1f} ms of CPU a search, 95% within {high:.1f} ms"
    wrong = ", ".join(found.false_triggers)
    yield (
        f"served though nothing fits: {len(found.false_triggers)} of {found.empty}"
        f"{f' ({wrong})' if wrong else ''}"
    )
    if found.misses:
        yield f"nothing that fits among the first 5: {', '.join(found.misses)}"
