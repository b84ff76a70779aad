"""The roles and teams that come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import content
from orchestrator.home import Home
from orchestrator.profile import Agent, Team, Vocabulary, load_agent, load_team
from orchestrator.tool.catalog import CORE, TOOLS

VOCABULARY = Vocabulary(tools=TOOLS, core=CORE, providers=frozenset[str]())
ROLES = sorted(content.bundled("agents").glob("*.md"))
TEAMS = sorted(path.stem for path in content.bundled("profiles").glob("*.yaml"))


def team(name: str, home: Home) -> Team:
    return load_team(name, project=None, home=home.root, vocabulary=VOCABULARY)


def role(path: Path, home: Home) -> Agent:
    return load_agent(path, project=None, home=home.root, vocabulary=VOCABULARY)


def test_they_are_there() -> None:
    assert {"desk", "engineering", "newsroom"} <= set(TEAMS)
    assert len(ROLES) >= 8


@pytest.mark.parametrize("name", TEAMS)
def test_every_team_loads_without_a_problem_under_its_own_name(name: str, home: Home) -> None:
    loaded = team(name, home)
    assert (loaded.name, loaded.problems) == (name, ())
    assert loaded.description


@pytest.mark.parametrize("path", ROLES, ids=lambda path: path.stem)
def test_every_role_is_short_and_says_what_it_is_for(path: Path, home: Home) -> None:
    agent = role(path, home)
    assert agent.name == path.stem
    assert 40 <= len(agent.persona.split()) <= 120
    assert 5 <= len(agent.examples) <= 7
    assert agent.tools.allow
    assert agent.model is None


def test_no_two_roles_share_an_example(home: Home) -> None:
    examples = [example for path in ROLES for example in role(path, home).examples]
    assert len(set(examples)) == len(examples)


def test_the_desk_gives_a_small_model_few_tools(home: Home) -> None:
    tools = {member.profile: set(member.tools) for member in team("desk", home).members}
    assert tools == {
        "analyst": {"query_table", "list"},
        "reader": {"grep", "read"},
        "writer": {"write"},
    }
