"""What is searched follows the skills, at little cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestrator.database import Database
from orchestrator.index.vectors import normalised
from orchestrator.skill import IndexedSkill, SkillIndex, SkillSearch, Stats
from tests.skill.library import CROWD, SKILLS

LIBRARY = (*SKILLS, *CROWD)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "memory.db")


@pytest.fixture
def index(database: Database) -> SkillIndex:
    made = SkillIndex(database)
    made.update(LIBRARY)
    return made


class Spelling:
    """An embedding by letters, and a record of what was embedded."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        counts = [[text.lower().count(letter) for letter in "abcdefghijklmnop"] for text in texts]
        return normalised(np.array(counts, np.float32) + 0.01)


def found(index: SkillIndex, query: str) -> list[str]:
    return [hit.id for hit in SkillSearch(index, None).search(query)]


def test_an_update_writes_what_changed_and_nothing_else(index: SkillIndex) -> None:
    assert index.update(LIBRARY) == Stats(0, 0, 0, len(LIBRARY))
    changed = replace(SKILLS[0], body="Now about stained windows.")
    new = IndexedSkill("new/soap", "soap", "Boil soap.", "Mix lye and fat.")
    assert index.update([changed, *LIBRARY[2:], new]) == Stats(1, 1, 1, len(LIBRARY) - 2)
    assert len(index) == len(LIBRARY)
    assert found(index, "stained windows")[0] == SKILLS[0].id
    assert found(index, "quantise the colours") == []
    assert found(index, "invoices") == []
    assert found(index, "soap") == ["new/soap"]


def test_the_index_is_there_for_the_next_process(index: SkillIndex, tmp_path: Path) -> None:
    again = SkillIndex(Database(tmp_path / "memory.db"))
    assert again.update(LIBRARY).unchanged == len(LIBRARY)
    assert found(again, "restore databases")[0] == "ops/backups"


def test_only_what_says_what_a_skill_is_for_is_embedded_again(index: SkillIndex) -> None:
    embed = Spelling()
    assert index.embed_missing(embed, most=3) == 3
    assert index.embed_missing(embed) == len(LIBRARY) - 3
    assert index.embed_missing(embed) == 0
    embed.texts.clear()
    long = replace(SKILLS[3], body=SKILLS[3].body + "\n\nword " * 5000 + "the end")
    described = replace(SKILLS[0], description="Paint small squares.")
    index.update([described, SKILLS[1], SKILLS[2], long, *LIBRARY[4:]])
    assert index.embed_missing(embed) == 2
    embed.texts.clear()
    much_longer = replace(long, body=long.body + " and one word after the end")
    index.update([described, SKILLS[1], SKILLS[2], much_longer, *LIBRARY[4:]])
    assert index.embed_missing(embed) == 0
    assert embed.texts == []


def test_vectors_another_process_wrote_are_seen(index: SkillIndex, tmp_path: Path) -> None:
    embed = Spelling()
    search = SkillSearch(index, embed)
    assert search.search("restore databases")[0].vector is None
    other = SkillIndex(Database(tmp_path / "memory.db"))
    other.embed_missing(embed)
    assert search.search("restore databases")[0].vector is not None
    other.update(LIBRARY[:3])
    assert {hit.id for hit in search.search("restore databases", most=50)} == {
        skill.id for skill in LIBRARY[:3]
    }


def test_a_skill_without_a_vector_yet_is_found_among_others(index: SkillIndex) -> None:
    embed = Spelling()
    index.embed_missing(embed)
    new = IndexedSkill("new/soap", "soap", "Boil soap from lye.", "Mix lye and fat.")
    index.update([*LIBRARY, new])
    best = SkillSearch(index, embed).search("boil soap with lye")[0]
    assert (best.id, best.vector) == ("new/soap", None)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_any_text_can_be_searched_for(query: str) -> None:
    with TemporaryDirectory() as folder:
        database = Database(Path(folder) / "memory.db")
        made = SkillIndex(database)
        made.update(SKILLS[:2])
        SkillSearch(made, Spelling()).search(query, [query])
        database.close()


def test_an_empty_library_finds_nothing(database: Database) -> None:
    index = SkillIndex(database)
    assert index.update([]) == Stats(0, 0, 0, 0)
    search = SkillSearch(index, Spelling())
    assert list(search.search("anything")) == list(search.recall("anything")) == []


def test_in_a_large_library_words_of_everybody_count_only_alone(index: SkillIndex) -> None:
    many = [IndexedSkill(f"many/{n}", f"skill-{n}", "About boats.", "Row.") for n in range(2_000)]
    index.update([*LIBRARY, *many])
    assert [index.skill(row) for row in index.by_words(["boats", "invoice"], 10)] == [
        (SKILLS[1].id, SKILLS[1].name, SKILLS[1].description)
    ]
    assert len(index.by_words(["boats"], 10)) == 10
    index.update(LIBRARY)
    assert index.by_words(["boats"], 10) == {}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE skill_words_data SET block = x'deadbeefdeadbeefdeadbeef'",
        "UPDATE skill_words_data SET block = x''",
        "UPDATE skill_words_data SET block = "
        "x'd62c90f75b2a349116d487becbefbb1ad770fda5f73902b22211087c38ea'",
        "DELETE FROM skill_words_data",
        "DELETE FROM skill_words_config",
        "DROP TABLE skill_words_data",
    ],
)
def test_a_damaged_index_is_whole_again_once_it_is_built_anew(
    index: SkillIndex, database: Database, tmp_path: Path, damage: str
) -> None:
    embed = Spelling()
    index.embed_missing(embed)
    before = database.one("SELECT MAX(stamp) AS stamp FROM skill_vectors")
    other = SkillIndex(Database(tmp_path / "memory.db"))
    assert found(other, "restore databases")[0] == "ops/backups"
    database.execute(damage)
    again = Database(tmp_path / "memory.db")
    damaged = SkillIndex(again)
    damaged.clear()
    assert len(damaged) == 0
    assert damaged.update(LIBRARY) == Stats(len(LIBRARY), 0, 0, 0)
    assert damaged.embed_missing(embed) == len(LIBRARY)
    assert again.one("PRAGMA integrity_check")["integrity_check"] == "ok"  # pyright: ignore[reportOptionalSubscript]  always a row
    after = again.one("SELECT MIN(stamp) AS stamp FROM skill_vectors")
    assert before is not None
    assert after is not None
    assert after["stamp"] > before["stamp"]
    for each in (index, damaged, other):
        assert found(each, "restore databases")[0] == "ops/backups"
