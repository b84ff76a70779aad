"""Learning from finished work: evidence first, then what is worth keeping, through the gate."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.database import Database
from orchestrator.errors import ConfigError, PersonError, ToolRetry
from orchestrator.skill import lifecycle
from orchestrator.skill.document import SkillDocument
from orchestrator.skill.draft import Writer, draft, rules_of, traps_of
from orchestrator.skill.evidence import Case, Use
from orchestrator.skill.experience import Experience, Sign, Step, worth
from orchestrator.skill.gate import GateResult, check_retrieval, check_text
from orchestrator.skill.patch import Operation, apply
from orchestrator.skill.shelf import Shelf
from orchestrator.skill.states import State
from orchestrator.skill.tasks import Tasks
from orchestrator.skill.vectors import Embed
from orchestrator.skill.version import Provenance, Version
from orchestrator.skill.writer import conform

log = logging.getLogger(__name__)

_MADE = ("learned", "written")
"""Origins of what members made themselves."""

EVIDENCE, GATE = "evidence", "gate"
"""Who, when no person decides."""

_NEAR = 5
"""Skills looked at for one that does the same, and those that search does not show."""
_MOST_HIDDEN = 50


@dataclass(frozen=True)
class Lesson:
    """What came of one finished task."""

    run: str
    task: str
    happened: tuple[str, ...] = ()
    """One sentence for each decision; empty when nothing was learned."""


@dataclass(frozen=True)
class _Plan:
    """A task worth keeping."""

    reason: str
    known: str | None
    """The skill there is for such tasks."""


class Learner:
    """Learns for one profile, from its own work only."""

    def __init__(
        self,
        shelf: Shelf,
        database: Database,
        *,
        embed: Embed | None = None,
        writer: Writer | None = None,
    ) -> None:
        self._shelf = shelf
        self._store = shelf.store
        self._tasks = Tasks(database, embed)
        self._writer = writer

    async def learn(self, experience: Experience) -> Lesson:
        """Take in what the world said of a task. Doing it twice changes nothing; a later sign, such
        as a person's word, replaces an earlier one.

        Without a sign from outside nothing is judged and nothing is made.
        """
        sign = experience.outside
        if sign is None:
            return Lesson(experience.run, experience.task)
        happened = await asyncio.to_thread(self._take_in, experience, sign)
        plan = await asyncio.to_thread(self._plan, experience, sign) if sign.good else None
        if plan is not None:
            fresh = await draft(experience, self._writer) if plan.known is None else None
            happened += await asyncio.to_thread(self._keep, experience, plan, fresh)
        return Lesson(experience.run, experience.task, tuple(happened))

    def try_out(self, version: Version) -> Sequence[str]:
        """Let a candidate be tried, or say in its history why not."""
        uses = self._store.evidence.uses(version.skill, version.n)
        untried = version.state == "suspect" and not any(use.loaded for use in uses)
        if version.state != "candidate" and not untried:
            return [f"{version.label} is {version.state}"]
        document = version.read().replace(name=version.skill, warnings=())
        result = check_text(document)
        if result.passed:
            result = GateResult(result.checks + check_retrieval(self._shelf, document).checks)
        if not result.passed:
            self._store.note(version.skill, version.n, "refused", who=GATE, why=str(result))
            return [f"{version.label} is not tried: {result}"]
        happened = self._move(version, "trial", GATE, "it passed every check")
        for other in self._store.skill(version.skill).versions:
            if other.state == "trial" and other.n < version.n:
                happened += self._move(other, "archived", GATE, f"{version.label} takes its place")
        return happened

    def _take_in(self, experience: Experience, sign: Sign) -> list[str]:
        """Settle the evidence, and what follows from it."""
        self._shelf.sync(look=True)
        happened = list(self._judge(self._settle(experience, good=sign.good)))
        if not sign.good:
            self._tasks.remove(experience.run, experience.task)
            return [*happened, *self._take_back(experience, sign)]
        return [*happened, *(self._try_written(experience) if sign.by != "exit code" else ())]

    def _take_back(self, experience: Experience, sign: Sign) -> Sequence[str]:
        """What was learned from a task that did not go well after all is no longer tried."""
        happened: list[str] = []
        for version in self._made_in(experience.run, ("trial",)):
            why = f"{sign.by} said that the task it was learned from went badly"
            happened += self._move(version, "suspect", EVIDENCE, why)
        return happened

    def _made_in(self, run: str, states: Sequence[State]) -> Sequence[Version]:
        """The versions that a member made in that run and that are in one of those states."""
        return [
            version
            for skill in self._store.skills()
            for version in skill.versions
            if run in version.provenance.runs
            and version.state in states
            and version.provenance.origin in _MADE
        ]

    def _settle(self, experience: Experience, *, good: bool) -> Sequence[Use]:
        evidence = self._store.evidence
        loaded = [use for use in evidence.of_task(experience.run, experience.task) if use.loaded]
        followed = {use.skill: self._followed(use, experience.steps) for use in loaded}
        uses = evidence.settle(
            experience.run, experience.task, "success" if good else "failure", followed
        )
        phrase = experience.brief[:300]
        for use in loaded:
            if not good:
                run, task = experience.run, experience.task
                evidence.add_case(Case(use.skill, use.n, run, task, experience.brief))
                self._shelf.triggers.remove(use.skill, phrase)
            elif use.n:
                self._shelf.triggers.add(use.skill, phrase)
        if good:
            evidence.drop_cases(experience.run, experience.task)
        return uses

    def _followed(self, use: Use, steps: Sequence[Step]) -> bool | None:
        """Whether it used a tool of the skill's steps; None where the steps name none."""
        document = self._document(use)
        body = document.body if document is not None else ""
        named = set(re.findall(r"^\d+\. `(\w+)`", body, re.MULTILINE))
        return bool(named & {step.tool for step in steps}) if named else None

    def _document(self, use: Use) -> SkillDocument | None:
        if use.n == 0:
            return self._shelf.document(use.skill)
        return self._store.version(use.skill, use.n).read()

    def _judge(self, uses: Sequence[Use]) -> Sequence[str]:
        """Promote or suspect what the task was evidence for."""
        happened: list[str] = []
        for use in uses:
            if use.n == 0:
                continue
            version = self._store.version(use.skill, use.n)
            verdict = lifecycle.judge(version.state, self._store.evidence.tally(use.skill, use.n))
            if verdict is not None:
                happened += self._move(version, verdict.to, EVIDENCE, verdict.why)
        return happened

    def _try_written(self, experience: Experience) -> Sequence[str]:
        """What the member wrote in this run may be tried, now that the run has gone well."""
        made = self._made_in(experience.run, ("candidate",))
        return [line for version in made for line in self.try_out(version)]

    def _plan(self, experience: Experience, sign: Sign) -> _Plan | None:
        """What to make of the task; None when there is nothing to learn from it, or has been."""
        run, task = experience.run, experience.task
        seen = self._tasks.seen_like(experience.brief, without=(run, task))
        self._tasks.add(run, task, experience.brief)
        reasons = worth(experience, seen_before=seen).reasons
        if not reasons or self._tasks.learned(run, task):
            return None
        known = self._same_kind(experience)
        if known is not None and self._is_closed(known):
            return None
        return _Plan(f"{', '.join(reasons)}; {sign.by} said it went well", known)

    def _keep(
        self, experience: Experience, plan: _Plan, fresh: SkillDocument | None
    ) -> Sequence[str]:
        """Make a skill of the task, or mend the one there is."""
        version = None
        if plan.known is not None:
            version = self._improve(plan.known, experience, plan.reason)
        elif fresh is not None:
            version = self._make(fresh, experience, plan.reason)
        label = version.label if version is not None else plan.known
        self._tasks.mark(experience.run, experience.task, label or "nothing")
        if version is None:
            return ()
        return (f"{version.label} was learned: {plan.reason}", *self.try_out(version))

    def _same_kind(self, experience: Experience) -> str | None:
        """The skill that this task used, or that is meant for such tasks."""
        uses = self._store.evidence.of_task(experience.run, experience.task)
        loaded = [use.skill for use in uses if use.loaded and self._alive(use.skill)]
        if loaded:
            return loaded[0]
        withheld = [use.skill for use in uses if not use.served]
        near = [hit.name for hit in self._shelf.search(experience.brief, most=_NEAR)]
        hidden = [
            skill.name
            for skill in self._store.skills()
            if skill.versions[-1].state in ("candidate", "archived", "quarantined")
        ]
        for name in dict.fromkeys([*withheld, *near, *hidden[:_MOST_HIDDEN]]):
            wanted = self._alive(name) or self._is_closed(name)
            if wanted and self._tasks.alike(experience.brief, self._phrases(name)):
                return name
        return None

    def _alive(self, name: str) -> bool:
        """Whether it serves, or may yet by evidence alone."""
        if name not in self._store.names():
            return True
        return any(
            version.state in ("trial", "trusted")
            or (version.state == "candidate" and version.provenance.origin in _MADE)
            for version in self._store.skill(name).versions
        )

    def _is_closed(self, name: str) -> bool:
        """Whether it was archived or quarantined as a whole: nothing takes its place unasked."""
        if name not in self._store.names():
            return False
        states = {version.state for version in self._store.skill(name).versions}
        return states <= {"archived", "quarantined"}

    def _phrases(self, name: str) -> Sequence[str]:
        """What a skill is for, whatever its state."""
        if name in self._store.names():
            document = self._store.skill(name).versions[-1].read()
            written = document.metadata.get("triggers", "").splitlines()
            return [*written, *self._shelf.triggers.of(name)]
        return self._shelf.phrases(name)

    def _make(self, fresh: SkillDocument, experience: Experience, reason: str) -> Version | None:
        document = conform(fresh)
        if document.name in self._store.names() and not self._is_from(document.name, experience):
            document = document.replace(name=self._free_name(document.name))
        return self._add(document, experience, reason, parent=None)

    def _is_from(self, name: str, experience: Experience) -> bool:
        """Whether the skill came of this very run, before somebody said it went badly."""
        versions = self._store.skill(name).versions
        return any(experience.run in version.provenance.runs for version in versions)

    def _free_name(self, name: str) -> str:
        names = set(self._store.names())
        numbered = (f"{name[:60]}-{number}" for number in range(2, 1000))
        return next(each for each in numbered if each not in names)

    def _improve(self, name: str, experience: Experience, reason: str) -> Version | None:
        """Add what the skill does not say yet; None when there is nothing to add."""
        base = self._shelf.base(name, run=experience.run, task=experience.task)
        base = base or self._candidate(name)
        if base is None:
            return None
        document, parent = base
        body = document.body
        for title, lines in (
            ("## Rules", rules_of(experience.corrections)),
            ("## Pitfalls", traps_of(experience)),
        ):
            new = [line for line in lines if line not in body]
            if new:
                body = _insert(body, title, new)
        if body == document.body:
            return None
        legal = conform(document.replace(body=body, name=name))
        return self._add(legal, experience, reason, parent=parent)

    def _candidate(self, name: str) -> tuple[SkillDocument, int] | None:
        """The newest version a member made that nobody has tried yet."""
        versions = self._store.skill(name).versions if name in self._store.names() else ()
        for version in reversed(versions):
            if version.state == "candidate" and version.provenance.origin in _MADE:
                return version.read(), version.n
        return None

    def _add(
        self, document: SkillDocument, experience: Experience, reason: str, parent: int | None
    ) -> Version | None:
        provenance = Provenance(
            author=experience.author,
            origin="learned",
            reason=reason,
            runs=(experience.run,),
            model=self._writer.name if self._writer is not None else None,
        )
        try:
            return self._store.add(document, provenance, parent=parent)
        except (ConfigError, PersonError) as error:
            log.warning("nothing was learned from run %s: %s", experience.run, error)
            return None

    def _move(self, version: Version, to: State, who: str, why: str) -> list[str]:
        try:
            self._store.move(version.skill, version.n, to, who=who, why=why)
        except PersonError as error:
            if not self._store.awaits_approval(version):
                raise
            self._store.note(version.skill, version.n, "waits", who=who, why=str(error))
            return [str(error)]
        return [f"{version.label} is {to}: {why}"]


def _insert(body: str, title: str, lines: Sequence[str]) -> str:
    """The body with lines added under a heading, which is made where there is none."""
    text = "\n".join(lines)
    try:
        return apply(body, [Operation("add", title, f"\n{text}")])
    except ToolRetry:
        return apply(body, [Operation("add", "", f"\n{title}\n\n{text}")])
