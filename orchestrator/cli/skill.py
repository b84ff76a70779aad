"""`retinue skill …`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from orchestrator.cli.address import SUPERVISOR, member
from orchestrator.cli.boundary import WRONG_USE
from orchestrator.cli.output import Screen, columns, one_line, print_json
from orchestrator.cli.places import home, read_team, settings
from orchestrator.cli.skill_view import (
    hit_row,
    library_row,
    origin_lines,
    preview_row,
    show_decided,
    show_findings,
    show_preview,
    summary,
    verdict_row,
    version_row,
)
from orchestrator.cli.target import find
from orchestrator.database import Database
from orchestrator.errors import NotFoundError, PersonError, Problem
from orchestrator.home import ProfileHome
from orchestrator.index import Embedder
from orchestrator.skill import (
    PERSON,
    Libraries,
    LibrarySkill,
    Preview,
    Shelf,
    SkillStore,
    Version,
    add_imported,
    conform,
    diff,
    lint,
    open_source,
    preview,
    read_libraries,
    write_skill,
)

_EMBED_NOW = 32
"""Skills that get vectors while a person waits; 0.1 s each."""


def list_skills(*, where: str, as_json: bool) -> int:
    with _store(where) as store:
        skills = store.skills()
        own = [summary(store, skill) for skill in skills]
    names = {skill["name"] for skill in own if skill["state"] != "archived"}
    library, problems = read_libraries(project=Path.cwd(), home=home().root)
    rows = own + [
        library_row(each.source, each.document)
        for each in library
        if each.document.name not in names
    ]
    if as_json:
        print_json(rows)
        return 0
    with Screen() as screen:
        table = [("SKILL", "STATE", "SERVES", "USES", "FROM", "WHAT FOR")]
        table += [
            (
                row["name"],
                row["state"],
                f"@{row['active']}" if row["active"] else ("yes" if not row["versions"] else "-"),
                f"{row['successes']}+ {row['failures']}-" if row["versions"] else "-",
                row["source"],
                one_line(row["description"], 60),
            )
            for row in rows
        ]
        for line in columns(table) if rows else ["no skills"]:
            screen.line(line)
        for problem in problems:
            screen.line(str(problem), "bad")
    return 0


def search(*, where: str, query: str, as_json: bool) -> int:
    """Which skills a request finds, and why."""
    with _shelf(where) as shelf:
        shelf.sync(look=True)
        waiting = shelf.embed_missing(_EMBED_NOW)
        hits = shelf.search(query, most=10)
    if as_json:
        print_json([hit_row(hit) for hit in hits])
        return 0
    with Screen() as screen:
        if waiting == _EMBED_NOW:
            screen.line("some skills are searched by words alone: retinue skill reindex", "quiet")
        table = [("SKILL", "SCORE", "WORDS", "MEANING", "SHOWN UNASKED", "WHAT FOR")]
        table += [
            (
                hit.name,
                f"{hit.score:.2f}",
                f"{hit.words:.2f}",
                "-" if hit.vector is None else f"{hit.vector:.2f}",
                "yes" if hit.clear else "no",
                one_line(hit.description, 60),
            )
            for hit in hits
        ]
        for line in columns(table) if hits else ["nothing found"]:
            screen.line(line)
    return 0


def reindex(*, where: str, as_json: bool) -> int:
    """Build the member's index anew, words first."""
    with _shelf(where) as shelf, Screen(sys.stderr) as screen:
        shelf.reindex()
        total, done = len(shelf.index), 0
        while made := shelf.embed_missing(_EMBED_NOW):
            done += made
            screen.line(f"{done} of {total} skills by meaning", "quiet")
    if as_json:
        print_json({"skills": total, "vectors": done})
    else:
        with Screen() as screen:
            screen.line(f"{total} skills are indexed, {done} of them anew by meaning", "good")
    return 0


def show(*, where: str, skill: str, number: int | None, as_json: bool) -> int:
    with _store(where) as store:
        beneath = _beneath(store, skill) if number is None else None
        version = None if beneath else _version(store, skill, number)
    if version is not None:
        row, document = version_row(version), version.read()
    else:
        assert beneath is not None
        row, document = library_row(beneath.source, beneath.document), beneath.document
    if as_json:
        files = [dataclasses.asdict(file) for file in document.files]
        body = {"body": document.body, "files": files, "license": document.license}
        print_json({**row, "description": document.description, **body})
        return 0
    with Screen() as screen:
        if version is not None:
            screen.line(f"{version.label}: {version.state}{', serves' * version.active}", "strong")
            for line in origin_lines(version):
                screen.line(line, "quiet")
            show_findings(screen, version.findings)
        else:
            screen.line(f"{document.name}: library, {row['source']}; serves everybody", "strong")
        screen.line(f"\n{document.description}\n\n{document.body}")
        for file in document.files:
            screen.line(f"{file.path}  {file.size:,} bytes{', runs' * file.executable}", "quiet")
    return 0


def history(*, where: str, skill: str, as_json: bool) -> int:
    with _store(where) as store:
        versions = store.skill(skill).versions
        tallies = [store.evidence.tally(skill, version.n) for version in versions]
        events = store.events(skill)
        cases = store.evidence.cases(skill)
    if as_json:
        rows = [
            {**version_row(version), "evidence": dataclasses.asdict(tally)}
            for version, tally in zip(versions, tallies, strict=True)
        ]
        happened = [dataclasses.asdict(event) for event in events]
        failed = [dataclasses.asdict(case) for case in cases]
        print_json({"skill": skill, "versions": rows, "events": happened, "cases": failed})
        return 0
    with Screen() as screen:
        for version, tally in zip(versions, tallies, strict=True):
            parent = f" from @{version.parent}" if version.parent else ""
            outcome = f"{tally.successes} successes, {tally.failures} failures"
            screen.line(
                f"{version.label}{parent}: {version.state}{', serves' * version.active}, {outcome}",
                "strong",
            )
            for line in origin_lines(version):
                screen.line(line, "quiet")
        screen.line()
        for event in events:
            which = f"@{event.n} " if event.n is not None else ""
            why = f": {one_line(event.why)}" if event.why else ""
            screen.line(f"{event.at:%Y-%m-%d %H:%M}  {which}{event.what}, by {event.who}{why}")
        for case in cases:
            screen.line(f"failed with @{case.n} in {case.run}: {one_line(case.brief)}", "bad")
    return 0


def show_diff(*, where: str, skill: str, versions: list[int], as_json: bool) -> int:
    if len(versions) > 2:
        raise PersonError("give one version or two")
    with _store(where) as store:
        known = store.skill(skill).versions
        new = store.version(skill, versions[-1]) if versions else known[-1]
        before = versions[0] if len(versions) == 2 else new.parent
        old = store.version(skill, before) if before is not None else None
    text = diff(old, new)
    if as_json:
        print_json(
            {"skill": skill, "old": old.n if old is not None else None, "new": new.n, "diff": text}
        )
    else:
        with Screen() as screen:
            for line in text.splitlines():
                screen.line(
                    line, "good" if line[0:1] == "+" else "bad" if line[0:1] == "-" else "plain"
                )
    return 0


def promote(
    *, where: str, skill: str, number: int | None, to: str | None, why: str, as_json: bool
) -> int:
    with _store(where) as store:
        version = store.promotable(skill) if number is None else store.version(skill, number)
        if to == "trial" or to == "trusted":
            version = store.move(skill, version.n, to, who=PERSON, why=why)
        else:
            version = store.promote(skill, version.n, who=PERSON, why=why)
    return show_decided(version, as_json)


def rollback(*, where: str, skill: str, number: int | None, why: str, as_json: bool) -> int:
    with _store(where) as store:
        version = store.rollback(skill, number, who=PERSON, why=why)
    return show_decided(version, as_json)


def archive(*, where: str, skill: str, why: str, as_json: bool) -> int:
    with _store(where) as store:
        version = store.archive(skill, who=PERSON, why=why).versions[-1]
    return show_decided(version, as_json)


def pin(*, where: str, skill: str, off: bool, why: str, as_json: bool) -> int:
    with _store(where) as store:
        pinned = store.pin(skill, not off, who=PERSON, why=why)
        row = summary(store, pinned)
    if as_json:
        print_json(row)
    else:
        with Screen() as screen:
            screen.line(f"{skill} is {'pinned' if pinned.pinned else 'not pinned'}", "good")
    return 0


def approve(*, where: str, skill: str, number: int | None, why: str, as_json: bool) -> int:
    with _store(where) as store:
        version = store.approve(skill, number, who=PERSON, why=why)
    return show_decided(version, as_json)


def share(*, where: str, skill: str, to: str, why: str, as_json: bool) -> int:
    with _store(where) as store, _store(to) as other:
        version = store.share(skill, other, who=PERSON, why=why)
    return show_decided(version, as_json)


def export(*, where: str, skill: str, folder: str, number: int | None, as_json: bool) -> int:
    with _store(where) as store:
        version = _version(store, skill, number)
    target = Path(folder).expanduser() / skill
    document = conform(version.read().replace(name=skill))
    try:
        if target.exists():
            raise PersonError(f"{str(target)!r} is there already; name another folder")
        write_skill(document, target)
    except OSError as error:
        reason = error.strerror or error
        raise PersonError(f"cannot write {str(target)!r}: {reason}; name another folder") from error
    if as_json:
        print_json({"skill": skill, "version": version.n, "folder": str(target)})
    else:
        with Screen() as screen:
            screen.line(f"{version.label} is in {target}", "good")
    return 0


def add(*, source: str, where: str, only: list[str], preview: bool, as_json: bool) -> int:
    with _store(where) as store, open_source(source) as folder:
        found, problems = _look(folder, only)
        shown = source if "://" in source else str(Path(source).expanduser().absolute())
        added = (
            {}
            if preview
            else {each.document.name: add_imported(store, each, shown) for each in found}
        )
        rows = [preview_row(each, added.get(each.document.name)) for each in found]
    if as_json:
        print_json({"skills": rows, "problems": [problem.to_dict() for problem in problems]})
    else:
        with Screen() as screen:
            for each, row in zip(found, rows, strict=True):
                show_preview(screen, each, row["state"])
            for problem in problems:
                screen.line(f"not added: {problem}", "bad")
            if added:
                screen.line(f"\nnext: retinue skill promote {where} NAME", "quiet")
    return WRONG_USE if problems and not found else 0


def lint_files(*, paths: list[str], strict: bool, as_json: bool) -> int:
    verdicts = list(lint([Path(path) for path in paths], strict=strict))
    bad = [each for each in verdicts if not each.loads or (strict and each.problems)]
    if as_json:
        print_json([verdict_row(each) for each in verdicts])
    else:
        with Screen() as screen:
            for verdict in verdicts:
                for problem in verdict.problems:
                    screen.line(str(problem), "bad" if verdict in bad else "ask")
            warned = sum(bool(each.problems) for each in verdicts)
            screen.line(f"{len(verdicts)} skills, {warned} with problems", "bad" if bad else "good")
    return WRONG_USE if bad else 0


def _look(folder: Path, only: list[str]) -> tuple[list[Preview], list[Problem]]:
    found, problems = preview(folder)
    names = [each.document.name for each in found]
    for name in only:
        if name not in names:
            raise NotFoundError("skill to add", name, names)
    return [each for each in found if not only or each.document.name in only], list(problems)


@contextmanager
def _shelf(where: str) -> Generator[Shelf]:
    """What the member can use, its own and the libraries' skills."""
    with _store(where) as store, closing(Database(store.home.memory_db)) as database:
        libraries = Libraries(project=Path.cwd(), home=home().root)
        yield Shelf(store, database, libraries.skills, embed=Embedder().embed)


@contextmanager
def _store(where: str) -> Generator[SkillStore]:
    """The member's store, edits on disk picked up."""
    chosen = settings()
    home().create()
    profile = _profile(where)
    profile.create()
    database = Database(profile.memory_db)
    try:
        store = SkillStore(profile, database, approval_needed=chosen.approve_skills)
        store.refresh()
        yield store
    finally:
        database.close()


def _profile(where: str) -> ProfileHome:
    target = find(where)
    team = read_team(target.team, target.project)
    profile = member(team, target.profile) if target.profile else None
    return home().profile(team.name, profile or SUPERVISOR)


def _beneath(store: SkillStore, skill: str) -> LibrarySkill | None:
    """The skill of a library, where the member has none of that name."""
    if skill in store.names():
        return None
    library, _ = read_libraries(project=Path.cwd(), home=home().root)
    found = next((each for each in library if each.document.name == skill), None)
    if found is None:
        names = [*store.names(), *(each.document.name for each in library)]
        raise NotFoundError(f"skill of {store.home.address}", skill, names)
    return found


def _version(store: SkillStore, skill: str, number: int | None) -> Version:
    return store.skill(skill).shown if number is None else store.version(skill, number)
