"""Front matter of Claude Code's sub-agents in our words (https://code.claude.com/docs/en/sub-agents)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from orchestrator.text.yaml_file import Loc

_TOOLS: Mapping[str, str | None] = {
    "Read": "read",
    "NotebookRead": "read",
    "Write": "write",
    "Edit": "edit",
    "MultiEdit": "edit",
    "NotebookEdit": "edit",
    "LS": "list",
    "Glob": "glob",
    "Grep": "grep",
    "Bash": "shell",
    "BashOutput": None,
    "KillBash": None,
    "KillShell": None,
    "WebFetch": "web_fetch",
    "WebSearch": "web_search",
    "TodoRead": "plan",
    "TodoWrite": "plan",
    "AskUserQuestion": "ask_person",
    "ToolSearch": "tool_search",
    "Agent": None,
    "Task": None,
    "Skill": None,
    "SlashCommand": None,
    "EnterPlanMode": None,
    "ExitPlanMode": None,
}
"""None: what it does is nothing a member calls here (the supervisor hands work out, skills are
offered by themselves, a command ends with its call).
"""

_WRITING = ("write", "edit", "shell", "python")

_WITHOUT_MEANING = ("color", "background", "effort", "memory", "isolation", "initialPrompt")

_REFUSED: Mapping[str, str] = {
    "hooks": "take it out; `approvals` of a member decide which calls a person is asked about",
    "mcpServers": "take it out; a member uses the tools of its team",
}

_LONGEST = 20_000
"""Characters of a description that are looked at for dialogues."""

KEYS = ("disallowedTools", "permissionMode", "maxTurns", *_WITHOUT_MEANING, *_REFUSED)
"""Keys that only Claude Code knows."""

_MODELS = ("inherit", "sonnet", "opus", "haiku")
"""Its short names say nothing of a provider; the team's model serves then."""

Finding = tuple[Loc, str, str]
"""Place, problem and hint."""


def translated(front: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """The front matter with Claude Code's keys, tools and model names in ours, and what has no
    counterpart; our own keys pass unchanged.
    """
    keys = {key: value for key, value in front.items() if key not in KEYS}
    findings: list[Finding] = [
        ((key,), "works in Claude Code only", hint)
        for key, hint in _REFUSED.items()
        if key in front
    ]
    keys |= _tools(front)
    if "maxTurns" in front:
        keys.setdefault("steps", front["maxTurns"])
    if isinstance(skills := front.get("skills"), str):
        keys["skills"] = _names(skills)
    model = front.get("model")
    if model in _MODELS:
        del keys["model"]
    elif isinstance(model, str) and model.startswith("claude-"):
        keys["model"] = f"anthropic/{model}"
    description = front.get("description")
    if isinstance(description, str) and "<example>" in description:
        keys["description"], examples = _examples(description)
        keys.setdefault("examples", examples)
    return keys, findings


def _tools(front: Mapping[str, Any]) -> dict[str, Any]:
    written = front.get("tools", {})
    everything = written in ("*", ["*"])
    if isinstance(written, dict):
        choice = dict(cast("dict[str, Any]", written))
    else:
        choice = {} if everything else {"allow": written}
    if "disallowedTools" in front:
        choice["deny"] = front["disallowedTools"]
    choice = {key: _ours(value) for key, value in choice.items()}
    if front.get("permissionMode") == "plan" and isinstance(choice.get("deny", []), list):
        choice["deny"] = [*choice.get("deny", []), *_WRITING]
    return {"tools": choice}


def _ours(tools: Any) -> Any:
    """Each name in our words, once; anything that is no list of names is left to the check."""
    names = _names(tools) if isinstance(tools, str) else tools
    if not isinstance(names, list):
        return names
    ours: list[Any] = []
    for name in cast("list[Any]", names):
        known = isinstance(name, str) and (name in _TOOLS or name.startswith(("Agent(", "Task(")))
        mapped = _TOOLS.get(name) if known else name
        if mapped is not None and mapped not in ours:
            ours.append(mapped)
    return ours


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _examples(description: str) -> tuple[str, list[str]]:
    """Claude Code writes example dialogues into the description; what the user says in them are
    example requests.
    """
    text = description[:_LONGEST].replace("\\n", "\n").replace('\\"', '"')
    before, _, dialogues = text.partition("<example>")
    said = re.findall(r"""user:\s*(["'])(.{1,1000}?)\1\s*(?=\n|assistant:|<|$)""", dialogues, re.S)
    intro = before.split()
    while intro and intro[-1].strip("-:").lower() in ("", "example", "examples"):
        intro.pop()
    return " ".join(intro), [" ".join(words.split()) for _, words in said]
