"""The way in: names and paths to teams, agents and settings, or to all their problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.errors import ConfigError, NotFoundError, Problem
from orchestrator.profile.checking import checked
from orchestrator.profile.lookup import Places
from orchestrator.profile.references import References, checked_agent
from orchestrator.profile.schema import Agent, Team
from orchestrator.profile.team_file import Reading, read_team
from orchestrator.profile.vocabulary import Vocabulary
from orchestrator.settings import Settings
from orchestrator.text.yaml_file import read_yaml


def load_team(
    source: str | Path, *, project: Path | None, home: Path, vocabulary: Vocabulary
) -> Team:
    """The team of that name (project, home, then bundled), or in that file, or in the `team.yaml`
    of that folder. Its agents are looked up in `agents/` beside the file first, then likewise.

    A broken member or workflow is left out and named in `Team.problems`. Raises NotFoundError, and
    ConfigError with every problem when the file as a whole, or every member, is broken.
    """
    places = Places(project, home)
    path = places.team(source)
    reading = _read(path, places, vocabulary)
    if reading.team is None:
        raise ConfigError(reading.problems)
    return reading.team


def load_agent(path: Path, *, project: Path | None, home: Path, vocabulary: Vocabulary) -> Agent:
    """The role in that file, ours or Claude Code's. Raises ConfigError with every problem."""
    return checked_agent(path, Places(project, home, path.parent.parent), vocabulary)


def load_settings(home: Path, *, vocabulary: Vocabulary) -> Settings:
    """What `settings.yaml` says; all defaults where there is none, or nothing in it. Raises
    ConfigError with every problem.
    """
    path = home / "settings.yaml"
    if not path.exists():
        return Settings()
    document = read_yaml(path)
    problems = list(document.problems)
    value = {} if document.value is None else document.value
    settings = checked(Settings, value, document, problems)
    if settings is not None:
        references = References(document, Places(None, home), vocabulary)
        references.models((), settings.model)
        problems += references.problems
    if settings is None or problems:
        raise ConfigError(problems)
    return settings


def validate(
    paths: Iterable[str | Path], *, project: Path | None, home: Path, vocabulary: Vocabulary
) -> Sequence[Problem]:
    """Every problem of those files, in their order: teams (also by name or folder), with the agents
    they use, and agents (`.md`).
    """
    places = Places(project, home)
    found: list[Problem] = []
    for path in paths:
        try:
            if str(path).endswith(".md"):
                agent = places.path(path)
                load_agent(agent, project=project, home=home, vocabulary=vocabulary)
            else:
                found += _read(places.team(path), places, vocabulary).problems
        except ConfigError as error:
            found += error.problems
        except NotFoundError as error:
            found.append(Problem(str(path), None, "", str(error), "correct the path"))
    return list(dict.fromkeys(found))


def _read(path: Path, places: Places, vocabulary: Vocabulary) -> Reading:
    return read_team(path, replace(places, beside=path.parent), vocabulary)
