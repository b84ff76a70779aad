"""A profile's own secrets, and what cannot be read as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import HomeError
from orchestrator.home import ProfileHome


@pytest.fixture
def profile(tmp_path: Path) -> ProfileHome:
    return ProfileHome("firm", "counter", tmp_path)


def write_env(profile: ProfileHome, content: bytes, mode: int = 0o600) -> None:
    profile.env_file.write_bytes(content)
    profile.env_file.chmod(mode)


def test_secrets_are_read(profile: ProfileHome) -> None:
    assert profile.credentials() == {}
    write_env(profile, b"# keys\nexport A='x y'\nB=1=2\n")
    assert profile.credentials() == {"A": "x y", "B": "1=2"}


def test_a_file_others_can_read_is_refused(profile: ProfileHome) -> None:
    write_env(profile, b"A=x\n", 0o640)
    with pytest.raises(HomeError, match=r"chmod 600 .*\.env"):
        profile.credentials()


def test_what_is_no_text_or_no_file_is_named(profile: ProfileHome) -> None:
    write_env(profile, b"A=\xff\n")
    with pytest.raises(HomeError, match=r"\.env is not UTF-8 text: byte 2 is wrong"):
        profile.credentials()
    profile.env_file.unlink()
    profile.env_file.mkdir(mode=0o700)
    with pytest.raises(HomeError, match=r"cannot read .*\.env: Is a directory"):
        profile.credentials()
