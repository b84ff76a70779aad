"""Where the files behind names lie."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import content
from orchestrator.errors import NotFoundError
from orchestrator.profile.schema import NAME

_TEAM_FILE = "team.yaml"


@dataclass(frozen=True)
class Places:
    """Project folder, then home, then what Retinue brings along; a team's own folder before all."""

    project: Path | None
    home: Path
    beside: Path | None = None
    """Folder of the team's file."""
    _seen: dict[content.Kind, Sequence[Path]] = field(
        default_factory=dict["content.Kind", "Sequence[Path]"],
        init=False,
        repr=False,
        compare=False,
    )

    def team(self, source: str | Path) -> Path:
        """The team's file: by name, by its path, or by the folder that holds a `team.yaml`. Raises
        NotFoundError.
        """
        name = isinstance(source, str) and NAME.fullmatch(source) is not None
        if name:
            for folder in self._folders("profiles"):
                if (found := folder / f"{source}.yaml").is_file():
                    return found
        path = self.path(source)
        with suppress(OSError):  # a name too long for a path leads nowhere either
            if (path / _TEAM_FILE).is_file():
                return path / _TEAM_FILE
            if path.is_dir():
                raise NotFoundError(_TEAM_FILE, str(path), hint="name a folder that holds one")
            if path.exists():
                return path
        known = self._names("profiles", "*.yaml")
        hint = f"teams: {', '.join(known)}" if name else "name a team, its file or its folder"
        raise NotFoundError("team", str(source)[:200], known, hint)

    def path(self, source: str | Path) -> Path:
        """A relative path starts at the project folder."""
        return Path(source) if self.project is None else self.project / source

    def agent(self, role: str) -> Path | None:
        return self._find("agents", role, ".md")

    def agents(self) -> Sequence[str]:
        return self._names("agents", "*.md")

    def skill(self, name: str) -> Path | None:
        return self._find("skills", name, "/SKILL.md")

    def skills(self) -> Sequence[str]:
        return self._names("skills", "*")

    def _find(self, kind: content.Kind, name: str, ending: str) -> Path | None:
        if not NAME.fullmatch(name):
            return None
        candidates = (folder / f"{name}{ending}" for folder in self._folders(kind))
        return next((path for path in candidates if path.is_file()), None)

    def _folders(self, kind: content.Kind) -> Sequence[Path]:
        if kind not in self._seen:
            folders = list(content.search_path(kind, project=self.project, home=self.home))
            if self.beside is not None and (self.beside / kind).is_dir():
                folders.insert(0, self.beside / kind)
            self._seen[kind] = folders
        return self._seen[kind]

    def _names(self, kind: content.Kind, pattern: str) -> Sequence[str]:
        stems = {path.stem for folder in self._folders(kind) for path in folder.glob(pattern)}
        return sorted(stem for stem in stems if NAME.fullmatch(stem))
