"""The person's home, and what is there to run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import PersonError
from orchestrator.home import Home
from orchestrator.model import PROVIDERS
from orchestrator.profile import Team, Vocabulary, load_settings, load_team
from orchestrator.settings import Settings
from orchestrator.tool.catalog import CORE, TOOLS

if TYPE_CHECKING:
    from orchestrator.runtime import Runtime

VOCABULARY = Vocabulary(tools=TOOLS, core=CORE, providers=PROVIDERS)


def home() -> Home:
    return Home.from_environment(os.environ)


def open_runtime(project: Path | None = None) -> Runtime:
    """The runtime on the person's home, for a project folder (default: the current one)."""
    from orchestrator.runtime import Runtime  # takes a second to import

    return Runtime(project=project or Path.cwd(), home=home(), environment=os.environ)


def cache() -> Path:
    """Where the local model's weights lie."""
    from orchestrator.home import cache_folder

    return cache_folder(os.environ)


def read_team(source: str, project: Path | None = None) -> Team:
    """The team without the runtime around it. Raises ConfigError, NotFoundError."""
    return load_team(source, project=project or Path.cwd(), home=home().root, vocabulary=VOCABULARY)


def settings() -> Settings:
    """Raises ConfigError with every problem."""
    return load_settings(home().root, vocabulary=VOCABULARY)


def known_model(text: str | None) -> str | None:
    """What stands behind `--model`; raises PersonError when no provider has that name."""
    if text is not None and (found := VOCABULARY.model(text)) is not None:
        raise PersonError(f"--model: {'; '.join(found)}")
    return text
