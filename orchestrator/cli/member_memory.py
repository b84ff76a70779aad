"""The memory of the member that a command names, opened for that command alone."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.places import home, read_team
from orchestrator.cli.target import find
from orchestrator.database import Database
from orchestrator.home import ProfileHome
from orchestrator.index import Embedder
from orchestrator.memory import (
    ConversationSearch,
    EmbeddedUserModel,
    MemoryConfig,
    PromptMemory,
)


@dataclass(frozen=True)
class MemberMemory:
    home: ProfileHome
    config: MemoryConfig
    database: Database
    past: ConversationSearch
    people: EmbeddedUserModel

    @property
    def prompts(self) -> PromptMemory:
        return PromptMemory(self.database, self.past, self.people)

    def read_new(self) -> None:
        """Let the rules read what was said since, where the member observes people."""
        if self.config.observe:
            self.people.derivation.read()


@contextmanager
def member_memory(where: str) -> Generator[MemberMemory]:
    """That of TEAM/PROFILE, or of a team's supervisor. Raises ConfigError, NotFoundError."""
    target = find(where)
    team = read_team(target.team, target.project)
    name = (member(team, target.profile) if target.profile else None) or SUPERVISOR
    home().create()
    profile = home().profile(team.name, name)
    profile.create()
    embed = Embedder().embed
    with closing(Database(profile.memory_db)) as database:
        past = ConversationSearch(database, embed)
        people = EmbeddedUserModel(database, profile.address, past, embed)
        yield MemberMemory(profile, team.memory(name), database, past, people)
