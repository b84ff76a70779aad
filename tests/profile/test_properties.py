"""Whatever a file holds, it is loaded or refused; nothing else happens."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.profile import NAME, RESERVED, load_agent, load_team
from orchestrator.profile.schema import MemberEntry, SupervisorEntry, TeamFile
from orchestrator.profile.workflow import Step, Workflow
from tests.profile.conftest import ANALYST, VOCABULARY

KEYS = sorted(
    {
        key
        for model in (TeamFile, MemberEntry, SupervisorEntry, Workflow, Step)
        for key in model.model_fields
    }
    | {"allow", "deny", "ask", "memory_mb", "<<"}
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["analyst", "read", "openai/gpt", "a", "{{ inputs.x }}", "{{ steps.a", "{% if"]
    ),
)
trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=25,
)
members = st.fixed_dictionaries(
    {"profile": st.sampled_from(["a", "b", "all"]) | scalars, "agent": st.just("analyst") | trees},
    optional={key: trees for key in MemberEntry.model_fields if key not in ("profile", "agent")},
)
teams = st.fixed_dictionaries(
    {"name": st.just("x") | trees, "members": st.lists(members | trees, max_size=3) | trees},
    optional={
        key: trees for key in ("supervisor", "defaults", "limits", "workflows", "description")
    },
)
PIECES = """\
a|- |: |, |[|]|{|}|'|"|&x |*x|!!int |!t |<<: |? |#|é|\ufeff|0x|~|12:30|1e9|\t
name: x|members:|  - profile: a|    agent: analyst|---|...|%YAML 1.1|  >
"""
yaml_like = st.lists(st.sampled_from(["\n", "|\n", *re.split(r"[|\n]", PIECES)]), max_size=40)


def attempt(content: bytes, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "agents").mkdir()
        (project / "agents/analyst.md").write_text(ANALYST)
        path = project / f"file.{kind}"
        path.write_bytes(content)
        try:
            if kind == "md":
                load_agent(path, project=project, home=project, vocabulary=VOCABULARY)
            else:
                load_team(path, project=project, home=project, vocabulary=VOCABULARY)
        except ConfigError as error:
            complete = all(problem.problem and problem.hint for problem in error.problems)
        else:
            complete = True
        assert complete


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes(content: bytes) -> None:
    attempt(content, "yaml")
    attempt(b"---\n" + content + b"\n---\nYou.", "md")


@settings(deadline=None)
@given(yaml_like.map("".join))
def test_text_that_looks_like_yaml(text: str) -> None:
    attempt(text.encode(), "yaml")
    attempt(f"---\nname: x\ndescription: {text}\n---\nYou.".encode(), "md")


@settings(deadline=None, max_examples=80)
@given(teams)
def test_well_formed_nonsense(value: Any) -> None:
    attempt(yaml.safe_dump(value, allow_unicode=True).encode(errors="replace"), "yaml")


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=6) | st.sampled_from(["name", "tools", "model"]), trees))
def test_front_matter_of_well_formed_nonsense(value: Any) -> None:
    front = yaml.safe_dump({"description": "x", **value}, allow_unicode=True)
    attempt(f"---\n{front}---\nYou.".encode(errors="replace"), "md")


@settings(deadline=None)
@given(st.text(max_size=70) | st.from_regex(NAME, fullmatch=True))
def test_a_name_is_taken_when_it_follows_the_rule_and_only_then(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "agents").mkdir()
        (project / "agents/analyst.md").write_text(ANALYST)
        team = {"name": "the-team", "members": [{"profile": name, "agent": "analyst"}]}
        path = project / "team.yaml"
        path.write_bytes(yaml.safe_dump(team, allow_unicode=True).encode(errors="replace"))
        free = NAME.fullmatch(name) is not None and name not in RESERVED | {"the-team"}
        try:
            loaded = load_team(path, project=project, home=project, vocabulary=VOCABULARY)
        except ConfigError:
            assert not free
        else:
            assert free
            assert loaded.members[0].address == f"the-team/{name}"
