"""From a team's file to a team: every reference followed, and what is broken left out and named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from orchestrator.errors import ConfigError, Problem
from orchestrator.profile import resolve
from orchestrator.profile import workflow as workflows
from orchestrator.profile.checking import NAME_HINT, checked, salvaged, shown
from orchestrator.profile.lookup import Places
from orchestrator.profile.references import References, Roles
from orchestrator.profile.schema import (
    NAME,
    RESERVED,
    Agent,
    Defaults,
    Member,
    MemberEntry,
    Team,
    TeamFile,
)
from orchestrator.profile.vocabulary import Vocabulary
from orchestrator.text.text_file import read_text
from orchestrator.text.yaml_file import Document, Loc, read_yaml

MAX_INSTRUCTIONS = 32_768
"""Bytes of a project's `AGENTS.md`, which every member reads with every request."""

MAX_STEPS = 500
"""Of one workflow."""


@dataclass(frozen=True)
class Reading:
    """What came of a team's file."""

    team: Team | None
    """None when the file as a whole cannot serve."""
    problems: Sequence[Problem]
    """Every one, those of the agents it uses included."""


def read_team(path: Path, places: Places, vocabulary: Vocabulary) -> Reading:
    try:
        document = read_yaml(path)
    except ConfigError as error:
        return Reading(None, error.problems)
    value = document.value
    if not isinstance(value, dict):
        problem = "is empty" if value is None else "does not hold `key: value` lines"
        return Reading(None, [document.problem((), problem, "give at least name and members")])
    return _Reader(path, document, value, places, vocabulary).read()


@dataclass(frozen=True)
class _Part:
    """A member or a workflow, as written; one with problems is left out."""

    label: str
    at: Loc
    raw: Any
    role: str | None = None
    """A member's agent, as far as it can be read."""
    names: Sequence[tuple[Loc, str]] = ()
    """A member's profile and aliases, as far as they can be read."""
    problems: list[Problem] = field(default_factory=list[Problem])


class _Reader:
    def __init__(
        self,
        path: Path,
        document: Document,
        value: dict[str, Any],
        places: Places,
        vocabulary: Vocabulary,
    ) -> None:
        self._path = path
        self._document = document
        self._places = places
        self._vocabulary = vocabulary
        self._roles = Roles(places, vocabulary)
        self._fatal: list[Problem] = []
        self._value = value
        members, flows = _list(value.get("members")), _mapping(value.get("workflows"))
        self._members = [_member_part(index, raw) for index, raw in enumerate(members)]
        self._flows = [
            _Part(f"workflow {name!r}", ("workflows", name), raw) for name, raw in flows.items()
        ]

    def read(self) -> Reading:
        self._share_out(self._document.problems)
        self._refuse_collisions()
        entries = [self._entry(part) for part in self._members]
        file = self._file(entries)
        members = [
            member
            for part, entry in zip(self._members, entries, strict=True)
            if entry is not None and (member := self._member(part, entry, file)) is not None
        ]
        ready = {str(part.at[-1]): flow for part in self._flows if (flow := self._workflow(part))}
        instructions = self._instructions()
        left_out = [part for part in (*self._members, *self._flows) if part.problems]
        problems = [*self._fatal, *(problem for part in left_out for problem in part.problems)]
        problems = sorted(dict.fromkeys(problems), key=self._order)
        if file is None or self._fatal or not members:
            return Reading(None, problems)
        team = Team(
            name=file.name,
            description=file.description,
            supervisor=file.supervisor,
            supervisor_models=resolve.supervisor_models(file.supervisor, file.defaults),
            supervisor_memory=resolve.supervisor_memory(file.supervisor, file.defaults),
            limits=file.limits,
            members=tuple(members),
            workflows=ready,
            source=self._path,
            instructions=instructions,
            problems=tuple(
                f"{part.label} is left out: {problem}"
                for part in left_out
                for problem in part.problems
            ),
        )
        return Reading(team, problems)

    def _share_out(self, problems: Sequence[Problem]) -> None:
        """A key given twice inside a member is that member's problem, elsewhere the file's."""
        parts = {".".join(map(str, part.at)): part for part in (*self._members, *self._flows)}
        for problem in problems:
            inside = re.match(r"(members|workflows)\.[^.]+(?=\.)", problem.key)
            part = parts.get(inside[0]) if inside else None
            (self._fatal if part is None else part.problems).append(problem)

    def _refuse_collisions(self) -> None:
        """Two members by one name: leaving one out would give its messages to the other."""
        taken: dict[str, str] = {}
        if isinstance(team := self._value.get("name"), str):
            taken[team] = "the team's name, which means the supervisor"
        named = [(loc, name, part.label) for part in self._members for loc, name in part.names]
        for loc, name, label in sorted(named, key=lambda entry: entry[0][-1] != "profile"):
            if name in taken:
                problem = f"{name!r} is already {taken[name]}"
                self._fatal.append(self._document.problem(loc, problem, "choose another name"))
            taken.setdefault(name, f"a name of {label}")

    def _entry(self, part: _Part) -> MemberEntry | None:
        entry = checked(MemberEntry, part.raw, self._document, part.problems, part.at)
        return entry or salvaged(MemberEntry, part.raw, {"profile": "unnamed", "agent": "unnamed"})

    def _file(self, entries: Sequence[MemberEntry | None]) -> TeamFile | None:
        """The file, leaving aside what is wrong inside members and workflows."""
        shell = dict(self._value)
        if self._members:
            shell["members"] = [entry for entry in entries if entry is not None]
        elif shell.get("members") == []:
            hint = "give at least one member"
            self._fatal.append(self._document.problem(("members",), "is empty", hint))
        if self._flows:
            shell["workflows"] = {}
        file = checked(TeamFile, shell, self._document, self._fatal)
        file = file or salvaged(TeamFile, shell, {"name": "unnamed", "members": ()})
        if file is not None:
            references = References(self._document, self._places, self._vocabulary)
            defaults, supervisor = file.defaults, file.supervisor
            references.models(("defaults",), defaults.model, defaults.fallbacks)
            references.models(("supervisor",), supervisor.model, supervisor.fallbacks)
            references.rules(("defaults", "approvals"), defaults.approvals)
            self._fatal += references.problems
            if defaults.fallbacks and defaults.model is None:
                self._fatal.append(self._without_model(("defaults",)))
            elif supervisor.fallbacks and (supervisor.model or defaults.model) is None:
                self._fatal.append(self._without_model(("supervisor",)))
        return file

    def _member(self, part: _Part, entry: MemberEntry, file: TeamFile | None) -> Member | None:
        """The member, when it and the file are sound."""
        references = References(self._document, self._places, self._vocabulary)
        references.tools((*part.at, "tools"), entry.tools)
        references.models(part.at, entry.model, entry.fallbacks or ())
        references.skills((*part.at, "skills"), entry.skills)
        if entry.approvals is not None:
            references.rules((*part.at, "approvals"), entry.approvals)
        part.problems.extend(references.problems)
        if part.role is None:
            return None
        agent = self._roles.agent(part.role)
        if not isinstance(agent, Agent):
            part.problems.extend(agent or [self._no_agent(part, part.role)])
            return None
        defaults = file.defaults if file is not None else Defaults()
        if entry.fallbacks and (entry.model or agent.model or defaults.model) is None:
            part.problems.append(self._without_model(part.at))
        if file is None or part.problems:
            return None
        core = self._vocabulary.core
        return resolve.member(entry, agent, team=file.name, defaults=defaults, core=core)

    def _no_agent(self, part: _Part, role: str) -> Problem:
        problem = f"no agent {shown(role)}"
        return self._document.problem((*part.at, "agent"), problem, self._roles.near(role))

    def _without_model(self, at: Loc) -> Problem:
        return self._document.problem((*at, "fallbacks"), "stands without a model", "add `model:`")

    def _workflow(self, part: _Part) -> workflows.Workflow | None:
        name = str(part.at[-1])
        if not NAME.fullmatch(name):
            part.problems.append(self._document.problem(part.at, f"{name!r} is no name", NAME_HINT))
        flow = checked(workflows.Workflow, part.raw, self._document, part.problems, part.at)
        if flow is not None:
            part.problems.extend(self._check_workflow(part, flow))
        return None if part.problems else flow

    def _check_workflow(self, part: _Part, flow: workflows.Workflow) -> Sequence[Problem]:
        if len(flow.steps) > MAX_STEPS:
            problem = f"has more than {MAX_STEPS} steps"
            hint = "let one step run for many items with `for_each`"
            return [self._document.problem((*part.at, "steps"), problem, hint)]
        members = {
            name: member
            for member in self._members
            for _, name in member.names
            if NAME.fullmatch(name) and name not in RESERVED
        }
        found = [
            (_loc(key), problem, hint)
            for key, problem, hint in workflows.check(flow, frozenset(members))
        ]
        found += [
            (("steps", index, "agent"), f"member {step.agent!r} is left out", "mend it first")
            for index, step in enumerate(flow.steps)
            if step.agent in members and members[step.agent].problems
        ]
        return [
            self._document.problem((*part.at, *loc), problem, hint) for loc, problem, hint in found
        ]

    def _instructions(self) -> str:
        project = self._places.project
        if project is None or not (project / "AGENTS.md").exists():
            return ""
        try:
            return read_text(project / "AGENTS.md", most=MAX_INSTRUCTIONS).strip()
        except ConfigError as error:
            self._fatal += error.problems
            return ""

    def _order(self, problem: Problem) -> tuple[bool, str, int]:
        """The team's file first, from top to bottom."""
        return problem.file != self._document.file, problem.file, problem.line or 0


def _member_part(index: int, raw: Any) -> _Part:
    at: Loc = ("members", index)
    entry = _mapping(raw)
    profile, role = entry.get("profile"), entry.get("agent")
    named = [((*at, "profile"), profile)]
    named += [((*at, "aliases", n), alias) for n, alias in enumerate(_list(entry.get("aliases")))]
    return _Part(
        label=f"member {profile!r}" if isinstance(profile, str) else f"member {index + 1}",
        at=at,
        raw=raw,
        role=role if isinstance(role, str) else None,
        names=[(loc, name) for loc, name in named if isinstance(name, str)],
    )


def _loc(key: str) -> Loc:
    return tuple(int(step) if step.isdecimal() else step for step in key.split(".") if step)


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
