"""What every tracked file must be free of, and what must lie beside the code."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CONTENT = ("agents", "profiles", "skills", "examples")

FORBIDDEN = {
    "the host of a package index": re.compile(
        rb"\b(?:py[p]i|pythonhoste[d]|registry\.npmj[s]|deb\.debia[n]|proxy\.golan[g])\.(?:org|com)\b"
    ),
    "a path of one machine": re.compile(rb"(?<![\w.:{}*)$-])/(?:wor[k]|roo[t]|Users)/[\w.]"),
    "a folder outside the repository": re.compile(rb"\.\./share[d]"),
    "a secret": re.compile(
        rb"\b(?:sk-(?:ant-|proj-)?[A-Za-z0-9_]{32,}|ghp_[A-Za-z0-9]{36}|AKIA(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16})\b"
    ),
}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is in the repository, or would be with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace')[:120]}"
        for path in tracked()
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert found == []


def test_content_folders_are_no_packages() -> None:
    assert [path for kind in CONTENT for path in (ROOT / kind).rglob("__init__.py")] == []


def test_the_licence_is_there() -> None:
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_every_locked_package_has_hashes() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = re.findall(
            r"^[a-z][^\n]*==[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n)+)",
            lock.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        assert len(entries) == len(pins(lock)) > 50


def test_the_tools_run_on_the_packages_that_people_run() -> None:
    run, dev = (pins(ROOT / "requirements" / f"{kind}.lock") for kind in ("run", "dev"))
    assert run <= dev


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z][^\s;\\]*==[^\s;\\]+", lock.read_text("utf-8"), re.MULTILINE))
