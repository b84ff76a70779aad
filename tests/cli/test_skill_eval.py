"""`retinue skill eval` measures a library and remembers what it has embedded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main
from orchestrator.index import Embedder, EmbedderMissing
from tests.cli.project import Project

SKILLS = {
    "office/invoices": "Write invoices for customers. Use when somebody is to be billed.",
    "ops/backups": "Save databases at night and restore them after an accident.",
    "lang/chinese": "Lessons and exercises for learners of Chinese.",
}
QUERIES: tuple[Mapping[str, object], ...] = (
    {"qid": "bill", "query": "bill the customer", "relevant": ["office/invoices"], "type": "short"},
    {"qid": "lost", "query": "our database is lost", "relevant": ["ops/backups"], "type": "short"},
    {"qid": "none", "query": "good morning", "relevant": []},
)


@pytest.fixture
def library(project: Project) -> tuple[str, str]:
    corpus = project.folder / "corpus"
    for skill, description in SKILLS.items():
        folder = corpus / skill
        folder.mkdir(parents=True)
        head = f"---\nname: {folder.name}\ndescription: {description}\n---\n"
        (folder / "SKILL.md").write_text(f"{head}# {folder.name}\n\n{description}\n")
    queries = project.folder / "queries.jsonl"
    queries.write_text("".join(f"{json.dumps(query)}\n" for query in QUERIES))
    return str(corpus), str(queries)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["skill", "eval", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_holds_the_figures(
    library: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, *library, "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (found["skills"], found["queries"], found["empty"]) == (3, 2, 1)
    for figure in ("ndcg_at_5", "recall_at_1", "recall_at_5", "recall_at_10", "mrr"):
        assert found[figure] == 1
    assert found["by_type"]["short"]["queries"] == 2
    assert found["false_triggers"] == found["misses"] == []
    assert found["latency"]["search_cpu_ms"]["median"] > 0


def test_a_person_sees_a_table(
    library: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *library)
    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["QUERIES", "NUMBER", "NDCG@5"]
    assert "served though nothing fits: 0 of 1" in out
    assert "embedding 3 skills" in err


def test_only_what_changed_is_embedded_again(
    library: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, first, _ = run(capsys, *library, "--json")
    _, again, err = run(capsys, *library, "--json")
    assert json.loads(first)["mrr"] == json.loads(again)["mrr"]
    assert "embedding" not in err
    file = Path(library[0]) / "ops/backups/SKILL.md"
    file.write_text(file.read_text().replace("at night", "every night"))
    _, _, err = run(capsys, *library)
    assert "embedding 1 skills" in err


def test_words_alone_are_evaluated_where_there_is_no_embedder(
    library: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise EmbedderMissing("the embedding model is not installed")

    monkeypatch.setattr(Embedder, "embed", missing)
    code, out, err = run(capsys, *library, "--json")
    assert code == 0
    assert json.loads(out)["recall_at_5"] == 1
    assert "words alone are evaluated: the embedding model is not installed" in err


def test_a_wrong_id_is_named(library: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(library[1]).write_text('{"query": "x", "relevant": ["office/bills"]}\n')
    code, _, err = run(capsys, *library)
    assert code == 2
    assert "office/bills" in err
