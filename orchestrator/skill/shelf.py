"""What one member can use of skills: its own, and beneath them the project's, the home's and the
bundled ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

from orchestrator.database import Database, Schema
from orchestrator.errors import NotFoundError
from orchestrator.index import EmbedderMissing, count_tokens
from orchestrator.skill.document import SkillDocument
from orchestrator.skill.evidence import Use
from orchestrator.skill.index import IndexedSkill, SkillIndex
from orchestrator.skill.library import LibrarySkill
from orchestrator.skill.retrieval import Hit, SkillSearch, cards
from orchestrator.skill.store import Skill, SkillStore
from orchestrator.skill.triggers import Triggers, written_triggers
from orchestrator.skill.vectors import Embed, VectorSearch
from orchestrator.skill.version import Version

Source = Literal["own", "project", "home", "bundled"]

SCHEMA = Schema(
    "skill_shelf",
    (
        """
        CREATE TABLE skill_shelved (
            skill TEXT PRIMARY KEY,
            content TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
    ),
)
"""What of each skill is in the index, so that only what has changed is read."""

_LOOK_SECONDS = 2.0
_LOOK_SHARE = 50
"""Folders are not looked at more often, nor for more than this part of the time."""

_SPARE = 2
"""Hits asked for beyond those wanted, since some may not be shown."""
_MOST_TRIALS = 2
"""On trial in one task; the outcome of more could not be told apart."""


@dataclass(frozen=True)
class Offer:
    """A skill as it serves in one task."""

    name: str
    source: Source
    document: SkillDocument
    version: Version | None
    """None for one of a library."""

    @property
    def n(self) -> int:
        """Number of the version; 0 for one of a library."""
        return self.version.n if self.version is not None else 0

    @property
    def unproven(self) -> bool:
        return self.version is not None and self.version.state == "trial"


@dataclass(frozen=True)
class Recalled:
    """What a member is shown before a task."""

    text: str
    """Cards for the user turn; empty when nothing fits."""
    names: tuple[str, ...]


class Shelf:
    """Finds skills for a member, chooses the version that serves, and records every use.

    A version on trial serves in every other task that it fits, and is left out of the others, so
    that its worth can be told. Methods may be called from any thread.
    """

    def __init__(
        self,
        store: SkillStore,
        database: Database,
        library: Callable[[], Sequence[LibrarySkill]],
        *,
        embed: Embed | None = None,
        vectors: VectorSearch | None = None,
    ) -> None:
        """`library` gives the skills beneath its own; without `embed` words alone decide."""
        database.migrate(SCHEMA)
        self.store = store
        self.triggers = Triggers(database)
        self.index = SkillIndex(database, vectors)
        self._search = SkillSearch(self.index, embed)
        self._database = database
        self._library = library
        self._embed = embed
        self._own: Mapping[str, Skill] = {}
        self._beneath: Mapping[str, LibrarySkill] = {}
        self._synced: object = None
        self._look_at = float("-inf")

    def sync(self, *, look: bool = False) -> None:
        """Pick up what people edited and what was decided elsewhere; cheap when nothing was.

        Folders are looked at every few seconds, or at once with `look`.
        """
        now = time.monotonic()
        if look or now > self._look_at:
            self.store.refresh()
            done = time.monotonic()
            self._look_at = done + max(_LOOK_SECONDS, _LOOK_SHARE * (done - now))
        library = self._library()
        state = (self.store.stamp(), self.triggers.stamp(), [id(each) for each in library])
        if state == self._synced:
            return
        self._own = {skill.name: skill for skill in self.store.skills()}
        self._beneath = {each.document.name: each for each in library}
        self._update_index()
        self._synced = state

    def reindex(self) -> None:
        """Build the index of words anew; meaning follows with `embed_missing`."""
        self._database.execute("DELETE FROM skill_shelved")
        self.index.clear()
        self._synced = None
        self.sync(look=True)

    def recall(
        self,
        query: str,
        recent_turns: Sequence[str] = (),
        *,
        run: str,
        task: str,
        preferred: Sequence[str] = (),
    ) -> Recalled:
        """The cards of what fits a task, unproven ones last; whatever is on trial and fits is
        recorded, served or not. `preferred` are shown when they fit at all.
        """
        self.sync()
        offers: list[tuple[Hit, Offer]] = []
        trials = 0
        for hit in self._fitting(query, recent_turns, preferred):
            trial = self._trial(hit.name)
            if trial is not None and (trials == _MOST_TRIALS or not hit.clear):
                continue
            trials += trial is not None
            offer = self._allot(hit.name, trial, run, task)
            if offer is not None:
                offers.append((hit, offer))
        offers.sort(key=lambda pair: pair[1].unproven)
        shown = cards([_as_card(hit, offer) for hit, offer in offers])
        for _, offer in offers:
            tokens = count_tokens(offer.document.description)
            self.store.evidence.record(Use(offer.name, offer.n, run, task, tokens=tokens))
        return Recalled(shown, tuple(offer.name for _, offer in offers))

    def preview(self, query: str, preferred: Sequence[str] = ()) -> str:
        """The cards that a first task would be shown; nothing is recorded."""
        self.sync()
        pairs = [(hit, self._offer(hit.name, set())) for hit in self._fitting(query, (), preferred)]
        return cards([_as_card(hit, offer) for hit, offer in pairs if offer is not None])

    def _fitting(
        self, query: str, recent_turns: Sequence[str], preferred: Sequence[str]
    ) -> Sequence[Hit]:
        """What is good enough to be shown unasked."""
        hits = [hit for hit in self._search.search(query, recent_turns) if self._is_there(hit.name)]
        if hits and hits[0].clear:
            return hits
        return [hit for hit in hits if hit.name in preferred]

    def search(self, query: str, *, run: str = "", task: str = "", most: int = 5) -> Sequence[Hit]:
        """What fits a request, best first, without what this task is done without."""
        self.sync()
        left_out = self._left_out(run, task)
        hits = self._search.search(query, most=most + len(left_out) + _SPARE)
        return [hit for hit in hits if hit.name not in left_out and self._is_there(hit.name)][:most]

    def ranking(self, query: str, most: int) -> Sequence[str]:
        """Names in the order of the index, with what `holding` holds."""
        self.sync()
        return [hit.name for hit in self._search.search(query, most=most)]

    def open(self, name: str, *, run: str, task: str) -> Offer:
        """The skill as it serves in this task; recorded as loaded. Raises NotFoundError."""
        self.sync()
        known = [*self._own, *self._beneath]
        uses = {use.n: use for use in self.store.evidence.of_task(run, task) if use.skill == name}
        offer = self._offer(name, {n for n, use in uses.items() if not use.served})
        if offer is None:
            names = [each for each in known if self._is_there(each)]
            raise NotFoundError("skill", name, names, "look with skill_search")
        tokens = count_tokens(offer.document.body)
        before = uses.get(offer.n, Use(name, offer.n, run, task))
        used = replace(before, served=True, loaded=True, tokens=before.tokens + tokens)
        self.store.evidence.record(used)
        return offer

    def document(self, name: str) -> SkillDocument | None:
        """The skill as it would serve now, or would once proven."""
        offer = self._offer(name, set())
        return offer.document if offer is not None else None

    def near(self, document: SkillDocument, most: int = 5) -> Sequence[str]:
        """The skills most like it, itself aside."""
        text = f"{document.name.replace('-', ' ')}. {document.description}"
        names = [hit.name for hit in self.search(text, most=most + 1)]
        return [name for name in names if name != document.name][:most]

    def base(self, name: str, *, run: str, task: str) -> tuple[SkillDocument, int | None] | None:
        """What a change of the skill starts from, with its number among the member's own versions:
        the one the task has read, else the one on trial, else the one that serves.
        """
        self.sync()
        for use in self.store.evidence.of_task(run, task):
            if use.skill == name and use.loaded and use.n:
                return self.store.version(name, use.n).read(), use.n
        offer = self._offer(name, set())
        return (offer.document, offer.n or None) if offer is not None else None

    def phrases(self, name: str) -> Sequence[str]:
        """The requests that a skill is meant for."""
        document = self.document(name)
        written = written_triggers(document) if document is not None else ()
        return list(dict.fromkeys((*written, *self.triggers.of(name))))

    def embed_missing(self, most: int | None = None) -> int:
        """See `SkillIndex.embed_missing`; 0 where there is no embedder."""
        self.sync()
        try:
            return self.index.embed_missing(self._embed, most) if self._embed is not None else 0
        except EmbedderMissing:
            return 0

    @contextmanager
    def holding(self, document: SkillDocument) -> Generator[None]:
        """For a while, search as if the document served."""
        self.sync()
        name = document.name
        self._hold(name, document)
        try:
            yield
        finally:
            self._hold(name, self.document(name))

    def _hold(self, name: str, document: SkillDocument | None) -> None:
        if document is None:
            self.index.remove(name)
            return
        self.index.put(self._entry(name, document))
        if self._embed is not None:
            with suppress(EmbedderMissing):
                self.index.embed_missing(self._embed, only=name)

    def _allot(self, name: str, trial: Version | None, run: str, task: str) -> Offer | None:
        """What serves in this task; a trial is left out of every other one."""
        if trial is None:
            return self._offer(name, set())
        uses = self.store.evidence.uses(name, trial.n)
        before = [use for use in uses if (use.run, use.task) != (run, task)]
        if 2 * sum(use.served for use in before) <= len(before):
            return self._offer(name, set())
        self.store.evidence.record(Use(name, trial.n, run, task, served=False))
        return self._offer(name, {trial.n})

    def _left_out(self, run: str, task: str) -> set[str]:
        uses = self.store.evidence.of_task(run, task)
        withheld = [use for use in uses if not use.served]
        return {use.skill for use in withheld if self._offer(use.skill, {use.n}) is None}

    def _offer(self, name: str, without: set[int]) -> Offer | None:
        """The trial, else the one that serves, else a library's, but for those versions."""
        skill = self._own.get(name)
        if skill is not None:
            for version in (self._trial(name), skill.active):
                if version is not None and version.n not in without:
                    return Offer(name, "own", version.read(), version)
        beneath = self._beneath.get(name)
        if beneath is None:
            return None
        return Offer(name, beneath.source, beneath.document, None)

    def _is_there(self, name: str) -> bool:
        """Whether some version of it may be shown; what is only held, or was when a process was
        killed, may not.
        """
        skill = self._own.get(name)
        serves = skill is not None and (skill.active is not None or self._trial(name) is not None)
        return serves or name in self._beneath

    def _trial(self, name: str) -> Version | None:
        """The newest version on trial."""
        versions = self._own[name].versions if name in self._own else ()
        return next((each for each in reversed(versions) if each.state == "trial"), None)

    def _update_index(self) -> None:
        """Make the index hold what serves or is on trial, reading only what has changed."""
        wanted = {name: self._content(name) for name in {*self._own, *self._beneath}}
        rows = self._database.all("SELECT skill, content FROM skill_shelved")
        known = {row["skill"]: row["content"] for row in rows}
        for name in sorted({*known, *wanted, *self.index.ids()}):
            content = wanted.get(name)
            if content is not None and content == known.get(name):
                continue
            document = self.document(name) if content is not None else None
            with self._database.transaction():
                if document is None:
                    self.index.remove(name)
                    self._database.execute("DELETE FROM skill_shelved WHERE skill = ?", name)
                else:
                    self.index.put(self._entry(name, document))
                    self._database.execute(
                        "INSERT OR REPLACE INTO skill_shelved VALUES (?, ?)", name, content
                    )

    def _content(self, name: str) -> str | None:
        """What the index holds of a skill when it is up to date; None: it is not to be found."""
        versions = [self._trial(name), self._own[name].active if name in self._own else None]
        version = next((each for each in versions if each is not None), None)
        if version is not None:
            text = version.sha256
        elif name in self._beneath:
            document = self._beneath[name].document
            text = f"{document.description}\0{document.body}\0{document.metadata}"
        else:
            return None
        phrases = "\0".join(self.triggers.of(name))
        return blake2b(f"{text}\0{phrases}".encode(errors="replace"), digest_size=16).hexdigest()

    def _entry(self, name: str, document: SkillDocument) -> IndexedSkill:
        phrases = dict.fromkeys((*written_triggers(document), *self.triggers.of(name)))
        return IndexedSkill(name, name, document.description, document.body, tuple(phrases))


def _as_card(hit: Hit, offer: Offer) -> Hit:
    """The hit with the words of the version that serves."""
    description = offer.document.description
    if offer.unproven:
        description = f"(unproven) {description}"
    return replace(hit, description=description)
