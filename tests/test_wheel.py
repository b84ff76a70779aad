"""The wheel, installed where there is no checkout, brings all its content along."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.content import Kind

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; its other packages are those the tests run with."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    [wheel] = folder.glob("retinue-*.whl")
    target = folder / "env"
    venv.create(target, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(target)}))
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib"))
    pip = ["-m", "pip", "--python", target / "bin" / "python", "install"]
    offline = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, *pip, *offline, wheel], check=True)
    return target


def ask(installed: Path, home: Path, *words: str | Path) -> str:
    """What the installed command prints, run far from the checkout."""
    done = subprocess.run(
        [installed / "bin" / "retinue", *words],
        cwd=home.parent,
        env={"RETINUE_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content(installed: Path) -> Path:
    code = "import orchestrator; print(orchestrator.__path__[0])"
    done = subprocess.run(
        [installed / "bin" / "python", "-I", "-c", code], check=True, capture_output=True, text=True
    )
    package = Path(done.stdout.strip())
    assert package.is_relative_to(installed)
    return package / "_content"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_content_file_of_the_checkout_is_in_it(installed: Path, kind: str) -> None:
    expected = read_all(ROOT / kind)
    assert read_all(content(installed) / kind) == expected
    assert expected


def read_all(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_team_is_found_by_name(installed: Path, tmp_path: Path) -> None:
    teams = json.loads(ask(installed, tmp_path / "home", "team", "list", "--json"))
    names = {path.stem for path in (ROOT / "profiles").glob("*.yaml")}
    assert {team["name"] for team in teams} == names


def test_every_team_and_agent_loads_without_a_problem(installed: Path, tmp_path: Path) -> None:
    folder = content(installed)
    files = sorted([*folder.glob("profiles/*.yaml"), *folder.glob("agents/*.md")])
    printed = ask(installed, tmp_path / "home", "team", "validate", *files, "--json")
    assert json.loads(printed) == []


def test_every_skill_loads_as_the_specification_wants_it(installed: Path, tmp_path: Path) -> None:
    folder = content(installed) / "skills"
    told = json.loads(
        ask(installed, tmp_path / "home", "skill", "lint", folder, "--strict", "--json")
    )
    names = {path.name for path in (ROOT / "skills").iterdir()}
    assert {Path(skill["file"]).parent.name for skill in told} == names
    assert all(skill["loads"] and skill["problems"] == [] for skill in told)
