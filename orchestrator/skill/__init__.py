"""What a member has learned to do: Skill Documents, their versions, how they are found."""

from orchestrator.skill.document import SKILL_FILE, SkillDocument, find_skills, read_skill
from orchestrator.skill.evidence import Case, Evidence, Outcome, Tally, Use
from orchestrator.skill.files import SkillFile
from orchestrator.skill.lint import lint
from orchestrator.skill.records import SkillEvent
from orchestrator.skill.scan import Finding, scan
from orchestrator.skill.states import PERSON, State
from orchestrator.skill.store import Refreshed, Skill, SkillStore
from orchestrator.skill.version import Provenance, Version, diff
from orchestrator.skill.writer import conform, skill_text, write_skill

__all__ = [
    "PERSON",
    "SKILL_FILE",
    "Case",
    "Evidence",
    "Finding",
    "Outcome",
    "Provenance",
    "Refreshed",
    "Skill",
    "SkillDocument",
    "SkillEvent",
    "SkillFile",
    "SkillStore",
    "State",
    "Tally",
    "Use",
    "Version",
    "conform",
    "diff",
    "find_skills",
    "lint",
    "read_skill",
    "scan",
    "skill_text",
    "write_skill",
]
