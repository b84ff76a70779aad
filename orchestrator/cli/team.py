"""`retinue team …`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator import content
from orchestrator.cli.address import member
from orchestrator.cli.boundary import WRONG_USE
from orchestrator.cli.output import Screen, columns, one_line, print_json
from orchestrator.cli.places import VOCABULARY, home, open_runtime, read_team
from orchestrator.cli.target import Target, find
from orchestrator.errors import ConfigError, PersonError
from orchestrator.profile import Member, Team
from orchestrator.profile import validate as find_problems


def list_teams(*, as_json: bool) -> int:
    teams = [_summary(path) for path in _team_files()]
    if as_json:
        print_json(teams)
        return 0
    rows = [
        (
            team["name"],
            ", ".join(team["members"]) if team["members"] else "broken: see team validate",
            ", ".join(team["workflows"]) or "-",
            team["file"],
        )
        for team in teams
    ]
    with Screen() as screen:
        for line in columns([("TEAM", "MEMBERS", "WORKFLOWS", "FILE"), *rows]):
            screen.line(line)
    return 0


def validate(*, files: list[str], as_json: bool) -> int:
    problems = find_problems(files, project=Path.cwd(), home=home().root, vocabulary=VOCABULARY)
    if as_json:
        print_json([problem.to_dict() for problem in problems])
    else:
        with Screen() as screen:
            for problem in problems:
                screen.line(str(problem), "bad")
            if not problems:
                screen.line("no problems", "good")
    return WRONG_USE if problems else 0


async def show(*, where: str, prompt: bool, task: str, as_json: bool) -> int:
    target = find(where)
    if prompt:
        return await _show_prompt(target, task, as_json)
    team = read_team(target.team, target.project)
    profile = member(team, target.profile) if target.profile else None
    members = [each for each in team.members if profile in (None, each.profile)]
    if as_json:
        print_json(_as_data(team, members))
        return 0
    with Screen() as screen:
        screen.line(f"{team.name}: {one_line(team.description)}", "strong")
        screen.line(str(team.source), "quiet")
        for each in members:
            screen.line()
            for line in _describe(each):
                screen.line(line)
        for name, workflow in team.workflows.items():
            steps = " → ".join(step.id for step in workflow.steps)
            screen.line(f"\nworkflow {name}: {steps}", "strong")
            if workflow.description:
                screen.line(f"  {one_line(workflow.description)}")
        for problem in team.problems:
            screen.line(f"left out: {problem}", "bad")
    return 0


async def _show_prompt(target: Target, task: str, as_json: bool) -> int:
    if target.profile is None:
        raise PersonError("--prompt shows one member's first request; name TEAM/PROFILE")
    async with open_runtime(target.project) as runtime:
        team = runtime.team(target.team)
        profile = member(team, target.profile) or "supervisor"
        request = runtime.first_request(team, profile, task)
    if as_json:
        print_json(dataclasses.asdict(request))
        return 0
    with Screen() as screen:
        for message in request.messages:
            screen.line(f"── {message['role']}", "strong")
            screen.line(message["content"])
        screen.line("── tools", "strong")
        for tool in request.tools:
            screen.line(json.dumps(tool, ensure_ascii=False))
        screen.line(f"{request.tokens:,} tokens, counted with {request.tokenizer}", "good")
    return 0


def _team_files() -> Iterator[Path]:
    """The file behind each name, in the order of lookup."""
    seen: set[str] = set()
    for folder in content.search_path("profiles", project=Path.cwd(), home=home().root):
        for path in sorted(folder.glob("*.yaml")):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path


def _summary(path: Path) -> dict[str, Any]:
    try:
        team = read_team(str(path))
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems]
        return {
            "name": path.stem,
            "file": str(path),
            "description": "",
            "members": [],
            "workflows": [],
            "problems": problems,
        }
    return {
        "name": path.stem,
        "file": str(path),
        "description": team.description,
        "members": [each.profile for each in team.members],
        "workflows": list(team.workflows),
        "problems": list(team.problems),
    }


def _describe(each: Member) -> Iterator[str]:
    aliases = f" (also @{', @'.join(each.aliases)})" if each.aliases else ""
    yield f"{each.profile}{aliases}: {each.agent.name}, {one_line(each.description)}"
    yield f"  model    {', then '.join(each.models) or 'the one that is found'}"
    yield f"  tools    {', '.join(each.tools)}"
    yield f"  sandbox  {_sandbox(each)}"
    if each.approvals.ask or each.approvals.deny:
        ask, deny = ", ".join(each.approvals.ask), ", ".join(each.approvals.deny)
        yield f"  asks     {ask or 'for nothing'}{f'; refuses {deny}' if deny else ''}"
    if each.skills:
        yield f"  skills   {', '.join(each.skills)}"
    if each.secrets:
        yield f"  secrets  {', '.join(each.secrets)}"


def _sandbox(each: Member) -> str:
    box = each.sandbox
    walls = "NO WALLS (isolation: none)" if box.isolation == "none" else box.backend
    hosts = f"reaches {', '.join(box.allowed_hosts)}" if box.allowed_hosts else "no network"
    return f"{walls}, {box.memory_mb} MB, {box.processes} processes, {hosts}"


def _as_data(team: Team, members: list[Member]) -> Mapping[str, Any]:
    return {
        "name": team.name,
        "description": team.description,
        "file": str(team.source),
        "members": [
            {
                **each.model_dump(mode="json", exclude={"agent", "team"}),
                "address": each.address,
                "agent": each.agent.name,
            }
            for each in members
        ],
        "workflows": {
            name: {
                "description": workflow.description,
                "inputs": dict(workflow.inputs),
                "steps": [step.id for step in workflow.steps],
            }
            for name, workflow in team.workflows.items()
        },
        "problems": list(team.problems),
    }
