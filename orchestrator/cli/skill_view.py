"""How skills look to a person, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from orchestrator.cli.output import Screen, one_line, print_json
from orchestrator.skill import (
    Finding,
    Hit,
    Preview,
    Skill,
    SkillDocument,
    SkillStore,
    Verdict,
    Version,
)


def show_decided(version: Version, as_json: bool) -> int:
    if as_json:
        print_json(version_row(version))
    else:
        with Screen() as screen:
            serves = " and serves" if version.active else ""
            screen.line(f"{version.label} is {version.state}{serves}", "good")
    return 0


def summary(store: SkillStore, skill: Skill) -> dict[str, Any]:
    shown = skill.shown
    tally = store.evidence.tally(skill.name, shown.n)
    return {
        "name": skill.name,
        "source": shown.provenance.origin,
        "state": shown.state,
        "active": skill.active.n if skill.active is not None else None,
        "versions": len(skill.versions),
        "waiting": [
            version.n
            for version in skill.versions
            if version.state in ("candidate", "trial", "quarantined") and not version.active
        ],
        "pinned": skill.pinned,
        "successes": tally.successes,
        "failures": tally.failures,
        "description": shown.read().description,
    }


def library_row(source: str, document: SkillDocument) -> dict[str, Any]:
    return {
        "name": document.name,
        "source": source,
        "state": "library",
        "active": None,
        "versions": 0,
        "waiting": [],
        "pinned": False,
        "successes": 0,
        "failures": 0,
        "description": document.description,
    }


def version_row(version: Version) -> dict[str, Any]:
    return {
        "skill": version.skill,
        "version": version.n,
        "state": version.state,
        "active": version.active,
        "parent": version.parent,
        "sha256": version.sha256,
        "approved_by": version.approved_by,
        "created": version.created.isoformat(),
        **dataclasses.asdict(version.provenance),
        "findings": [dataclasses.asdict(finding) for finding in version.findings],
    }


def preview_row(each: Preview, version: Version | None) -> dict[str, Any]:
    document = each.document
    return {
        "name": document.name,
        "description": document.description,
        "license": document.license,
        "files": [file.path for file in document.files],
        "scripts": list(each.scripts),
        "warnings": [problem.to_dict() for problem in document.warnings],
        "findings": [dataclasses.asdict(finding) for finding in each.findings],
        "version": version.n if version is not None else None,
        "state": version.state if version is not None else None,
    }


def hit_row(hit: Hit) -> dict[str, Any]:
    row = dataclasses.asdict(hit)
    row["by"] = "words" if hit.vector is None else "words and meaning"
    return row


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    problems = [problem.to_dict() for problem in verdict.problems]
    return {"file": verdict.file, "loads": verdict.loads, "problems": problems}


def show_preview(screen: Screen, each: Preview, state: str | None) -> None:
    document = each.document
    screen.line(f"{document.name}: {state or 'only looked at'}", "strong")
    screen.line(f"  {one_line(document.description)}")
    screen.line(f"  licence  {document.license or 'not stated'}")
    screen.line(f"  files    {', '.join(file.path for file in document.files) or 'none'}")
    if each.scripts:
        screen.line(f"  scripts  {', '.join(each.scripts)}", "ask")
    for problem in document.warnings:
        screen.line(f"  {problem.key or 'file'}: {problem.problem}", "quiet")
    show_findings(screen, each.findings)


def show_findings(screen: Screen, findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        screen.line(f"  {finding}", "bad" if finding.verdict == "block" else "ask")


def origin_lines(version: Version) -> Iterator[str]:
    origin = version.provenance
    source = f" from {origin.source}" if origin.source else ""
    yield f"  {origin.origin} by {origin.author}{source}, {version.created:%Y-%m-%d %H:%M}"
    if origin.reason:
        yield f"  {one_line(origin.reason)}"
    if origin.runs:
        yield f"  runs {', '.join(origin.runs)}"
    if origin.model:
        yield f"  written by {origin.model}"
    if version.approved_by:
        yield f"  approved by {version.approved_by}"
