"""The figures are what their names say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.database import Database
from orchestrator.errors import ConfigError, PersonError
from orchestrator.index import Embedder
from orchestrator.skill import SkillIndex, SkillSearch
from orchestrator.skill.evaluate import Query, evaluate, read_corpus, read_queries
from tests.skill.library import CROWD, SKILLS

BENCH = os.environ.get("RETINUE_SKILLBENCH", "")


def query(id: str, text: str, *relevant: str, type: str = "a") -> Query:
    return Query(id, text, frozenset(relevant), type)


def test_figures_follow_the_places_of_what_is_relevant(tmp_path: Path) -> None:
    index = SkillIndex(Database(tmp_path / "memory.db"))
    index.update([*SKILLS, *CROWD])
    queries = [
        query("first", "databases", "ops/backups"),
        query("second", "castles castles glaciers", "crowd/glaciers", type="b"),
        query("half", "tulips", "crowd/tulips", "crowd/chess", type="b"),
        query("lost", "volcanoes", "crowd/opera", type="b"),
        query("empty", "jazz"),
        query("quiet", "zzz"),
    ]
    result = evaluate(SkillSearch(index, None), queries, len(index))
    assert result.by_type["a"].ndcg_at_5 == result.by_type["a"].mrr == 1
    ranking = [hit.id for hit in SkillSearch(index, None).search("castles castles glaciers")]
    place = ranking.index("crowd/glaciers") + 1
    assert result.by_type["b"].mrr == pytest.approx((1 / place + 1 + 0) / 3)
    assert result.by_type["b"].recall_at_5 == pytest.approx((1 + 0.5 + 0) / 3)
    assert result.overall.queries == 4
    assert result.misses == ("lost",)
    assert result.empty == 2
    assert result.false_triggers == ("empty",)


def test_a_corpus_is_read_with_paths_as_ids(tmp_path: Path) -> None:
    folder = tmp_path / "corpus" / "source" / "soap"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: soap\ndescription: Boil soap.\n---\nMix.\n")
    (skill,) = read_corpus(tmp_path / "corpus")
    assert (skill.id, skill.name, skill.description, skill.body) == (
        "source/soap",
        "soap",
        "Boil soap.",
        "Mix.",
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PersonError, match=r"no SKILL\.md below"):
        read_corpus(empty)
    with pytest.raises(PersonError, match="not a folder"):
        read_corpus(tmp_path / "nowhere")


def test_every_bad_line_of_the_queries_is_named(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    lines = [
        json.dumps({"qid": "Q1", "query": "soap", "relevant": ["a/soap"], "type": "t"}),
        "",
        "{not json",
        "[]",
        json.dumps({"query": " ", "relevant": []}),
        json.dumps({"query": "soap", "relevant": "a/soap"}),
        json.dumps({"query": "soap", "relevant": ["a/sope"]}),
    ]
    file.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as refused:
        read_queries(file, ["a/soap"])
    assert [problem.line for problem in refused.value.problems] == [3, 4, 5, 6, 7]
    file.write_text("\n".join(lines[:2]))
    assert read_queries(file, ["a/soap"]) == [
        Query("Q1", "soap", frozenset({"a/soap"}), "t"),
    ]
    file.write_text("")
    with pytest.raises(ConfigError, match="holds no query"):
        read_queries(file, [])


@pytest.mark.slow
@pytest.mark.skipif(not BENCH, reason="RETINUE_SKILLBENCH names no folder with public skills")
def test_public_skills_are_found_better_than_by_the_best_known_fusion(tmp_path: Path) -> None:
    skills = read_corpus(Path(BENCH) / "corpus")
    index = SkillIndex(Database(tmp_path / "memory.db"))
    index.update(skills)
    embedder = Embedder()
    index.embed_missing(embedder.embed)
    queries = read_queries(Path(BENCH) / "dev.jsonl", [skill.id for skill in skills])
    result = evaluate(SkillSearch(index, embedder.embed), queries, len(skills))
    assert result.overall.ndcg_at_5 > 0.84
    assert result.overall.recall_at_10 >= 0.95
    assert result.false_triggers == ()
