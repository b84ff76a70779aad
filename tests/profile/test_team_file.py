"""Teams as people write them: what is filled in, what is refused, what is left out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestrator.errors import ConfigError
from tests.profile.conftest import Bench

TWO = """
name: two
members:
  - {profile: a, agent: analyst}
  - {profile: b, agent: analyst}
"""


def test_a_member_gets_what_its_agent_and_the_team_say(bench: Bench) -> None:
    team = bench.team(TWO)
    a = team.member("a")
    assert a is not None
    assert (a.address, a.agent.name, a.description) == ("two/a", "analyst", "Answers from tables")
    assert a.agent.persona == "You answer from tables."
    assert a.agent.examples == ("How many rows are there?",)
    assert a.tools == ("read", "grep")
    assert a.models == ()
    assert a.limits.steps == 24
    assert team.problems == ()
    assert team.limits.cost_usd == Decimal(5)


def test_a_members_own_word_wins_key_by_key(bench: Bench) -> None:
    team = bench.team("""
name: x
defaults:
  model: openai/gpt
  fallbacks: [local]
  limits: {steps: 7, minutes: 3}
  sandbox: {memory_mb: 64, timeout_seconds: 9}
  approvals: {ask: [shell], deny: ["write(*.env)"]}
members:
  - profile: own
    agent: analyst
    description: Mine
    model: anthropic/claude
    fallbacks: []
    limits: {steps: 2}
    sandbox: {memory_mb: 32}
    approvals: {ask: []}
  - profile: plain
    agent: analyst
""")
    own, plain = team.members
    assert (own.description, own.models) == ("Mine", ("anthropic/claude",))
    assert (own.limits.steps, own.limits.minutes) == (2, 3)
    assert (own.sandbox.memory_mb, own.sandbox.timeout_seconds) == (32, 9)
    assert own.sandbox.model_fields_set == {"memory_mb", "timeout_seconds"}
    assert (own.approvals.ask, own.approvals.deny) == ((), ("write(*.env)",))
    assert plain.models == ("openai/gpt", "local")
    assert plain.approvals.ask == ("shell",)
    assert team.supervisor_models == ("openai/gpt", "local")


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ("", ("read", "grep")),
        ("tools: [shell, web_fetch]", ("shell", "web_fetch")),
        ("tools: shell, web_fetch", ("shell", "web_fetch")),
        ("tools: []", ()),
        ("tools: {deny: [grep]}", ("read",)),
        ("tools: {allow: [shell, read, shell], deny: [read]}", ("shell",)),
        ("tools: [tool_search, call_tool]", ("tool_search", "call_tool")),
    ],
)
def test_tools_are_the_members_else_the_agents_less_the_denied(
    bench: Bench, tools: str, expected: tuple[str, ...]
) -> None:
    team = bench.team(f"name: x\nmembers:\n  - profile: a\n    agent: analyst\n    {tools}\n")
    assert team.members[0].tools == expected


def test_without_any_word_on_tools_the_core_ones_are_allowed(bench: Bench) -> None:
    bench.write(
        "agents/plain.md", "---\nname: plain\ndescription: x\ntools: {deny: [write]}\n---\nYou."
    )
    team = bench.team("name: x\nmembers: [{profile: a, agent: plain}]")
    assert team.members[0].tools == ("read", "tool_search", "call_tool")


def test_every_problem_is_named_at_once_with_its_line_and_the_nearest_key(bench: Bench) -> None:
    found = bench.refused("""\
name: Team!
describtion: x
supervisor:
  shortlist: many
defaults:
  model: opnai/gpt-5
  limits: {steps: 0}
  sandbox: {isolation: non}
members:
  - profile: a
    agent: analist
    tols: [read]
    tools: [reed]
  - agent: analyst
    instructions: 12
    model: gpt-5
    approvals: {ask: ["rite(*)", "shell("]}
  -
  - words
""")
    assert [(problem.line, problem.key, problem.problem, problem.hint) for problem in found] == [
        (1, "name", "'Team!' is no name", "use 1 to 63 lower-case letters, digits, - and _"),
        (2, "describtion", "unknown key", "did you mean 'description'?"),
        (
            4,
            "supervisor.shortlist",
            "must be a whole number, not 'many'",
            "write it in digits, without a unit",
        ),
        (6, "defaults.model", "no provider 'opnai'", "did you mean 'openai'?"),
        (7, "defaults.limits.steps", "must be at least 1, not 0", "change it"),
        (8, "defaults.sandbox.isolation", "must be 'full' or 'none', not 'non'", "choose one"),
        (11, "members.0.agent", "no agent 'analist'", "did you mean 'analyst'?"),
        (12, "members.0.tols", "unknown key", "did you mean 'tools'?"),
        (13, "members.0.tools.0", "no tool 'reed'", "did you mean 'read'?"),
        (14, "members.1.profile", "is missing", "add it"),
        (15, "members.1.instructions", "must be text, not 12", "put it in quotes"),
        (
            16,
            "members.1.model",
            "'gpt-5' names no provider",
            "write provider/model; providers: anthropic, local, openai, rehearsal",
        ),
        (17, "members.1.approvals.ask.0", "no tool 'rite'", "did you mean 'write'?"),
        (
            17,
            "members.1.approvals.ask.1",
            "'shell(' is no rule",
            "write a tool's name, or tool(pattern)",
        ),
        (18, "members.2", "is empty", "give a value, or take it out"),
        (
            19,
            "members.3",
            "must hold `key: value` lines, not 'words'",
            "indent the keys below it",
        ),
    ]


def test_a_broken_member_is_left_out_and_the_others_load(bench: Bench) -> None:
    bench.write("agents/broken.md", "---\nname: broken\n---\nYou.")
    team = bench.team("""\
name: x
members:
  - {profile: a, agent: analyst}
  - profile: b
    agent: analyst
    stepz: 3
    agent: analyst
  - {profile: c, agent: broken}
  - {profile: all, agent: analyst}
""")
    assert [member.profile for member in team.members] == ["a"]
    twice, unknown, agent, reserved = team.problems
    assert twice.startswith("member 'b' is left out: ")
    assert "team.yaml:7: members.1.agent: given twice, first in line 5" in twice
    assert "team.yaml:6: members.1.stepz: unknown key" in unknown
    assert agent.startswith("member 'c' is left out: ")
    assert "broken.md:2: description: is missing" in agent
    assert "'all' is reserved (choose another name)" in reserved


def test_when_every_member_is_broken_the_team_is_refused(bench: Bench) -> None:
    (problem,) = bench.refused("name: x\nmembers: [{profile: a, agent: nobody}]")
    assert problem.problem == "no agent 'nobody'"


@pytest.mark.parametrize(
    ("members", "key", "said"),
    [
        ("[]", "members", "is empty"),
        ("{a: b}", "members", "must be a list"),
        ("~", "members", "is empty"),
        (
            "[{profile: a, agent: analyst}, {profile: a, agent: nobody}]",
            "members.1.profile",
            "'a' is already a name of member 'a'",
        ),
        (
            "[{profile: a, agent: analyst, aliases: [b]}, {profile: b, agent: analyst}]",
            "members.0.aliases.0",
            "'b' is already a name of member 'b'",
        ),
        (
            "[{profile: a, agent: analyst, aliases: [c]},"
            " {profile: b, agent: analyst, aliases: [c]}]",
            "members.1.aliases.0",
            "'c' is already a name of member 'a'",
        ),
        (
            "[{profile: a, agent: analyst, aliases: [x]}]",
            "members.0.aliases.0",
            "'x' is already the team's name, which means the supervisor",
        ),
    ],
)
def test_names_that_lead_to_two_members_refuse_the_team(
    bench: Bench, members: str, key: str, said: str
) -> None:
    (problem,) = [
        problem
        for problem in bench.refused(f"name: x\nmembers: {members}\n")
        if "no agent" not in problem.problem
    ]
    assert problem.key == key
    assert problem.problem.startswith(said)


@pytest.mark.parametrize(
    "name", ["supervisor", "lock", "A", "a b", "a/b", "", "x" * 64, "ä", "a\\n"]
)
def test_names_that_cannot_be_are_refused(bench: Bench, name: str) -> None:
    (problem,) = bench.refused(f'name: "{name}"\nmembers: [{{profile: a, agent: analyst}}]')
    assert problem.key == "name"
    (problem,) = bench.refused(f'name: x\nmembers: [{{profile: "{name}", agent: analyst}}]')
    assert problem.key == "members.0.profile"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("skills: [none-such]", "skills.0"),
        ("skills: [../analyst]", "skills.0"),
        ("agent: ../agents/analyst", "agent"),
        ("secrets: [no space]", "secrets.0"),
        ("fallbacks: [local]", "fallbacks"),
        ("fallbacks: [lokal]", "fallbacks.0"),
        ("tools: {deny: [reed]}", "tools.deny.0"),
        ("approvals: {deny: ['red_*']}", "approvals.deny.0"),
        ("limits: {minutes: .inf}", "limits.minutes"),
        ("limits: {minutes: .nan}", "limits.minutes"),
        ("sandbox: {memory: 5}", "sandbox.memory"),
        ("sandbox: big", "sandbox"),
        ("tools: 7", "tools"),
        ("instructions: no", "instructions"),
    ],
)
def test_what_a_member_cannot_have_is_named(bench: Bench, line: str, key: str) -> None:
    agent = "" if line.startswith("agent") else "agent: analyst"
    found = bench.refused(f"name: x\nmembers:\n  - profile: a\n    {line}\n    {agent}\n")
    place = [(problem.line, problem.key) for problem in found]
    assert (4, f"members.0.{key}") in place


@pytest.mark.parametrize("rule", ["shell", "shell(rm *)", "write(*.env)", "web_*", "*", " read "])
def test_rules_of_known_tools_pass(bench: Bench, rule: str) -> None:
    team = bench.team(
        f"name: x\nmembers: [{{profile: a, agent: analyst, approvals: {{ask: ['{rule}']}}}}]"
    )
    assert team.members[0].approvals.ask == (rule,)


def test_a_skill_that_is_there_is_taken(bench: Bench) -> None:
    bench.write("skills/tables/SKILL.md", "---\nname: tables\n---\n")
    team = bench.team("name: x\nmembers: [{profile: a, agent: analyst, skills: [tables]}]")
    assert team.members[0].skills == ("tables",)


def test_fallbacks_of_the_team_need_a_model(bench: Bench) -> None:
    (problem,) = bench.refused(
        "name: x\ndefaults: {fallbacks: [local]}\nmembers: [{profile: a, agent: analyst}]"
    )
    assert (problem.key, problem.problem) == ("defaults.fallbacks", "stands without a model")


WORKFLOWS = """\
name: x
members:
  - {profile: a, agent: analyst, aliases: [first]}
  - {profile: b, agent: nobody}
workflows:
  good:
    inputs: {topic: null}
    steps:
      - {id: one, agent: first, prompt: "About {{ inputs.topic }}"}
  unknown:
    steps:
      - {id: one, agent: c, prompt: hello}
  broken:
    steps:
      - {id: one, agent: b, prompt: hello}
  Bad Name:
    steps:
      - {id: one, prompt: hello}
  misspelt:
    steps:
      - {id: one, promt: hello}
"""


def test_a_broken_workflow_is_left_out_with_its_reason(bench: Bench) -> None:
    team = bench.team(WORKFLOWS)
    assert set(team.workflows) == {"good"}
    found = {problem.key: problem for problem in bench.problems(team.source)}
    assert found["workflows.unknown.steps.0.agent"].line == 12
    assert found["workflows.broken.steps.0.agent"].problem == "member 'b' is left out"
    assert found["workflows.Bad Name"].line == 16
    assert found["workflows.misspelt.steps.0.promt"].hint == "did you mean 'prompt'?"
    assert sum("is left out: " in problem for problem in team.problems) == len(found)


def test_a_workflow_without_end_is_refused(bench: Bench) -> None:
    steps = "".join(f"      - {{id: s{n}, prompt: hello}}\n" for n in range(501))
    team = bench.team(f"{TWO}workflows:\n  w:\n    steps:\n{steps}")
    assert team.workflows == {}
    assert "workflows.w.steps: has more than 500 steps" in team.problems[0]


def test_of_very_many_problems_the_first_hundred_are_told(bench: Bench) -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(300))
    found = bench.refused(f"name: x\nmembers: [{{profile: a, agent: analyst, {keys}}}]")
    assert len(found) == 101
    assert found[-1].problem == "has 200 more"
    tools = ", ".join(f"k{n}" for n in range(300))
    found = bench.refused(f"name: x\nmembers: [{{profile: a, agent: analyst, tools: [{tools}]}}]")
    assert len(found) == 100


def test_the_projects_agents_md_are_the_instructions(bench: Bench) -> None:
    assert bench.team(TWO).instructions == ""
    bench.write("AGENTS.md", "\ufeffUse metric units.\n")
    assert bench.team(TWO).instructions == "Use metric units."


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe", b"x" * 40_000])
def test_an_agents_md_that_cannot_be_read_refuses_the_team(bench: Bench, content: bytes) -> None:
    bench.write("AGENTS.md", content)
    (problem,) = bench.refused(TWO)
    assert problem.file.endswith("AGENTS.md")


def test_the_error_is_ready_to_be_shown(bench: Bench) -> None:
    file = bench.write("team.yaml", "name: x\nmembers: [{profile: a, agent: analist}]")
    with pytest.raises(ConfigError) as caught:
        bench.load(file)
    assert str(caught.value) == (
        f"{file}:2: members.0.agent: no agent 'analist' (did you mean 'analyst'?)"
    )
