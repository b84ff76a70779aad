"""What in a skill could harm: a verdict for each finding, never one for the whole by a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.skill.document import SkillDocument

FindingVerdict = Literal["block", "warn"]


@dataclass(frozen=True)
class Finding:
    rule: str
    verdict: FindingVerdict
    """`block`: a person must look before it serves; `warn`: a person should know."""
    file: str
    """Relative to the skill's folder."""
    line: int
    excerpt: str
    why: str


def scan(document: SkillDocument) -> tuple[Finding, ...]:
    """Everything in the text and the files of the skill that a person should know."""
    return ()
