"""Which tools there are, and which of them a member's prompt always holds."""

from __future__ import annotations

from orchestrator.registry import Registry

_BUILTIN = "orchestrator.tool.builtin"

TOOLS = Registry(
    "tool",
    "retinue.tools",
    {
        "read": f"{_BUILTIN}.files:Read",
        "write": f"{_BUILTIN}.files:Write",
        "edit": f"{_BUILTIN}.files:Edit",
        "list": f"{_BUILTIN}.files:List",
        "glob": f"{_BUILTIN}.files:Glob",
        "grep": f"{_BUILTIN}.files:Grep",
        "shell": f"{_BUILTIN}.process:Shell",
        "python": f"{_BUILTIN}.process:Python",
        "query_table": f"{_BUILTIN}.table:QueryTable",
        "web_fetch": f"{_BUILTIN}.web:WebFetch",
        "web_search": f"{_BUILTIN}.web:WebSearch",
        "ask_person": f"{_BUILTIN}.person:AskPerson",
        "plan": f"{_BUILTIN}.plan:Plan",
        "recall": f"{_BUILTIN}.memory:Recall",
        "remember": f"{_BUILTIN}.people:Remember",
        "ask_about": f"{_BUILTIN}.people:AskAbout",
        "forget": f"{_BUILTIN}.people:Forget",
        "skill_view": f"{_BUILTIN}.skill:SkillView",
        "skill_search": f"{_BUILTIN}.skill:SkillSearch",
        "skill_write": f"{_BUILTIN}.skill:SkillWrite",
        "skill_patch": f"{_BUILTIN}.skill:SkillPatch",
    },
)
"""Each name leads to a class without constructor arguments that satisfies `Tool`."""

CORE = (
    "read",
    "write",
    "edit",
    "list",
    "grep",
    "shell",
    "python",
    "query_table",
    "ask_person",
    "plan",
    "skill_view",
    "tool_search",
    "call_tool",
)
"""Bound in every member's prompt; every other tool is found by `tool_search`, used by `call_tool`.

The last two belong to the agent loop and stand in no registry.
"""
