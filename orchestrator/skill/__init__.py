"""What a member has learned to do: Skill Documents, their versions, how they are found."""

from orchestrator.skill.document import SKILL_FILE, SkillDocument, find_skills, read_skill
from orchestrator.skill.files import SkillFile
from orchestrator.skill.lint import lint
from orchestrator.skill.writer import conform, skill_text, write_skill

__all__ = [
    "SKILL_FILE",
    "SkillDocument",
    "SkillFile",
    "conform",
    "find_skills",
    "lint",
    "read_skill",
    "skill_text",
    "write_skill",
]
