"""Skills as people write them: everything loads, and what is odd is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, NotFoundError, PersonError
from orchestrator.skill import (
    SkillDocument,
    SkillFile,
    conform,
    find_skills,
    read_skill,
    write_skill,
)
from orchestrator.skill.files import inside

GOOD = (
    "---\nname: hive\ndescription: Count bees. Use when a hive is opened.\n---\n\n# Hive\n\nLook.\n"
)


def skill(folder: Path, text: str = GOOD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    return folder


def test_a_skill_as_specified_has_no_warnings(tmp_path: Path) -> None:
    document = read_skill(skill(tmp_path / "hive"))
    assert (document.name, document.description) == (
        "hive",
        "Count bees. Use when a hive is opened.",
    )
    assert document.body == "# Hive\n\nLook."
    assert document.warnings == ()


@pytest.mark.parametrize(
    ("front", "key", "line", "said"),
    [
        ("name: Hive Count\ndescription: d", "name", 2, "not lower-case"),
        ("name: bees\ndescription: d", "name", 2, "the folder is 'hive'"),
        ("name: hive\ndescription: d\nversion: 1.0", "version", 4, "not a key"),
        (f"name: hive\ndescription: {'d' * 1025}", "description", 3, "1025 characters"),
        ("name: hive\ndescription: d\nallowed-tools:\n- Read", "allowed-tools", 4, "is a list"),
        ("name: hive\ndescription: d\nmetadata: {a: b}", "metadata", 4, "flow style"),
        ("name: hive\ndescription: d\nmetadata:\n  a: [b]", "metadata", 4, "a: not text"),
        ("name: hive\ndescription: d\nmetadata: yes", "metadata", 4, "is a truth value"),
        (f"name: hive\ndescription: d\ncompatibility: {'c' * 501}", "compatibility", 4, "501"),
        ("name: hive\nname: hive\ndescription: d", "name", 3, "given twice"),
        ("description: d", "name", None, "is missing"),
        ("name: hive", "description", None, "is missing"),
        ("name: hive\ndescription: d\nbad: [", "", 4, ""),
    ],
)
def test_what_is_odd_is_named_with_file_line_and_field(
    tmp_path: Path, front: str, key: str, line: int | None, said: str
) -> None:
    folder = skill(tmp_path / "hive", f"---\n{front}\n---\nLook into it.\n")
    document = read_skill(folder)
    [found] = [each for each in document.warnings if each.key == key and said in each.problem]
    assert (Path(found.file).name, found.line) == ("SKILL.md", line)
    assert document.name
    assert document.description


def test_what_the_specification_does_not_know_is_kept(tmp_path: Path) -> None:
    front = "name: hive\ndescription: d\nplatforms: [macos]\nmetadata:\n  a: 1"
    document = read_skill(skill(tmp_path / "hive", f"---\n{front}\n---\nLook.\n"))
    assert document.extra == {"platforms": ["macos"]}
    assert document.metadata == {"a": "1"}


def test_tools_are_read_from_text_and_from_a_list(tmp_path: Path) -> None:
    text = "name: hive\ndescription: d\nallowed-tools: Bash(git add *) Read, Grep"
    document = read_skill(skill(tmp_path / "hive", f"---\n{text}\n---\n"))
    assert document.allowed_tools == ("Bash(git add *)", "Read", "Grep")


@pytest.mark.parametrize("text", ["# Hive\n\nCount bees.\n", "---\nname: hive\nCount bees.\n"])
def test_a_skill_without_front_matter_loads(tmp_path: Path, text: str) -> None:
    document = read_skill(skill(tmp_path / "hive", text))
    assert document.name == "hive"
    assert "Count bees." in document.description
    assert document.warnings


def test_bytes_that_are_no_utf_8_are_replaced(tmp_path: Path) -> None:
    folder = skill(tmp_path / "hive")
    (folder / "SKILL.md").write_bytes(GOOD.encode() + b"caf\xe9\n")
    document = read_skill(folder)
    assert document.body.endswith("caf\N{REPLACEMENT CHARACTER}")
    assert [each.problem for each in document.warnings] == ["is not UTF-8 text"]


def test_no_skill_at_all_and_a_huge_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="folder that holds one"):
        read_skill(tmp_path)
    with pytest.raises(ConfigError, match="larger than"):
        read_skill(skill(tmp_path / "hive", "x" * 1_000_001))


def test_files_are_listed_and_links_left_out(tmp_path: Path) -> None:
    folder = skill(tmp_path / "hive")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "count.sh").write_text("echo 1\n")
    (folder / "scripts" / "count.sh").chmod(0o755)
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "there").symlink_to("/etc")
    document = read_skill(folder)
    assert document.files == (SkillFile("scripts/count.sh", 7, True),)
    assert [Path(each.file).name for each in document.warnings] == ["secret", "there"]


def test_what_is_written_is_read_back_without_warnings(tmp_path: Path) -> None:
    source = skill(tmp_path / "from")
    (source / "scripts").mkdir()
    (source / "scripts" / "run").write_text("x")
    (source / "scripts" / "run").chmod(0o755)
    written = SkillDocument(
        name="hive",
        description="Zähle: 'Bienen' # immer",
        body="# Hive\n\n---\n\nyes",
        license="MIT",
        compatibility="Needs a hive",
        metadata={"version": "1.0", "on": "yes"},
        allowed_tools=("Read", "Bash(git add *)"),
        folder=source,
        files=(SkillFile("scripts/run", 1, True),),
    )
    write_skill(written, tmp_path / "hive")
    again = read_skill(tmp_path / "hive")
    assert again == written.replace(folder=(tmp_path / "hive").resolve())
    assert os.access(tmp_path / "hive" / "scripts" / "run", os.X_OK)


def test_writing_replaces_the_whole_skill(tmp_path: Path) -> None:
    folder = skill(tmp_path / "hive")
    (folder / "old.txt").write_text("old")
    write_skill(read_skill(skill(tmp_path / "new" / "hive")).replace(body="New."), folder)
    assert read_skill(folder).body == "New."
    assert [path.name for path in tmp_path.iterdir() if path.name != "new"] == ["hive"]
    assert not (folder / "old.txt").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Hive"}, "not lower-case"),
        ({"name": "bees"}, "the folder is 'hive'"),
        ({"description": " "}, "is empty"),
        ({"description": "d" * 1025}, "1025 characters"),
        ({"compatibility": "c" * 501}, "501 characters"),
        ({"extra": {"version": 1}}, "not a key"),
    ],
)
def test_what_the_specification_forbids_is_not_written(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    document = SkillDocument("hive", "d", "body").replace(**changes)
    with pytest.raises(ConfigError, match=said):
        write_skill(document, tmp_path / "hive")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../out", "link/passwd"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    folder = skill(tmp_path / "hive")
    (folder / "link").symlink_to("/etc")
    with pytest.raises(PersonError, match="not inside"):
        inside(folder, path)


def test_any_document_can_be_made_legal_and_keeps_what_it_said(tmp_path: Path) -> None:
    long = "Counts bees. " * 100
    odd = SkillDocument(
        "Hive Count!", long, "body", compatibility="c " * 400, extra={"tags": ["a"], "v": "1"}
    )
    legal = conform(odd)
    write_skill(legal, tmp_path / "hive-count")
    assert legal.metadata == {"tags": '["a"]', "v": "1", "title": "Hive Count!"}
    assert len(legal.description) <= 1024
    assert long.strip() in legal.body


CORPUS = os.environ.get("RETINUE_SKILLBENCH")


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS, reason="RETINUE_SKILLBENCH names no folder of public skills")
def test_every_public_skill_loads_and_can_be_written(tmp_path: Path) -> None:
    folders = find_skills(Path(CORPUS or "") / "corpus")
    assert len(folders) == 618
    for folder in folders:
        document = read_skill(folder)
        legal = conform(document)
        target = tmp_path / legal.name
        write_skill(legal, target)
        again = read_skill(target)
        assert again.warnings == (), folder
        assert (again.body, again.metadata) == (legal.body.strip(), legal.metadata), folder
