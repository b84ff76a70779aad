"""The skills of one profile: immutable versions, and which of them serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.database import Database
from orchestrator.errors import HomeError, NotFoundError, PersonError, Problem
from orchestrator.home import ProfileHome
from orchestrator.skill import specification, states
from orchestrator.skill.document import SkillDocument, read_skill
from orchestrator.skill.evidence import Evidence
from orchestrator.skill.files import check_names, protect, tree_hash
from orchestrator.skill.records import Records, SkillEvent
from orchestrator.skill.scan import scan
from orchestrator.skill.states import PERSON, State
from orchestrator.skill.version import Provenance, Version, shown
from orchestrator.skill.working_copy import WorkingCopies, write_copy
from orchestrator.skill.writer import conform, put_in_place, write_skill


@dataclass(frozen=True)
class Skill:
    """A skill with all its versions."""

    name: str
    pinned: bool
    versions: tuple[Version, ...]
    """The oldest first; never empty."""

    @property
    def active(self) -> Version | None:
        """The version that serves."""
        return next((version for version in self.versions if version.active), None)

    @property
    def shown(self) -> Version:
        """The one that serves, else the one that could, else the newest."""
        return shown(self.versions) or self.versions[-1]


@dataclass(frozen=True)
class Refreshed:
    """What a look at the folders brought."""

    versions: tuple[Version, ...]
    """Edits that were picked up."""
    problems: tuple[Problem, ...]
    """Folders that are no skills."""


class SkillStore:
    """Skills as files below the profile's `skills/`, and their records in its `memory.db`.

    `skills/<name>/` holds what serves (else the newest version) for people to read and edit;
    `skills/.versions/` holds every version for good. What is decided is in the database first, in
    one transaction, and on disk afterwards; `refresh` finishes what a crash cut off.
    """

    def __init__(
        self,
        home: ProfileHome,
        database: Database,
        *,
        approval_needed: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`approval_needed`: nothing that a member made serves before a person approves it."""
        self.home = home
        self.evidence = Evidence(database, clock=clock)
        self._database = database
        self._approval_needed = approval_needed
        self._clock = clock
        self._records = Records(database, home.skills / ".versions")
        self._copies = WorkingCopies(home.skills, self._records)

    def names(self) -> Sequence[str]:
        return self._records.names()

    def skills(self) -> Sequence[Skill]:
        """All of them, by name."""
        found: dict[str, list[Version]] = {}
        for version in self._records.versions():
            found.setdefault(version.skill, []).append(version)
        return [self._skill(name, versions) for name, versions in found.items()]

    def skill(self, name: str) -> Skill:
        """Raises NotFoundError with near names."""
        versions = self._records.versions(name)
        if not versions:
            raise NotFoundError(f"skill of {self.home.address}", name, self.names())
        return self._skill(name, versions)

    def version(self, name: str, n: int) -> Version:
        """Raises NotFoundError."""
        skill = self.skill(name)
        for version in skill.versions:
            if version.n == n:
                return version
        hint = f"{name!r} has {len(skill.versions)}, counted from 1"
        raise NotFoundError("version", f"{name}@{n}", hint=hint)

    def served(self) -> Sequence[Version]:
        """The active version of every skill that has one."""
        return [version for version in self._records.versions() if version.active]

    def trials(self) -> Sequence[Version]:
        """Every version on trial, also beside a trusted one."""
        return [version for version in self._records.versions() if version.state == "trial"]

    def note(self, name: str, n: int, what: str, *, who: str, why: str) -> None:
        """Write something down in the skill's history that changes nothing."""
        self._log(name, n, what, who, why)

    def stamp(self) -> int:
        """Changes with everything that is added or decided."""
        return self._records.last_event()

    def events(self, name: str) -> Sequence[SkillEvent]:
        return self._records.events(name)

    def add(
        self, document: SkillDocument, provenance: Provenance, *, parent: int | None = None
    ) -> Version:
        """A new version, `candidate`, or `quarantined` when the scan blocks it; the version that
        is there already when the content is the same.

        `parent` is by default the active version, else the newest. Raises ConfigError for what the
        specification forbids (see `conform`).
        """
        with self._database.transaction(), self._copies.staged() as staging:
            staged = staging / document.name
            write_skill(document, staged)
            version = self._adopt(staged, document.name, provenance, parent)
        self._copies.write_out(document.name)
        return version

    def move(self, name: str, n: int, to: State, *, who: str, why: str) -> Version:
        """Change the state of a version, and with it which one serves: a trusted one at once, one
        on trial where none does; when the active one stops, the trusted one before it.

        Raises PersonError when the table of transitions does not allow it.
        """
        with self._database.transaction():
            version = self.version(name, n)
            states.check(version.label, version.state, to, who)
            self._check_approval(version, to)
            self._records.set_state(name, n, to)
            active = self._after(version, to)
            self._records.set_active(name, active)
            self._log(name, n, to, who, why)
        self._copies.write_out(name)
        return self.version(name, n)

    def promote(self, name: str, n: int | None = None, *, who: str, why: str) -> Version:
        """One step up; by default the newest version that waits for one."""
        version = self.promotable(name) if n is None else self.version(name, n)
        if version.state not in states.NEXT:
            ways = "approve it first" if version.state == "quarantined" else "there is no step up"
            raise PersonError(f"{version.label} is {version.state}: {ways}")
        return self.move(name, version.n, states.NEXT[version.state], who=who, why=why)

    def rollback(self, name: str, to: int | None = None, *, who: str, why: str) -> Version:
        """Let an earlier version serve (the last trusted one, or `to`); the one that served becomes
        suspect. Raises PersonError when there is none.
        """
        with self._database.transaction():
            skill = self.skill(name)
            earlier = self._earlier(skill) if to is None else self.version(name, to)
            if earlier is None:
                raise PersonError(f"{name!r} has no earlier trusted version; archive it instead")
            if earlier.active:
                raise PersonError(f"{earlier.label} serves already")
            if earlier.state not in states.SERVING:
                raise PersonError(f"{earlier.label} is {earlier.state}; promote it first")
            if skill.active is not None:
                self._records.set_state(name, skill.active.n, "suspect")
                self._records.set_active(name, earlier.n)
                self._log(name, skill.active.n, "suspect", who, why)
            self._records.set_active(name, earlier.n)
            self._log(name, earlier.n, "activated", who, why)
        self._copies.write_out(name)
        return self.version(name, earlier.n)

    def archive(self, name: str, *, who: str, why: str) -> Skill:
        """Let no version serve any more; all are kept. Raises PersonError for a pinned skill,
        unless a person decides.
        """
        with self._database.transaction():
            skill = self.skill(name)
            if skill.pinned and who != PERSON:
                raise PersonError(f"{name!r} is pinned; only a person archives it")
            self._records.set_active(name, None)
            for version in skill.versions:
                if version.state not in ("archived", "quarantined"):
                    self._records.set_state(name, version.n, "archived")
                    self._log(name, version.n, "archived", who, why)
        self._copies.write_out(name)
        return self.skill(name)

    def approve(self, name: str, n: int | None = None, *, who: str, why: str = "") -> Version:
        """A person has looked at it: it may serve, once it is promoted; a quarantined version
        becomes a candidate. By default the newest version without approval.
        """
        with self._database.transaction():
            versions = self.skill(name).versions
            open_ones = [each for each in versions if each.approved_by is None]
            version = (open_ones or versions)[-1] if n is None else self.version(name, n)
            self._records.approve(name, version.n, who)
            self._log(name, version.n, "approved", who, why)
            if version.state == "quarantined":
                self._records.set_state(name, version.n, "candidate")
                self._log(name, version.n, "candidate", who, why)
        self._copies.write_out(name)
        return self.version(name, version.n)

    def pin(self, name: str, pinned: bool = True, *, who: str, why: str = "") -> Skill:
        """A pinned skill is archived by people only."""
        with self._database.transaction():
            self.skill(name)
            self._records.set_pinned(name, pinned)
            self._log(name, None, "pinned" if pinned else "unpinned", who, why)
        return self.skill(name)

    def share(self, name: str, to: SkillStore, *, who: str, why: str) -> Version:
        """Copy what serves (else the newest) to another profile, where it is a candidate."""
        version = self.skill(name).shown
        if version.state == "quarantined":
            raise PersonError(f"{version.label} is quarantined; approve it first")
        origin = version.provenance
        provenance = Provenance(
            author=origin.author,
            origin="shared",
            reason=why,
            model=origin.model,
            source=f"{self.home.address}/{version.label}",
        )
        shared = to.add(conform(version.read().replace(name=name)), provenance)
        self._log(name, version.n, f"shared with {to.home.address}", who, why)
        return shared

    def refresh(self) -> Refreshed:
        """Look at every folder: pick up what people edited, finish what a crash cut off.

        An edit of a version that serves serves at once, in its state; a new folder is a candidate;
        a removed one archives its skill. What the scan blocks is quarantined, and what served
        before serves on.
        """
        picked: list[Version] = []
        problems: list[Problem] = []
        self._copies.clean()
        for name in sorted({*self.names(), *self._copies.names()}):
            if not specification.is_name(name):
                place = str(self.home.skills / name)
                hint = f"rename it to {specification.slug(name)!r}"
                problems.append(Problem(place, None, "", "is no name of a skill", hint))
                continue
            try:
                picked += self._follow(name)
            except HomeError:
                raise
            except (PersonError, OSError, UnicodeError) as error:
                place = str(self.home.skills / name)
                problems.append(Problem(place, None, "", str(error), "mend or remove it"))
        return Refreshed(tuple(picked), tuple(problems))

    def _follow(self, name: str) -> Sequence[Version]:
        """Bring one folder and its records together; the edit that was picked up, if any."""
        change = self._copies.change(name)
        if change == "same":
            return ()
        picked = [self._pick_up(name)] if change == "edited" else []
        if change == "removed":
            self._removed(name)
        self._copies.write_out(name)
        return picked

    def _pick_up(self, name: str) -> Version:
        """Make the edited folder a version; nothing on disk changes."""
        source = self.home.skills / name
        read_skill(source)
        with self._database.transaction(), self._copies.staged() as staging:
            staged = staging / name
            write_copy(source, staged)
            row = self._records.row(name)
            before = row.on_disk if row is not None else None
            versions = self._records.versions(name)
            parent = next((each for each in versions if each.sha256 == before), None)
            content = tree_hash(staged)
            version = self._adopt(
                staged,
                name,
                Provenance(PERSON, "edited", "edited on disk"),
                parent.n if parent is not None else None,
            )
            self._follow_edit(version, parent)
            self._copies.saw(name, content)
        return self.version(name, version.n)

    def _follow_edit(self, version: Version, parent: Version | None) -> None:
        """What a person made of `parent` takes its place; what was archived and put back is a
        candidate.
        """
        if version.state == "quarantined":
            return
        name, state = version.skill, version.state
        if parent is not None and parent.active:
            state = parent.state
        elif state == "archived":
            state = "candidate"
        if state != version.state:
            self._records.set_state(name, version.n, state)
        if state in states.SERVING:
            self._records.approve(name, version.n, PERSON)
            self._records.set_active(name, version.n)
        if state != "candidate" or version.state == "archived":
            self._log(name, version.n, state, PERSON, "edited on disk")

    def _removed(self, name: str) -> None:
        if not self.skill(name).pinned:
            self.archive(name, who=PERSON, why="its folder was removed")

    def _adopt(
        self, staged: Path, name: str, provenance: Provenance, parent: int | None
    ) -> Version:
        """The staged folder as a version; the one with the same content where there is one."""
        check_names(staged)
        sha256 = tree_hash(staged)
        versions = self._records.versions(name)
        for version in versions:
            if version.sha256 == sha256:
                return version
        if parent is None and versions:
            parent = next((each.n for each in versions if each.active), versions[-1].n)
        findings = scan(read_skill(staged))
        blocked = any(finding.verdict == "block" for finding in findings)
        state: State = "quarantined" if blocked else "candidate"
        folder = self._records.folder(name, sha256)
        if not folder.exists():
            protect(staged)
            put_in_place(staged.parent, folder.parent)
        n = self._records.insert(name, sha256, parent, provenance, findings, state, self._clock())
        who = provenance.author
        why = "; ".join(sorted({f.why for f in findings if f.verdict == "block"}))
        self._log(name, n, "added", who, provenance.reason)
        if blocked:
            self._log(name, n, "quarantined", "scan", why)
        return self.version(name, n)

    def _after(self, version: Version, to: State) -> int | None:
        """The version that serves once `version` is in that state."""
        skill = self.skill(version.skill)
        active = skill.active
        if to == "trusted":
            return version.n
        if to == "trial":
            return active.n if active is not None else version.n
        if active is None or active.n != version.n:
            return active.n if active is not None else None
        if (earlier := self._earlier(skill)) is not None:
            return earlier.n
        trials = [each.n for each in skill.versions if each.state == "trial" and not each.active]
        return max(trials, default=None)

    def _earlier(self, skill: Skill) -> Version | None:
        """The trusted version that served last before the active one."""
        trusted = {
            version.n: version
            for version in skill.versions
            if version.state == "trusted" and not version.active
        }
        for event in reversed(self._records.events(skill.name)):
            if event.active in trusted:
                return trusted[event.active]
        return None

    def promotable(self, name: str) -> Version:
        """The version that `promote` takes when none is named."""
        versions = self.skill(name).versions
        for waiting in ("trial", "candidate", "suspect"), ("archived",):
            found = [each for each in versions if each.state in waiting]
            if found:
                return found[-1]
        return versions[-1]

    def awaits_approval(self, version: Version) -> bool:
        """Whether a person must approve the version before it serves."""
        made_by_member = version.provenance.author != PERSON
        return self._approval_needed and made_by_member and version.approved_by is None

    def _check_approval(self, version: Version, to: State) -> None:
        if to in states.SERVING and self.awaits_approval(version):
            raise PersonError(f"{version.label} needs a person's approval before it serves")

    def _log(self, name: str, n: int | None, what: str, who: str, why: str) -> None:
        row = self._records.row(name)
        active = row.active if row is not None else None
        self._records.log(SkillEvent(name, n, what, active, who, why, self._clock()))

    def _skill(self, name: str, versions: Sequence[Version]) -> Skill:
        row = self._records.row(name)
        return Skill(name, row is not None and row.pinned, tuple(versions))
