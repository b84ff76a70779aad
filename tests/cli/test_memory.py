"""`retinue memory …`: what a person finds of what was said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.index import Embedder, EmbedderMissing
from orchestrator.memory import Conversations
from tests.cli.project import Project

DIALOGUES = Path(__file__).parents[2] / "examples" / "memory" / "dialogues.json"


@pytest.fixture
def talked(project: Project) -> Project:
    project.play(
        {"profile": "writer", "say": "The cello is in the cellar.", "repeat": True},
    )
    project.rehearse("run", "desk", "Where is the cello?", "--to", "writer", "--session", "home")
    project.rehearse("run", "desk", "Paint the fence!", "--to", "writer", "--session", "garden")
    return project


def test_what_was_said_is_found_with_who_when_and_what_came_after(talked: Project) -> None:
    [first, *_] = talked.type(
        "memory", "search", "desk/writer", "where's that cello", "--json"
    ).data
    assert first["text"] in ("Where is the cello?", "The cello is in the cellar.")
    assert first["session"] in ("home", "garden")
    assert 0 < first["score"] <= 1
    assert first["words"] > 0
    assert first["meaning"] > 0
    around = [each["text"] for each in (*first["before"], *first["after"])]
    assert len(around) == 1
    shown = talked.type("memory", "search", "desk/writer", "music instrument")
    assert shown.code == 0
    assert "desk/writer" in shown.out
    assert "cello" in shown.out


def test_what_has_nothing_to_do_with_the_request_is_not_shown(talked: Project) -> None:
    assert talked.type("memory", "search", "desk/writer", "quarterly tax", "--json").data == []
    assert talked.type("memory", "search", "desk/writer", "quarterly tax").out == "nothing found\n"
    rows = talked.type("memory", "search", "desk/writer", "violoncello basement", "--json").data
    assert rows
    assert {row["words"] for row in rows} == {0}


def test_a_search_can_be_narrowed(talked: Project) -> None:
    def found(*words: str) -> set[str]:
        typed = talked.type("memory", "search", "desk/writer", "cello fence", *words, "--json")
        return {f"{row['speaker']}@{row['session']}" for row in typed.data}

    assert found("--person", "person") == {"person@home", "person@garden"}
    assert found("--session", "garden") == {"person@garden", "desk/writer@garden"}
    assert found("--since", "2999-01-01") == set()
    assert found("--until", "2000-01-01") == set()
    assert len(found("--since", "2000-01-01", "--until", "2999-01-01")) == 4


def test_another_member_has_said_nothing(talked: Project) -> None:
    assert talked.type("memory", "search", "desk/analyst", "cello", "--json").data == []
    assert "nothing found" in talked.type("memory", "search", "desk/analyst", "cello").out


def test_a_wrong_time_or_member_is_refused(talked: Project) -> None:
    wrong = talked.type("memory", "search", "desk/writer", "cello", "--since", "yesterday")
    assert wrong.code == 2
    assert "write 2026-03-01" in wrong.err
    nobody = talked.type("memory", "search", "desk/wirter", "cello")
    assert nobody.code == 2
    assert "writer" in nobody.err


def test_a_damaged_index_is_named_and_built_anew(talked: Project, home: Home) -> None:
    database = Database(home.profile("desk", "writer").memory_db)
    database.execute("DELETE FROM message_words_data")
    database.close()
    broken = talked.type("memory", "search", "desk/writer", "cello")
    assert broken.code != 0
    assert "retinue memory reindex" in broken.err
    done = talked.type("memory", "reindex", "desk/writer", "--json").data
    assert (done["messages"], done["without_vector"]) == (4, 0)
    assert talked.type("memory", "search", "desk/writer", "cello", "--json").data


def test_reindex_computes_what_is_missing_and_no_more(talked: Project, home: Home) -> None:
    first = talked.type("memory", "reindex", "desk/writer")
    assert "4 messages are indexed, 4 of them anew by meaning" in first.out
    assert talked.type("memory", "reindex", "desk/writer", "--json").data["vectors"] == 0
    database = Database(home.profile("desk", "writer").memory_db)
    with database.transaction():
        for n in range(70):
            Conversations(database).append(
                "s", run="r", key=str(n), peer="person", kind="said", text=f"word {n}", tokens=1
            )
    database.close()
    shown = talked.type("memory", "search", "desk/writer", "cello")
    assert "6 messages are searched by words alone: retinue memory reindex desk/writer" in shown.out


def test_without_an_embedder_words_alone_are_indexed(
    talked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise EmbedderMissing("the embedding model is not installed")

    monkeypatch.setattr(Embedder, "embed", missing)
    shown = talked.type("memory", "reindex", "desk/writer")
    assert "4 are found by words alone" in shown.out
    assert (
        talked.type("memory", "search", "desk/writer", "cello", "--json").data[0]["meaning"] is None
    )


def test_eval_prints_recall_for_each_category(project: Project) -> None:
    typed = project.type("memory", "eval", str(DIALOGUES), "--json")
    assert typed.code == 0
    found = typed.data
    assert (found["conversations"], found["asked"], found["questions"]) == (2, 32, 32)
    assert found["categories"]["keyword"]["recall_at_5"] == 1
    assert 0.7 <= found["categories"]["paraphrase"]["recall_at_5"] < 1
    assert found["categories"]["paraphrase"]["recall_at_10"] > 0.85
    lines = project.type("memory", "eval", str(DIALOGUES)).lines
    assert lines[0].split() == ["CATEGORY", "QUESTIONS", "R@5", "R@10"]
    assert [line.split()[0] for line in lines[1:]] == ["keyword", "paraphrase", "all"]
    told = (DIALOGUES.parents[2] / "docs" / "memory.md").read_text(encoding="utf-8")
    shares = (found["recall_at_5"], found["recall_at_10"])
    assert "| words and meaning | {:.1%} | {:.1%} |".format(*shares).replace("%", " %") in told


def test_eval_names_what_is_wrong(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    turns = [{"id": 1, "speaker": "Ann", "text": "I have a cello", "time": "1 pm on a Monday"}]
    asked: list[dict[str, object]] = [
        {"question": "Who has a cello?", "evidence": [1, "t9"], "category": 2},
        {"question": "Why?", "evidence": []},
    ]
    file.write_text(json.dumps([{"turns": turns, "questions": asked}]))
    typed = project.type("memory", "eval", str(file), "--json")
    assert typed.data["categories"] == {
        "2": {"questions": 1, "recall_at_5": 1.0, "recall_at_10": 1.0}
    }
    assert "conversation 1 has no turn 't9'" in typed.err
    for content, complaint in (
        ("[]", "asks no question"),
        ("{", "JSON"),
        ('[{"turns": [{"id": "a", "speaker": "b"}]}]', "0.turns.0.text"),
    ):
        file.write_text(content)
        wrong = project.type("memory", "eval", str(file))
        assert wrong.code == 2
        assert complaint in wrong.err
    assert main(["memory", "eval", str(tmp_path / "none.json")]) == 2
