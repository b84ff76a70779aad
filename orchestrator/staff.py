"""The profiles of a home at work: each one's database, credentials, model, tools and sandbox."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from orchestrator.agent.prompt import system_prompt
from orchestrator.agent.seat import Forget, Seat
from orchestrator.database import Database
from orchestrator.engine.journal import Journal
from orchestrator.errors import PersonError, ToolRetry
from orchestrator.home import Home, ProfileHome
from orchestrator.index import ChromaClients, Embedder, VectorSearch, open_vectors
from orchestrator.memory import (
    MESSAGE_VECTORS,
    Conversations,
    ConversationSearch,
    EmbeddedUserModel,
    PromptMemory,
)
from orchestrator.model import ModelChain, find_model, open_model
from orchestrator.model.base import Model, ModelFound, ToolSchema
from orchestrator.profile.schema import Member, Team
from orchestrator.sandbox import Sandbox, open_sandbox
from orchestrator.settings import Settings
from orchestrator.skill import SKILL_VECTORS, Learner, Libraries, Shelf, SkillStore, Writer
from orchestrator.team.routing import Router
from orchestrator.team.supervisor import CALL
from orchestrator.team.supervisor_prompt import TOOLS
from orchestrator.team.writing import ModelWriter
from orchestrator.tool.policy import Rules
from orchestrator.tool.toolset import Toolset

_Opened = TypeVar("_Opened")


@dataclass
class House:
    """What all profiles of a home share; it holds no secret and nothing anybody said."""

    home: Home
    settings: Settings
    environment: Mapping[str, str]
    cache: Path
    stack: AsyncExitStack
    """Closes what was opened."""
    libraries: Libraries
    """The skills beneath every profile's own."""
    embedder: Embedder = field(default_factory=Embedder)
    shelves: dict[str, Shelf] = field(default_factory=dict[str, Shelf])
    searches: dict[str, ConversationSearch] = field(default_factory=dict[str, ConversationSearch])
    user_models: dict[str, EmbeddedUserModel] = field(default_factory=dict[str, EmbeddedUserModel])
    memories: dict[str, PromptMemory] = field(default_factory=dict[str, PromptMemory])
    chroma: ChromaClients | None = None
    """Serves large libraries and long memories, once one has been opened."""
    databases: dict[str, Database] = field(default_factory=dict[str, Database])
    sandboxes: dict[str, Sandbox] = field(default_factory=dict[str, Sandbox])
    models: dict[object, ModelChain] = field(default_factory=dict[object, ModelChain])
    routers: dict[str, tuple[Team, Router]] = field(default_factory=dict[str, tuple[Team, Router]])
    """By team name; a team that was loaded anew takes the place of the old one."""
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a sandbox is opened, for two calls of one profile may start together."""
    _opening_here: threading.RLock = field(default_factory=threading.RLock)
    """Held while a database or what reads from it is opened."""
    found: ModelFound | None = None
    """The model that serves where none is named, once it has been looked for."""

    def database(self, profile: ProfileHome) -> Database:
        """The profile's `memory.db`, opened once."""

        def opened() -> Database:
            profile.create()
            database = Database(profile.memory_db)
            self.stack.callback(database.close)
            return database

        return self._once(self.databases, profile, opened)

    def shelf(self, profile: ProfileHome) -> Shelf:
        """The skills the profile can use, opened once."""

        def opened() -> Shelf:
            database = self.database(profile)
            return Shelf(
                SkillStore(profile, database, approval_needed=self.settings.approve_skills),
                database,
                self.libraries.skills,
                embed=self.embedder.embed,
                vectors=self._vectors(profile, SKILL_VECTORS),
            )

        return self._once(self.shelves, profile, opened)

    def past(self, profile: ProfileHome) -> ConversationSearch:
        """Search in the profile's conversations, opened once."""

        def opened() -> ConversationSearch:
            vectors = self._vectors(profile, MESSAGE_VECTORS)
            return ConversationSearch(self.database(profile), self.embedder.embed, vectors)

        return self._once(self.searches, profile, opened)

    def user_model(self, profile: ProfileHome) -> EmbeddedUserModel:
        """What the profile believes about people, opened once."""

        def opened() -> EmbeddedUserModel:
            database, past = self.database(profile), self.past(profile)
            return EmbeddedUserModel(database, profile.address, past, self.embedder.embed)

        return self._once(self.user_models, profile, opened)

    def memory(self, profile: ProfileHome) -> PromptMemory:
        """What of the profile's memory goes into its prompts, opened once."""

        def opened() -> PromptMemory:
            database, past = self.database(profile), self.past(profile)
            return PromptMemory(database, past, self.user_model(profile))

        return self._once(self.memories, profile, opened)

    def _once(
        self, known: dict[str, _Opened], profile: ProfileHome, opened: Callable[[], _Opened]
    ) -> _Opened:
        """From any thread; what is open already is handed out without waiting for the others."""
        found = known.get(profile.address)
        if found is None:
            with self._opening_here:
                found = known.get(profile.address)
                if found is None:
                    found = known[profile.address] = opened()
        return found

    def _vectors(self, profile: ProfileHome, table: str) -> VectorSearch:
        if self.chroma is None:
            self.chroma = self.stack.enter_context(ChromaClients(self.home))
        return open_vectors(self.database(profile), profile, table, self.chroma)

    def learner(self, profile: ProfileHome, writer: Writer | None) -> Learner:
        return Learner(
            self.shelf(profile),
            self.database(profile),
            embed=self.embedder.embed,
            writer=writer,
        )

    def default_model(self) -> ModelFound:
        """The model of members that name none. Raises PersonError naming the ways to get one."""
        if self.found is None:
            self.found = find_model(
                self.settings.model,
                environment=self.environment,
                settings=self.settings,
                cache=self.cache,
            )
        return self.found


class TeamStaff:
    """The profiles of one team in one run (`team.runs.Staff`)."""

    def __init__(
        self,
        house: House,
        team: Team,
        *,
        model: str | None,
        rehearsal: Path | None,
        forget: Callable[[str], Forget] | None = None,
    ) -> None:
        """`forget`: how a profile forgets."""
        self._house = house
        self.team = team
        self._model = model
        self._rehearsal = rehearsal
        self._forget = forget
        self._seats: dict[str, Seat] = {}
        self._rehearsed = False

    @property
    def rehearsal(self) -> bool:
        return self._rehearsed

    def journal(self, profile: str) -> Journal:
        return Journal(self._house.database(self._home(profile)))

    def conversations(self, profile: str) -> Conversations:
        return Conversations(self._house.database(self._home(profile)))

    def memory(self, profile: str) -> PromptMemory:
        return self._house.memory(self._home(profile))

    async def seat(self, profile: str) -> Seat:
        """The member's place, opened on first use; raises RetinueError when it cannot be."""
        if profile not in self._seats:
            self._seats[profile] = await self._open(profile)
        return self._seats[profile]

    def lead(self) -> Model:
        return self._open_model(CALL, self.team.supervisor_models)

    def model(self, profile: str) -> Model:
        """The profile's model."""
        return self._open_model(profile, self._member(profile).models)

    def router(self) -> Router:
        team, router = self._house.routers.get(self.team.name, (None, None))
        if team is not self.team or router is None:
            database = self._house.database(self._home(CALL))
            router = Router(self.team.members, database, self._house.embedder.embed)
            self._house.routers[self.team.name] = (self.team, router)
        return router

    async def clear(self, profile: str, workdir: str) -> None:
        sandbox = self._house.sandboxes.get(self._home(profile).address)
        if sandbox is not None:
            with suppress(ToolRetry):  # a run that needed no folder has none
                await sandbox.remove(workdir)

    def toolset(self, member: Member) -> Toolset:
        return Toolset.of(member.tools, denied=member.denied)

    async def _open(self, profile: str) -> Seat:
        member = self._member(profile)
        home = self._home(profile)
        database = self._house.database(home)
        toolset = self.toolset(member)
        model = self._open_model(profile, member.models)
        return Seat(
            member=member,
            system=system_prompt(member, self.team.instructions),
            model=model.bind(toolset.schemas),
            window=model.window,
            toolset=toolset,
            policy=Rules((*member.approvals.ask, "forget"), member.approvals.deny),
            journal=Journal(database),
            conversations=Conversations(database),
            sandbox=await self._sandbox(member, home),
            secrets=_secrets(member, home),
            search_url=self._house.settings.searxng_url,
            cache=self._house.cache,
            shelf=self._house.shelf(home),
            past=self._house.past(home),
            memory=self._house.memory(home),
            people=self._house.user_model(home) if member.memory.observe else None,
            think=None if model.rehearsal else partial(ModelWriter, model),
            forget=self._forget(profile) if self._forget is not None else None,
            nudge_turns=self._house.settings.skill_nudge_turns,
        )

    async def _sandbox(self, member: Member, home: ProfileHome) -> Sandbox:
        async with self._house.opening:
            known = self._house.sandboxes.get(home.address)
            if known is None:
                sandbox = open_sandbox(member.sandbox, home)
                known = await self._house.stack.enter_async_context(sandbox)
                self._house.sandboxes[home.address] = known
        return known

    def _open_model(self, profile: str, models: Sequence[str]) -> ModelChain:
        specs, base_url = self._specs(models)
        key = (self.team.name, profile, specs, self._rehearsal)
        model = self._house.models.get(key)
        if model is None:
            model = self._house.models[key] = open_model(
                specs,
                credentials={**self._house.environment, **self._home(profile).credentials()},
                settings=self._house.settings,
                cache=self._house.cache,
                profile=profile,
                rehearsal=self._rehearsal,
                base_url=base_url,
            )
        self._rehearsed = self._rehearsed or model.rehearsal
        return model

    def _specs(self, models: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
        """The models to try, and where the first is served when it was found on this machine."""
        if self._model is not None or models:
            return ((self._model,) if self._model is not None else tuple(models)), None
        found = self._house.default_model()
        return (str(found.spec),), found.base_url

    def _member(self, profile: str) -> Member:
        member = self.team.member(profile)
        if member is None:
            raise PersonError(f"{profile!r} is no member of {self.team.name} any more")
        return member

    def _home(self, profile: str) -> ProfileHome:
        return self._house.home.profile(self.team.name, profile)


def first_schemas(staff: TeamStaff, team: Team, profile: str) -> Sequence[ToolSchema]:
    """The tools in the first request of a profile, the supervisor included."""
    member = team.member(profile)
    return TOOLS if member is None else staff.toolset(member).schemas


def _secrets(member: Member, home: ProfileHome) -> Mapping[str, str]:
    """The secrets the member may use, from its own `.env` and nowhere else."""
    own = home.credentials() if member.secrets else {}
    missing = [name for name in member.secrets if name not in own]
    if missing:
        raise PersonError(
            f"{member.address} needs {', '.join(missing)}: write it into {home.env_file} (mode 600)"
        )
    return {name: own[name] for name in member.secrets}
