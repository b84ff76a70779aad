"""The layers, as pyproject.toml draws them for import-linter, and who may import which SDK."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent

SDK_ROOMS = {
    "anthropic": "model",
    "chromadb": "index",
    "langchain_anthropic": "model",
    "langchain_openai": "model",
    "markdownify": "tool",
    "onnxruntime": "index",
    "openai": "model",
    "rich": "cli",
    "xllamacpp": "model",
}
"""Each SDK and the only room that may import it."""

HEAVY = (
    "anthropic",
    "chromadb",
    "langchain_anthropic",
    "langchain_openai",
    "langgraph",
    "markdownify",
    "numpy",
    "onnxruntime",
    "openai",
    "tokenizers",
    "xllamacpp",
)
"""Loaded by the functions that need them, never by importing a room."""


def test_imports_go_down_only(tmp_path: Path) -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-logo", "--cache-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_architecture_page_draws_the_same_layers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = project["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = page.partition("```\n")[2].partition("```")[0].splitlines()
    assert [re.split(r"  +", line)[0] for line in drawn] == contract["layers"]


def test_each_sdk_is_imported_in_one_room() -> None:
    graph = grimp.build_graph("orchestrator", include_external_packages=True, cache_dir=None)
    strays = {
        f"{importer} imports {sdk}"
        for sdk, room in SDK_ROOMS.items()
        if sdk in graph.modules
        for importer in graph.find_modules_that_directly_import(sdk)
        if not f"{importer}.".startswith(f"orchestrator.{room}.")
    }
    assert strays == set()


@pytest.mark.parametrize(
    "room", sorted(path.parent.name for path in ROOT.glob("orchestrator/*/__init__.py"))
)
def test_importing_a_room_is_cheap(room: str) -> None:
    code = f"import orchestrator.{room}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(done.stdout.split()) & set(HEAVY) == set()
