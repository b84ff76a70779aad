"""What a member has learned to do: Skill Documents, their versions, how they are found."""

from orchestrator.skill.archive import open_source
from orchestrator.skill.document import SKILL_FILE, SkillDocument, find_skills, read_skill
from orchestrator.skill.evidence import Case, Evidence, Outcome, Tally, Use
from orchestrator.skill.files import SkillFile
from orchestrator.skill.importing import Preview, add_imported, preview
from orchestrator.skill.index import IndexedSkill, SkillIndex, Stats
from orchestrator.skill.library import LibrarySkill, read_libraries
from orchestrator.skill.lint import Verdict, lint
from orchestrator.skill.records import SkillEvent
from orchestrator.skill.retrieval import Hit, SkillSearch, cards
from orchestrator.skill.scan import Finding, scan
from orchestrator.skill.states import PERSON, State
from orchestrator.skill.store import Refreshed, Skill, SkillStore
from orchestrator.skill.vectors import Embed, VectorSearch
from orchestrator.skill.version import Provenance, Version, diff
from orchestrator.skill.writer import conform, skill_text, write_skill

__all__ = [
    "PERSON",
    "SKILL_FILE",
    "Case",
    "Embed",
    "Evidence",
    "Finding",
    "Hit",
    "IndexedSkill",
    "LibrarySkill",
    "Outcome",
    "Preview",
    "Provenance",
    "Refreshed",
    "Skill",
    "SkillDocument",
    "SkillEvent",
    "SkillFile",
    "SkillIndex",
    "SkillSearch",
    "SkillStore",
    "State",
    "Stats",
    "Tally",
    "Use",
    "VectorSearch",
    "Verdict",
    "Version",
    "add_imported",
    "cards",
    "conform",
    "diff",
    "find_skills",
    "lint",
    "open_source",
    "preview",
    "read_libraries",
    "read_skill",
    "scan",
    "skill_text",
    "write_skill",
]
