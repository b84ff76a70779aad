"""The home: where state lies, one folder per profile that no other profile is ever given."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import HomeError


@dataclass(frozen=True)
class ProfileHome:
    """The folder of one profile; everything of that profile hangs on this object."""

    team: str
    profile: str
    root: Path

    @property
    def address(self) -> str:
        return f"{self.team}/{self.profile}"

    @property
    def memory_db(self) -> Path:
        return self.root / "memory.db"

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def index(self) -> Path:
        """What can be built again from `memory.db`."""
        return self.root / "index"

    @property
    def skills(self) -> Path:
        return self.root / "skills"

    @property
    def env_file(self) -> Path:
        return self.root / ".env"

    def create(self) -> None:
        """Make the folders, private to the person; harmless when they exist. Raises HomeError."""
        for folder in (self.root, self.workspace):
            _private_folder(folder)

    def credentials(self) -> dict[str, str]:
        """The profile's own secrets; a world-readable `.env` is refused. Raises HomeError."""
        if not self.env_file.exists():
            return {}
        if self.env_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise HomeError(
                f"{self.env_file} can be read by others; run: chmod 600 {self.env_file}"
            )
        try:
            return parse_env(self.env_file.read_text(encoding="utf-8"))
        except OSError as error:
            raise HomeError(f"cannot read {self.env_file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise HomeError(
                f"{self.env_file} is not UTF-8 text: byte {error.start} is wrong"
            ) from error


@dataclass(frozen=True)
class Home:
    """`$RETINUE_HOME`, by default `~/.retinue`."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Home:
        chosen = environment.get("RETINUE_HOME")
        return cls(Path(chosen).expanduser().absolute() if chosen else Path.home() / ".retinue")

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def ledger_db(self) -> Path:
        return self.state / "ledger.db"

    @property
    def lock(self) -> Path:
        """Held by the one process that may open the profiles' `index`."""
        return self.state / "lock"

    def profile(self, team: str, profile: str) -> ProfileHome:
        return ProfileHome(team, profile, self.state / team / profile)

    def profiles(self, team: str) -> Sequence[ProfileHome]:
        """Those that have kept something, whether they are still in the team's file or not."""
        databases = sorted((self.state / team).glob("*/memory.db"))
        return [self.profile(team, path.parent.name) for path in databases]

    def run_folder(self, team: str, run: str) -> Path:
        """What members of a run exchange: `inputs/` and `artifacts/`; read and written by the
        runtime only.
        """
        return self.state / team / ".runs" / run

    def create(self) -> None:
        """Make the folders, private to the person; an existing home open to others is refused.
        Raises HomeError.
        """
        for folder in (self.root, self.state):
            _private_folder(folder)


def _private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        raise HomeError(
            f"cannot create {folder}: {error.strerror}; set RETINUE_HOME to a folder you can write"
        ) from error
    if mode & 0o077:
        raise HomeError(
            f"{folder} can be read by others (mode {mode:o}); run: chmod -R go-rwx {folder}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HomeError(
            f"{folder} is not writable; change its owner, or set RETINUE_HOME to another folder"
        )


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where weights lie: the user's cache, never the home."""
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "retinue"


def parse_env(text: str) -> dict[str, str]:
    """`KEY=value` lines; quotes around a value are taken off, `export` and comments are allowed."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        entry = line.strip().removeprefix("export ").strip()
        if not entry or entry.startswith("#") or "=" not in entry:
            continue
        key, _, value = entry.partition("=")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[key.strip()] = value
    return values
