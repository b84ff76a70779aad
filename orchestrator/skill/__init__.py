"""What a member has learned to do: Skill Documents, their versions, how they are found."""

from orchestrator.skill.archive import open_source
from orchestrator.skill.document import SKILL_FILE, SkillDocument, find_skills, read_skill
from orchestrator.skill.draft import Writer
from orchestrator.skill.evidence import Case, Evidence, Outcome, Tally, Use
from orchestrator.skill.experience import Experience, Sign, Step
from orchestrator.skill.files import SkillFile
from orchestrator.skill.gate import GateResult, check_text
from orchestrator.skill.importing import Preview, add_imported, preview
from orchestrator.skill.index import IndexedSkill, SkillIndex, Stats
from orchestrator.skill.learning import Learner, Lesson
from orchestrator.skill.library import Libraries, LibrarySkill, read_libraries
from orchestrator.skill.lint import Verdict, lint
from orchestrator.skill.patch import Operation, apply
from orchestrator.skill.records import SkillEvent
from orchestrator.skill.redaction import redacted
from orchestrator.skill.retrieval import Hit, SkillSearch, cards
from orchestrator.skill.scan import Finding, scan
from orchestrator.skill.shelf import Offer, Recalled, Shelf
from orchestrator.skill.states import PERSON, State
from orchestrator.skill.store import Refreshed, Skill, SkillStore
from orchestrator.skill.vectors import TABLE as SKILL_VECTORS
from orchestrator.skill.vectors import Embed, VectorSearch
from orchestrator.skill.version import Provenance, Version, diff
from orchestrator.skill.writer import conform, skill_text, write_skill

__all__ = [
    "PERSON",
    "SKILL_FILE",
    "SKILL_VECTORS",
    "Case",
    "Embed",
    "Evidence",
    "Experience",
    "Finding",
    "GateResult",
    "Hit",
    "IndexedSkill",
    "Learner",
    "Lesson",
    "Libraries",
    "LibrarySkill",
    "Offer",
    "Operation",
    "Outcome",
    "Preview",
    "Provenance",
    "Recalled",
    "Refreshed",
    "Shelf",
    "Sign",
    "Skill",
    "SkillDocument",
    "SkillEvent",
    "SkillFile",
    "SkillIndex",
    "SkillSearch",
    "SkillStore",
    "State",
    "Stats",
    "Step",
    "Tally",
    "Use",
    "VectorSearch",
    "Verdict",
    "Version",
    "Writer",
    "add_imported",
    "apply",
    "cards",
    "check_text",
    "conform",
    "diff",
    "find_skills",
    "lint",
    "open_source",
    "preview",
    "read_libraries",
    "read_skill",
    "redacted",
    "scan",
    "skill_text",
    "write_skill",
]
