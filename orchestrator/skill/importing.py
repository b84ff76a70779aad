"""Skills of others: looked at first, then added as candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, PersonError, Problem
from orchestrator.skill.document import SkillDocument, find_skills, read_skill
from orchestrator.skill.files import walk
from orchestrator.skill.scan import Finding, scan
from orchestrator.skill.states import PERSON
from orchestrator.skill.store import SkillStore
from orchestrator.skill.version import Provenance, Version
from orchestrator.skill.writer import conform


@dataclass(frozen=True)
class Preview:
    """A skill as it would be added."""

    document: SkillDocument
    """Made legal; its warnings are those of the original."""
    findings: tuple[Finding, ...]
    scripts: tuple[str, ...]
    """Files that a member may run."""

    @property
    def blocked(self) -> bool:
        """It would be quarantined."""
        return any(finding.verdict == "block" for finding in self.findings)


def preview(folder: Path) -> tuple[Sequence[Preview], Sequence[Problem]]:
    """Every skill at or below the folder, and what cannot be added. Raises PersonError when there
    is no skill at all.
    """
    previews: dict[str, Preview] = {}
    problems: list[Problem] = []
    for path in find_skills(folder):
        try:
            found = _preview(path, folder)
        except ConfigError as error:
            problems += error.problems
            continue
        name = found.document.name
        links = [each for each in walk(path) if each.is_symlink()]
        if links:
            hint = "put copies there"
            problems.append(Problem(str(links[0]), None, "", "is a link; not added", hint))
        elif name in previews:
            problem = f"is called {name!r} like {previews[name].document.folder}; not added"
            problems.append(Problem(str(path), None, "name", problem, "rename one of them"))
        else:
            previews[name] = found
    if not previews and not problems:
        raise PersonError(f"there is no SKILL.md in {folder.name!r}")
    return list(previews.values()), problems


def add_imported(store: SkillStore, found: Preview, source: str) -> Version:
    """Add it to the store, as a candidate, or quarantined."""
    provenance = Provenance(PERSON, "imported", "imported", source=source)
    return store.add(found.document.replace(warnings=()), provenance)


def _preview(path: Path, root: Path) -> Preview:
    original = read_skill(path)
    legal = conform(original)
    if legal.license is None and (licence := _licence(path) or _licence(root)):
        legal = legal.replace(license=licence)
    findings = scan(original)
    scripts = tuple(finding.file for finding in findings if finding.rule == "script")
    return Preview(legal.replace(warnings=original.warnings), findings, scripts)


def _licence(folder: Path) -> str | None:
    """The first line of its licence file."""
    for file in sorted(folder.iterdir()):
        if file.stem.upper() in ("LICENSE", "LICENCE", "COPYING") and file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip()[:100] for line in lines if line.strip()), None)
    return None
