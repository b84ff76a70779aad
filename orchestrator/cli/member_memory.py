"""The memory of the member that a command names, opened for that command alone."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.places import home, open_runtime, read_team
from orchestrator.cli.target import find
from orchestrator.database import Database
from orchestrator.errors import PersonError, RetinueError
from orchestrator.home import ProfileHome
from orchestrator.index import Embedder
from orchestrator.memory import (
    ConversationSearch,
    EmbeddedUserModel,
    MemoryConfig,
    PromptMemory,
)
from orchestrator.team.audit import Audit


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
    """That of TEAM/PROFILE, or of a team's supervisor, without what it has yet to forget. Raises
    ConfigError, NotFoundError, and PersonError for what it cannot forget now.
    """
    target = find(where)
    team = read_team(target.team, target.project)
    name = (member(team, target.profile) if target.profile else None) or SUPERVISOR
    home().create()
    profile = home().profile(team.name, name)
    profile.create()
    if _is_behind(profile):
        asyncio.run(_catch_up(profile, target.project))
    embed = Embedder().embed
    with closing(Database(profile.memory_db)) as database:
        past = ConversationSearch(database, embed)
        people = EmbeddedUserModel(database, profile.address, past, embed)
        yield MemberMemory(profile, team.memory(name), database, past, people)


def _is_behind(profile: ProfileHome) -> bool:
    """Whether a process was stopped before the profile had forgotten what it was told to."""
    ledger = home().ledger_db
    if not ledger.exists():
        return False
    with closing(Database(ledger)) as database:
        return any(order.address == profile.address for order in Audit(database).ordered())


async def _catch_up(profile: ProfileHome, project: Path) -> None:
    async with open_runtime(project) as runtime:
        try:
            await asyncio.to_thread(runtime.erasure.catch_up, {profile.address})
        except (RetinueError, OSError) as error:
            raise PersonError(
                f"{profile.address} has yet to forget something, and shows nothing before: {error}"
            ) from error
        await asyncio.to_thread(runtime.erasure.finish)
