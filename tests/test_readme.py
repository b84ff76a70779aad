"""What the README says is tried: its team, its commands, its links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.home import Home

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

REHEARSAL = r"""
- profile: analyst
  match: How many days had snow
  calls:
    - tool: query_table
      arguments: {sql: SELECT count(*) AS days FROM seattle_weather WHERE weather = 'snow'}
- profile: analyst
  match: days\n(\d+)
  say: There were {{ match }} days of snow.
"""
"""What the models of the README's runs say."""


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, home: Home) -> Path:
    """A checkout as the README's reader has it: its examples, its environment, its first team."""
    checkout = tmp_path / "retinue"
    for kind in ("examples", "agents", "profiles", "skills"):
        shutil.copytree(ROOT / kind, checkout / kind)
    (checkout / ".venv").symlink_to(sys.prefix)
    saved = re.findall(r"^Save this as `(.+?)`:\n\n```yaml\n(.*?)^```", README, re.M | re.S)
    assert saved
    for name, text in saved:
        path = checkout / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        (path.parent / "rehearsal.yaml").write_text(REHEARSAL)
    home.create()
    (home.root / "settings.yaml").write_text("model: rehearsal\n")
    return checkout


@pytest.mark.slow
def test_every_command_of_the_readme_does_what_it_is_there_for(folder: Path) -> None:
    script = ["trap 'echo \"failed: $BASH_COMMAND\"' ERR", "set -eu"]
    script += [line for line in commands() if not line.startswith("make ")]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={name: os.environ[name] for name in ("PATH", "HOME", "RETINUE_HOME")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "There were 26 days of snow." in done.stdout


def test_every_make_target_of_the_readme_exists() -> None:
    targets = [line.split()[1] for line in commands() if line.startswith("make ")]
    targets += re.findall(r"`make ([a-z-]+)`", README)
    for target in targets:
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, target
    assert {"demo", "test", "check"} <= set(targets)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
    assert links


def test_every_file_the_architecture_page_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:orchestrator|tests)/[\w/]+\.py)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert named
