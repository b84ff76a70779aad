"""`retinue init`."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from orchestrator.cli.output import Screen, print_json
from orchestrator.errors import PersonError
from orchestrator.home import Home
from orchestrator.profile.schema import NAME, RESERVED

_TEAM = """\
# A team: who belongs to it, and what each of them may do. `retinue team validate` checks this file.
name: {name}
description: Answers questions about the files it is given and writes up what it finds.

# What every member has when it says nothing itself. Without a model the one that is found serves:
# a key in the environment, a server on this machine, or the local model.
defaults:
  # model: openai/gpt-5-mini
  limits:
    steps: 24          # model calls for one task
  approvals:
    ask: []            # tools that wait for your yes, e.g. [shell, "write(*.env)"]

members:
  - profile: analyst   # its address is {name}/analyst; in a chat, @analyst speaks to it
    agent: analyst     # the role, in agents/analyst.md
    aliases: [data]

  - profile: writer
    agent: writer
    tools: [read, write, edit, list, ask_person]
    sandbox:
      memory_mb: 512

# A workflow is a fixed order of steps: retinue run {name} --workflow report --input topic=…
workflows:
  report:
    description: The analyst finds the facts, the writer makes a page of them.
    inputs:
      topic: null      # null: must be given
    steps:
      - id: facts
        agent: analyst
        prompt: "Find facts about {{{{ inputs.topic }}}} in the files, and name the file of each."
      - id: page
        agent: writer
        prompt: "Write report.md, one page, from these facts only:\\n{{{{ steps.facts.answer }}}}"
"""

_ANALYST = """\
---
name: analyst
description: Finds and computes facts in files and tables.
examples:
  - How many orders came from Norway last year?
  - Which of these logs mention a timeout?
---
You find facts in the files you are given. Compute with your tools, never in your head, and name the
file and the query or command behind every figure. When the files do not hold the answer, say so.
"""

_WRITER = """\
---
name: writer
description: Turns facts into clear, short texts.
examples:
  - Write a one-page summary of these findings.
  - Make this announcement shorter.
---
You write plainly: the main point first, short sentences, no figure or claim that you were not
given. Write the text into a file when one is asked for, and answer with what it says in two
sentences.
"""

_INSTRUCTIONS = """\
# About this project

Every member of every team here reads this file. Write what they must know: what the project is,
where things lie, which rules hold.
"""


def init(*, folder: str | None, name: str | None, as_json: bool) -> int:
    project = Path(folder or ".").absolute()
    team = _team_name(project, name)
    files = {
        project / "profiles" / f"{team}.yaml": _TEAM.format(name=team),
        project / "agents" / "analyst.md": _ANALYST,
        project / "agents" / "writer.md": _WRITER,
    }
    _refuse_to_overwrite(files)
    instructions = project / "AGENTS.md"
    if not instructions.exists():  # many projects have one already, and it is meant for us too
        files[instructions] = _INSTRUCTIONS
    home = Home.from_environment(os.environ)
    home.create()
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PersonError(f"cannot write {error.filename!r}: {error.strerror}") from error
    steps = _next_steps(project, team)
    if as_json:
        written = [str(path) for path in files]
        print_json({"team": team, "files": written, "home": str(home.root), "next": steps})
        return 0
    with Screen() as screen:
        for path in files:
            screen.line(f"wrote {path}", "good")
        screen.line("\nnext:", "strong")
        for step in steps:
            screen.line(f"  {step}")
    return 0


def _team_name(project: Path, name: str | None) -> str:
    if name is None:
        name = re.sub(r"[^a-z0-9_-]+", "-", project.name.lower()).strip("-")[:63]
        if not name or name in RESERVED:
            raise PersonError(f"{project.name!r} makes no team's name; give one with --name")
    elif not NAME.fullmatch(name) or name in RESERVED:
        raise PersonError(
            f"{name!r} cannot be a team's name: lower-case letters, digits, `-` and `_`, "
            f"at most 63, and none of {', '.join(sorted(RESERVED))}"
        )
    return name


def _refuse_to_overwrite(files: dict[Path, str]) -> None:
    there = [str(path) for path in files if path.exists()]
    if there:
        raise PersonError(
            f"not overwritten: {', '.join(there)}; "
            "choose another folder, or move what is there out of the way"
        )


def _next_steps(project: Path, team: str) -> list[str]:
    """Commands to type, in order."""
    enter = [] if project == Path.cwd() else [f"cd {shlex.quote(str(project))}"]
    return [
        *enter,
        "retinue doctor",
        f"retinue team show {team}",
        f"retinue run {team} 'Who of you does what? Answer in three sentences.'",
        f"retinue chat {team}",
    ]
