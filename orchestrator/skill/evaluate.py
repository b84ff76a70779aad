"""How well retrieval does on a library and judged queries of one's own."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from orchestrator.errors import ConfigError, PersonError, Problem
from orchestrator.skill.document import find_skills, read_skill
from orchestrator.skill.index import IndexedSkill
from orchestrator.skill.retrieval import SkillSearch

_MOST = 10


@dataclass(frozen=True)
class Query:
    """A request, and which skills fit it."""

    id: str
    text: str
    relevant: frozenset[str]
    """Empty: none does, and nothing should be served."""
    type: str


@dataclass(frozen=True)
class Quality:
    """Means over queries that have relevant skills, of the ranking as it is."""

    queries: int
    ndcg_at_5: float
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    """Recall at k is found / min(number of relevant, k)."""
    mrr: float
    """Within the first 10."""
    served: float
    """Share whose best hit is clear enough to be shown unasked."""


@dataclass(frozen=True)
class Evaluation:
    skills: int
    overall: Quality
    by_type: Mapping[str, Quality]
    empty: int
    """Queries that no skill fits."""
    false_triggers: tuple[str, ...]
    """Ids of those that would be shown skills unasked."""
    search_ms: tuple[float, float]
    """CPU of one search, median and 95th percentile, its query embedded before."""
    misses: tuple[str, ...]
    """Ids of queries with no relevant skill among the first 5."""

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class _Outcome:
    query: Query
    ranking: Sequence[str]
    served: bool
    seconds: float


def read_corpus(folder: Path) -> Sequence[IndexedSkill]:
    """Every skill below `folder`, its id being its path there. Raises PersonError, ConfigError."""
    if not folder.is_dir():
        raise PersonError(f"{folder} is not a folder; name one with skills below it")
    skills: list[IndexedSkill] = []
    for path in find_skills(folder):
        document = read_skill(path)
        id = path.relative_to(folder).as_posix()
        skills.append(IndexedSkill(id, document.name, document.description, document.body))
    if not skills:
        raise PersonError(f"no SKILL.md below {folder}")
    return skills


def read_queries(file: Path, known: Iterable[str]) -> Sequence[Query]:
    """One JSON object a line: `query`, `relevant` (skill ids), and optionally `qid` and `type`.

    Raises ConfigError with every problem.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PersonError(f"cannot read {file}: {error}") from error
    ids = frozenset(known)
    queries: list[Query] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            queries.append(_query(json.loads(line), str(number), ids))
        except ValueError as error:
            problems.append(Problem(str(file), number, "", str(error), "see `skill eval --help`"))
    if not queries and not problems:
        problems.append(Problem(str(file), None, "", "holds no query", "write one a line"))
    if problems:
        raise ConfigError(problems)
    return queries


def evaluate(
    search: SkillSearch,
    queries: Sequence[Query],
    skills: int,
    clock: Callable[[], float] = time.thread_time,
) -> Evaluation:
    """Ask every query twice, so that its embedding is not in the time."""
    outcomes = [_ask(search, query, clock) for query in queries]
    judged = [outcome for outcome in outcomes if outcome.query.relevant]
    empty = [outcome for outcome in outcomes if not outcome.query.relevant]
    types = dict.fromkeys(outcome.query.type for outcome in judged)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    return Evaluation(
        skills=skills,
        overall=_quality(judged),
        by_type={
            type: _quality([outcome for outcome in judged if outcome.query.type == type])
            for type in types
        },
        empty=len(empty),
        false_triggers=tuple(outcome.query.id for outcome in empty if outcome.served),
        search_ms=(
            1000 * statistics.median(seconds),
            1000 * seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        ),
        misses=tuple(
            outcome.query.id
            for outcome in judged
            if not outcome.query.relevant.intersection(outcome.ranking[:5])
        ),
    )


def _ask(search: SkillSearch, query: Query, clock: Callable[[], float]) -> _Outcome:
    search.search(query.text, most=_MOST)
    before = clock()
    hits = search.search(query.text, most=_MOST)
    seconds = clock() - before
    return _Outcome(query, [hit.id for hit in hits], bool(hits) and hits[0].clear, seconds)


def _quality(outcomes: Sequence[_Outcome]) -> Quality:
    def mean(figure: Callable[[Sequence[str], frozenset[str]], float]) -> float:
        if not outcomes:
            return 0.0
        return statistics.fmean(
            figure(outcome.ranking, outcome.query.relevant) for outcome in outcomes
        )

    def recall(k: int) -> float:
        return mean(lambda ranking, wanted: _found(ranking, wanted, k) / min(len(wanted), k))

    return Quality(
        queries=len(outcomes),
        ndcg_at_5=mean(_ndcg),
        recall_at_1=recall(1),
        recall_at_5=recall(5),
        recall_at_10=recall(10),
        mrr=mean(_reciprocal_rank),
        served=sum(outcome.served for outcome in outcomes) / max(1, len(outcomes)),
    )


def _found(ranking: Sequence[str], wanted: frozenset[str], k: int) -> int:
    return len(wanted.intersection(ranking[:k]))


def _ndcg(ranking: Sequence[str], wanted: frozenset[str], k: int = 5) -> float:
    def gain(relevant: Iterable[bool]) -> float:
        return sum(1 / math.log2(place + 2) for place, yes in enumerate(relevant) if yes)

    best = gain([True] * min(len(wanted), k))
    return gain(skill in wanted for skill in ranking[:k]) / best


def _reciprocal_rank(ranking: Sequence[str], wanted: frozenset[str]) -> float:
    return next((1 / place for place, skill in enumerate(ranking, 1) if skill in wanted), 0.0)


def _query(data: object, default_id: str, known: frozenset[str]) -> Query:
    """Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError("is not a JSON object")
    entry = cast("dict[str, Any]", data)
    text, relevant = entry.get("query"), entry.get("relevant")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("`query` is not a text")
    if not isinstance(relevant, list) or not all(
        isinstance(skill, str) for skill in cast("list[object]", relevant)
    ):
        raise ValueError("`relevant` is not a list of skill ids")
    wanted = frozenset(cast("list[str]", relevant))
    if unknown := sorted(wanted - known):
        raise ValueError(f"no skill {unknown[0]!r} in the corpus")
    return Query(str(entry.get("qid", default_id)), text, wanted, str(entry.get("type", "query")))
