"""The rows behind the skill store: skills, versions and what happened to them."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.database import Database, Schema
from orchestrator.skill.scan import Finding
from orchestrator.skill.states import State
from orchestrator.skill.version import Provenance, Version

SCHEMA = Schema(
    "skill",
    (
        """
        CREATE TABLE skill (
            name TEXT PRIMARY KEY,
            active INTEGER,
            pinned INTEGER NOT NULL DEFAULT 0,
            on_disk TEXT,
            seen TEXT,
            FOREIGN KEY (name, active) REFERENCES skill_version (skill, n)
        ) WITHOUT ROWID;
        CREATE TABLE skill_version (
            skill TEXT NOT NULL,
            n INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            parent INTEGER,
            provenance TEXT NOT NULL,
            findings TEXT NOT NULL,
            created TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN
                ('candidate', 'trial', 'trusted', 'suspect', 'archived', 'quarantined')),
            approved_by TEXT,
            PRIMARY KEY (skill, n),
            UNIQUE (skill, sha256)
        ) WITHOUT ROWID;
        CREATE TABLE skill_event (
            id INTEGER PRIMARY KEY,
            skill TEXT NOT NULL,
            n INTEGER,
            what TEXT NOT NULL,
            active INTEGER,
            who TEXT NOT NULL,
            why TEXT NOT NULL,
            at TEXT NOT NULL
        );
        CREATE INDEX skill_event_skill ON skill_event (skill, id);
        """,
    ),
)


@dataclass(frozen=True)
class SkillEvent:
    """Something that happened to a skill; never changed afterwards."""

    skill: str
    n: int | None
    what: str
    """`added`, a new state, `activated`, `approved`, `pinned` or `unpinned`."""
    active: int | None
    """The version that serves since then."""
    who: str
    why: str
    at: datetime


@dataclass(frozen=True)
class Row:
    """What the store knows of a skill as a whole."""

    name: str
    active: int | None
    pinned: bool
    on_disk: str | None
    """Hash of the folder as the store last wrote or saw it."""
    seen: str | None
    """Names, sizes and times of its files then."""


class Records:
    """Reads and writes rows; keeps no rules."""

    def __init__(self, database: Database, versions: Path) -> None:
        database.migrate(SCHEMA)
        self.database = database
        self._versions = versions

    def names(self) -> Sequence[str]:
        return [row["name"] for row in self.database.all("SELECT name FROM skill ORDER BY name")]

    def row(self, name: str) -> Row | None:
        row = self.database.one("SELECT * FROM skill WHERE name = ?", name)
        if row is None:
            return None
        return Row(row["name"], row["active"], bool(row["pinned"]), row["on_disk"], row["seen"])

    def versions(self, name: str | None = None) -> Sequence[Version]:
        """Of one skill or of all, the oldest first."""
        rows = self.database.all(
            "SELECT v.*, s.active IS v.n AS active FROM skill_version v "
            "JOIN skill s ON s.name = v.skill WHERE ? IS NULL OR v.skill = ? "
            "ORDER BY v.skill, v.n",
            name,
            name,
        )
        return [self._version(row) for row in rows]

    def folder(self, name: str, sha256: str) -> Path:
        """Where the files of a version lie."""
        return self._versions / name / sha256 / name

    def insert(
        self,
        name: str,
        sha256: str,
        parent: int | None,
        provenance: Provenance,
        findings: Sequence[Finding],
        state: State,
        at: datetime,
    ) -> int:
        """A new version; returns its number."""
        self.database.execute("INSERT OR IGNORE INTO skill (name) VALUES (?)", name)
        last = self.database.one(
            "SELECT COALESCE(MAX(n), 0) AS n FROM skill_version WHERE skill = ?", name
        )
        n = (last["n"] if last is not None else 0) + 1
        self.database.execute(
            "INSERT INTO skill_version VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            name,
            n,
            sha256,
            parent,
            json.dumps(dataclasses.asdict(provenance), ensure_ascii=False),
            json.dumps([dataclasses.asdict(each) for each in findings], ensure_ascii=False),
            at.isoformat(),
            state,
        )
        return n

    def set_state(self, name: str, n: int, state: State) -> None:
        self.database.execute(
            "UPDATE skill_version SET state = ? WHERE skill = ? AND n = ?", state, name, n
        )

    def approve(self, name: str, n: int, who: str) -> None:
        self.database.execute(
            "UPDATE skill_version SET approved_by = ? WHERE skill = ? AND n = ?", who, name, n
        )

    def set_active(self, name: str, n: int | None) -> None:
        self.database.execute("UPDATE skill SET active = ? WHERE name = ?", n, name)

    def set_pinned(self, name: str, pinned: bool) -> None:
        self.database.execute("UPDATE skill SET pinned = ? WHERE name = ?", pinned, name)

    def set_disk(self, name: str, sha256: str | None, seen: str | None) -> None:
        self.database.execute(
            "UPDATE skill SET on_disk = ?, seen = ? WHERE name = ?", sha256, seen, name
        )

    def log(self, event: SkillEvent) -> None:
        self.database.execute(
            "INSERT INTO skill_event (skill, n, what, active, who, why, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            event.skill,
            event.n,
            event.what,
            event.active,
            event.who,
            event.why,
            event.at.isoformat(),
        )

    def last_event(self) -> int:
        row = self.database.one("SELECT MAX(id) AS last FROM skill_event")
        return (row["last"] or 0) if row is not None else 0

    def events(self, name: str) -> Sequence[SkillEvent]:
        """The oldest first."""
        rows = self.database.all("SELECT * FROM skill_event WHERE skill = ? ORDER BY id", name)
        return [
            SkillEvent(
                row["skill"],
                row["n"],
                row["what"],
                row["active"],
                row["who"],
                row["why"],
                datetime.fromisoformat(row["at"]),
            )
            for row in rows
        ]

    def _version(self, row: sqlite3.Row) -> Version:
        provenance: dict[str, Any] = json.loads(row["provenance"])
        runs = tuple(provenance.pop("runs"))
        return Version(
            skill=row["skill"],
            n=row["n"],
            sha256=row["sha256"],
            parent=row["parent"],
            provenance=Provenance(**provenance, runs=runs),
            findings=tuple(Finding(**each) for each in json.loads(row["findings"])),
            created=datetime.fromisoformat(row["created"]),
            state=row["state"],
            approved_by=row["approved_by"],
            active=bool(row["active"]),
            folder=self.folder(row["skill"], row["sha256"]),
        )
