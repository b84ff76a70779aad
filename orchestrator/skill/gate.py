"""What a candidate must pass before it is tried on real work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.index import count_tokens
from orchestrator.skill import specification
from orchestrator.skill.document import SkillDocument
from orchestrator.skill.scan import scan
from orchestrator.skill.shelf import Shelf
from orchestrator.skill.triggers import near_misses, written_triggers

_NEVER_LEARNED = frozenset(
    {"override", "secrecy", "encoded-command", "reverse-shell", "exfiltration", "guard-off"}
)

MOST_TOKENS = 5_000
"""Of the body."""
_FOUND_AMONG = 3
_SAME_LINES = 0.8
"""Share of the lines that two skills may have in common."""


@dataclass(frozen=True)
class Check:
    """One question the gate asks."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class GateResult:
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(f"{check.name}: {check.detail}" for check in failed) or "passed"


def check_text(document: SkillDocument) -> GateResult:
    """Specification, size, and the scan for secrets, injection and exfiltration.

    Members write no texts about attacks: what the scan excuses in public skills is refused here.
    """
    violations = [f"{key} {problem}" for key, problem, _ in specification.violations(document)]
    tokens = count_tokens(document.body)
    blocked = [
        str(finding)
        for finding in scan(document)
        if finding.verdict == "block" or finding.rule in _NEVER_LEARNED
    ]
    return GateResult(
        (
            Check("specification", not violations, "; ".join(violations)),
            Check("size", tokens <= MOST_TOKENS, f"{tokens:,} tokens, {MOST_TOKENS:,} are allowed"),
            Check("scan", not blocked, "; ".join(blocked[:3])),
        )
    )


def check_retrieval(shelf: Shelf, document: SkillDocument) -> GateResult:
    """Whether it is no twin, its own triggers find it, most of them by what the skill says, near
    misses do not choose it, and neighbours still come first for their own triggers.

    The shelf is asked with and without the skill, and left as it was.
    """
    triggers = written_triggers(document)
    neighbours = _neighbours(shelf, document)
    twins = [name for name in shelf.near(document) if _is_twin(document, shelf.document(name))]
    before = {phrase: _place(shelf, phrase, name) for name, phrase in neighbours}
    with shelf.holding(document.replace(metadata={})):
        vague = [
            phrase for phrase in triggers if _place(shelf, phrase, document.name) > _FOUND_AMONG
        ]
    with shelf.holding(document):
        lost = [
            phrase for phrase in triggers if _place(shelf, phrase, document.name) > _FOUND_AMONG
        ]
        wrong = [
            phrase for phrase in near_misses(document) if _place(shelf, phrase, document.name) == 1
        ]
        displaced = [
            f"{name!r} for {phrase!r}"
            for name, phrase in neighbours
            if before[phrase] == 1 and _place(shelf, phrase, name) > 1
        ]
    return GateResult(
        (
            Check("twin", not twins, f"says the same as {', '.join(twins)}; mend that one"),
            Check("own triggers", not lost, f"not found by {', '.join(map(repr, lost))}"),
            Check(
                "description",
                2 * len(vague) <= len(triggers),
                f"says nothing of {', '.join(map(repr, vague))}",
            ),
            Check("near misses", not wrong, f"found by {', '.join(map(repr, wrong))}"),
            Check("neighbours", not displaced, f"displaces {', '.join(displaced)}"),
        )
    )


def _neighbours(shelf: Shelf, document: SkillDocument) -> Sequence[tuple[str, str]]:
    """The triggers of the nearest other skills."""
    return [(name, phrase) for name in shelf.near(document) for phrase in shelf.phrases(name)[:3]]


def _is_twin(document: SkillDocument, other: SkillDocument | None) -> bool:
    """Whether most of what each says stands in the other."""
    one, two = _said(document), _said(other) if other is not None else frozenset[str]()
    return len(one & two) > _SAME_LINES * max(len(one), len(two))


def _said(document: SkillDocument) -> frozenset[str]:
    """The lines of the body, headings aside."""
    lines = (" ".join(line.split()) for line in document.body.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _place(shelf: Shelf, phrase: str, name: str) -> int:
    """Place in the ranking, counted from 1; 100 for one that is not among the first ten."""
    names = shelf.ranking(phrase, most=10)
    return names.index(name) + 1 if name in names else 100
