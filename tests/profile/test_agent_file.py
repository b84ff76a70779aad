"""Roles in Markdown: ours, and Claude Code's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, Problem
from orchestrator.profile import Agent, load_agent
from tests.profile.conftest import VOCABULARY, Bench


def load(bench: Bench, text: str, name: str = "role.md") -> Agent:
    path = bench.write(f"agents/{name}", text)
    return load_agent(path, project=bench.project, home=bench.home, vocabulary=VOCABULARY)


def refused(bench: Bench, text: str) -> Sequence[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(bench, text)
    return caught.value.problems


def claude(bench: Bench, lines: str, description: str = "Reviews code.") -> Agent:
    return load(bench, f"---\nname: role\ndescription: {description}\n{lines}\n---\nYou review.\n")


def test_front_matter_and_persona(bench: Bench) -> None:
    agent = load(
        bench,
        """\
---
name: role
description: Does things
tools: {allow: [read, shell], deny: [shell]}
model: anthropic/claude
examples:
  - Do this
  - Do that
steps: 9
---

You do things.

---
A line above is no fence of the front matter.
""",
    )
    assert (agent.name, agent.description, agent.model) == (
        "role",
        "Does things",
        "anthropic/claude",
    )
    assert (agent.tools.allow, agent.tools.deny) == (("read", "shell"), ("shell",))
    assert agent.examples == ("Do this", "Do that")
    assert agent.persona.startswith("You do things.\n\n---\nA line above")
    assert agent.source == bench.project / "agents/role.md"


def test_the_agents_steps_count_where_the_member_says_nothing(bench: Bench) -> None:
    bench.write("agents/quick.md", "---\nname: quick\ndescription: x\nsteps: 4\n---\nYou.")
    team = bench.team(
        "name: x\ndefaults: {limits: {steps: 50}}\nmembers:\n"
        "  - {profile: a, agent: quick}\n  - {profile: b, agent: quick, limits: {steps: 6}}"
    )
    assert [member.limits.steps for member in team.members] == [4, 6]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("You are an agent.\n", 1, "does not begin with front matter"),
        ("---\nname: role\ndescription: x\nYou.\n", 1, "the front matter does not end"),
        ("---\n---\nYou.\n", 2, "has no `key: value` lines"),
        ("---\nname: role\ndescription: x\n---\n\n", None, "has no persona"),
        ("---\nname: role\ndescription: x\ntools: [a\n---\nYou.\n", 4, "did not find expected"),
        ("---\nname: role\ndescription: x\nname: y\n---\nYou.\n", 4, "given twice"),
    ],
)
def test_what_is_no_agent_is_refused(bench: Bench, text: str, line: int | None, said: str) -> None:
    problem = refused(bench, text)[0]
    assert (problem.line, said in problem.problem) == (line, True), problem


def test_every_problem_of_an_agent_is_named_at_once(bench: Bench) -> None:
    found = refused(
        bench,
        "---\nname: The Role\ndescripton: x\ntools: [read, Shel]\nmodel: opnai/gpt\n"
        "examples: none\nskills: [chek-claims]\n---\n",
    )
    assert {(problem.line, problem.key, problem.hint) for problem in found} == {
        (2, "name", "use 1 to 63 lower-case letters, digits, - and _"),
        (3, "descripton", "did you mean 'description'?"),
        (2, "description", "add it"),
        (4, "tools.1", "did you mean 'shell'?"),
        (5, "model", "did you mean 'openai'?"),
        (6, "examples", "write [a, b], or one line `- …` for each"),
        (7, "skills.0", "did you mean 'check-claims'?"),
        (None, "", "write it below the front matter"),
    }


@pytest.mark.parametrize("key", ["persona: x", "source: x", "prompt: x"])
def test_keys_that_no_agent_file_has_are_refused(bench: Bench, key: str) -> None:
    (problem,) = refused(bench, f"---\nname: role\ndescription: x\n{key}\n---\nYou.\n")
    assert (problem.line, problem.problem) == (4, "unknown key")
    assert "name, description, tools" in problem.hint


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ("Read, Grep, Bash", ("read", "grep", "shell")),
        ('["Read", "Edit", "MultiEdit"]', ("read", "edit")),
        ("Read, Task, BashOutput, Agent(worker)", ("read",)),
        ("WebFetch, TodoWrite, python", ("web_fetch", "plan", "python")),
        ('"*"', None),
    ],
)
def test_claude_codes_tools_become_ours(
    bench: Bench, tools: str, expected: tuple[str, ...] | None
) -> None:
    assert claude(bench, f"tools: {tools}").tools.allow == expected


def test_claude_codes_other_keys(bench: Bench) -> None:
    agent = claude(
        bench,
        "tools: Read, Write\ndisallowedTools: Bash, Write\nmodel: inherit\ncolor: green\n"
        "effort: high\nbackground: true\nmemory: project\nisolation: worktree\nmaxTurns: 30\n"
        "permissionMode: acceptEdits\ninitialPrompt: hello",
    )
    assert (agent.tools.allow, agent.tools.deny) == (("read", "write"), ("shell", "write"))
    assert (agent.model, agent.steps) == (None, 30)


def test_a_claude_code_agent_that_only_plans_may_not_write(bench: Bench) -> None:
    agent = claude(bench, "tools: Read, Write, Bash\npermissionMode: plan")
    assert set(agent.tools.deny) == {"write", "edit", "shell", "python"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [("sonnet", None), ("haiku", None), ("claude-x-5", "anthropic/claude-x-5"), ("local", "local")],
)
def test_claude_codes_models(bench: Bench, model: str, expected: str | None) -> None:
    assert claude(bench, f"model: {model}").model == expected


def test_claude_codes_skills_may_stand_in_one_line(bench: Bench) -> None:
    for skill in ("one", "two"):
        bench.write(f"skills/{skill}/SKILL.md", "x")
    assert claude(bench, "skills: one, two").skills == ("one", "two")


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("hooks:\n  PreToolUse: []", "hooks"),
        ("mcpServers: [github]", "mcpServers"),
        ("colour: green", "colour"),
        ("tools: Read, mcp__github__search", "tools"),
        ("tools: Read, Bash(git *)", "tools"),
        ("maxTurns: many", "steps"),
    ],
)
def test_what_would_be_lost_from_a_claude_code_agent_is_refused(
    bench: Bench, lines: str, key: str
) -> None:
    (problem,) = refused(bench, f"---\nname: role\ndescription: x\n{lines}\n---\nYou.\n")
    assert problem.key == key
    assert problem.hint


DIALOGUES = (
    "Use this agent when code was written: it reviews it.{gap}Examples:{gap}"
    '<example>{gap}Context: A function was written.{gap}user: "Please write a function"{gap}'
    'assistant: "Here it is"{gap}<commentary>Now: review.</commentary>{gap}</example>{gap}'
    "<example>{gap}Context: Before a commit.{gap}user: 'Is \"main\" ready?'{gap}"
    "assistant: 'I will look'{gap}</example>"
)


@pytest.mark.parametrize("gap", ["\\n", " ", "\n\n  ", "\n"])
def test_a_description_as_claude_code_writes_it_is_taken_literally(bench: Bench, gap: str) -> None:
    agent = claude(bench, "tools: Read\nmodel: sonnet", DIALOGUES.format(gap=gap))
    assert agent.description == "Use this agent when code was written: it reviews it."
    assert agent.examples == ("Please write a function", 'Is "main" ready?')
    assert agent.tools.allow == ("read",)


def test_lines_are_right_below_a_literal_description(bench: Bench) -> None:
    description = DIALOGUES.format(gap="\n\n  ")
    text = f"---\nname: role\ndescription: {description}\ntols: Read\n---\nYou.\n"
    (problem,) = refused(bench, text)
    line = text[: text.index("tols:")].count("\n") + 1
    assert (problem.line, problem.hint) == (line, "did you mean 'tools'?")


def test_an_error_elsewhere_is_not_blamed_on_the_description(bench: Bench) -> None:
    (problem,) = refused(bench, "---\nname: role\ndescription: fine\ntools: @x\n---\nYou.\n")
    assert problem.line == 4


def test_the_agents_folder_of_a_plugin_finds_its_own_skills(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "plugin/skills/one").mkdir(parents=True)
    (tmp_path / "plugin/skills/one/SKILL.md").write_text("x")
    path = tmp_path / "plugin/agents/role.md"
    path.parent.mkdir()
    path.write_text("---\nname: role\ndescription: x\nskills: [one]\n---\nYou.")
    agent = load_agent(path, project=None, home=bench.home, vocabulary=VOCABULARY)
    assert agent.skills == ("one",)
