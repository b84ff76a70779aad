"""Follows the names in one file: what leads nowhere becomes a problem with near names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.errors import ConfigError, Problem
from orchestrator.profile.agent_file import read_agent
from orchestrator.profile.checking import MOST, did_you_mean, shown
from orchestrator.profile.lookup import Places
from orchestrator.profile.schema import Agent, Approvals, ToolChoice
from orchestrator.profile.vocabulary import Vocabulary
from orchestrator.text.yaml_file import Document, Loc


class References:
    """What was found wrong gathers in `problems`."""

    def __init__(self, document: Document, places: Places, vocabulary: Vocabulary) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._places = places
        self._vocabulary = vocabulary

    def tools(self, at: Loc, choice: ToolChoice) -> None:
        for key, names in (("allow", choice.allow or ()), ("deny", choice.deny)):
            for index, name in enumerate(names):
                self._note((*at, key, index), name, self._vocabulary.tool)

    def rules(self, at: Loc, approvals: Approvals) -> None:
        for key, rules in (("ask", approvals.ask), ("deny", approvals.deny)):
            for index, rule in enumerate(rules):
                self._note((*at, key, index), rule, self._vocabulary.rule)

    def models(self, at: Loc, model: str | None, fallbacks: Sequence[str] = ()) -> None:
        if model is not None:
            self._note((*at, "model"), model, self._vocabulary.model)
        for index, fallback in enumerate(fallbacks):
            self._note((*at, "fallbacks", index), fallback, self._vocabulary.model)

    def skills(self, at: Loc, names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            self._note((*at, index), name, self._skill)

    def _skill(self, name: str) -> tuple[str, str] | None:
        if self._places.skill(name) is not None:
            return None
        return f"no skill {shown(name)}", did_you_mean(name, self._places.skills(), "skills")

    def _note(self, loc: Loc, name: str, check: Callable[[str], tuple[str, str] | None]) -> None:
        found = check(name) if len(self.problems) < MOST else None
        if found is not None:
            self.problems.append(self._document.problem(loc, *found))


def checked_agent(path: Path, places: Places, vocabulary: Vocabulary) -> Agent:
    """The role in that file, with all it refers to. Raises ConfigError with every problem."""
    file = read_agent(path)
    references = References(file.front, places, vocabulary)
    references.tools(("tools",), file.agent.tools)
    references.models((), file.agent.model)
    references.skills(("skills",), file.agent.skills)
    if problems := [*file.problems, *references.problems]:
        raise ConfigError(problems)
    return file.agent


class Roles:
    """The agents one team uses, each read once."""

    def __init__(self, places: Places, vocabulary: Vocabulary) -> None:
        self._places = places
        self._vocabulary = vocabulary
        self._read: dict[str, Agent | Sequence[Problem]] = {}

    def agent(self, role: str) -> Agent | Sequence[Problem]:
        """The role, or what is wrong with it: nothing when there is no such role."""
        if role not in self._read:
            self._read[role] = self._agent(role)
        return self._read[role]

    def _agent(self, role: str) -> Agent | Sequence[Problem]:
        path = self._places.agent(role)
        if path is None:
            return ()
        try:
            return checked_agent(path, self._places, self._vocabulary)
        except ConfigError as error:
            return error.problems

    def near(self, role: str) -> str:
        """A hint for a role that does not exist."""
        return did_you_mean(role, self._places.agents(), "agents")
