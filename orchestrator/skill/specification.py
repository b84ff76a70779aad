"""What agentskills.io demands of a skill (https://agentskills.io/specification)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.skill.document import SkillDocument

KEYS = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
"""The only keys of the front matter."""

MAX_NAME = 64
MAX_DESCRIPTION = 1024
MAX_COMPATIBILITY = 500

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def violations(skill: SkillDocument) -> Iterator[tuple[str, str, str]]:
    """Key, problem and hint of everything in the document that the specification does not allow."""
    if len(skill.name) > MAX_NAME:
        yield "name", f"is longer than {MAX_NAME} characters", "shorten it"
    if not _NAME.fullmatch(skill.name):
        yield (
            "name",
            f"{skill.name[:80]!r} is not lower-case letters, digits and single hyphens",
            f"write it as {slug(skill.name)!r}",
        )
    if not skill.description.strip():
        yield "description", "is empty", "say what the skill does and when to use it"
    if (size := len(skill.description)) > MAX_DESCRIPTION:
        yield "description", f"has {size} characters, {MAX_DESCRIPTION} are allowed", "shorten it"
    if (size := len(skill.compatibility or "")) > MAX_COMPATIBILITY:
        hint = "move details into the body"
        yield "compatibility", f"has {size} characters, {MAX_COMPATIBILITY} are allowed", hint
    for key in skill.extra:
        yield key, "is not a key of the specification; kept", "put it under `metadata`"


def is_name(text: str) -> bool:
    """Whether a skill may be called so."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def slug(text: str, otherwise: str = "skill") -> str:
    """The nearest name that is allowed; `otherwise` where no letter or digit of it is left."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(words)[:MAX_NAME].strip("-") or otherwise
