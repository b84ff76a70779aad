"""Who is who: names of one peer on several platforms, joined by an explicit link, no guess; and of
whom nothing shall be concluded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from orchestrator.database import Database, Schema
from orchestrator.errors import PersonError
from orchestrator.memory.conversations import storable
from orchestrator.text.unicode import well_formed

SCHEMA = Schema(
    "peers",
    (
        """
        CREATE TABLE identities (
            alias TEXT PRIMARY KEY,
            peer TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX identities_by_peer ON identities (peer);
        """,
        "CREATE TABLE unobserved (peer TEXT PRIMARY KEY) WITHOUT ROWID;",
    ),
)

_MOST_CHARACTERS = 200


class Peers:
    """The linked identities of one profile."""

    def __init__(self, database: Database) -> None:
        database.migrate(SCHEMA)
        self._database = database

    def canonical(self, name: str) -> str:
        """The peer behind a name: itself, unless it is linked to another."""
        name = storable(name)
        row = self._database.one("SELECT peer FROM identities WHERE alias = ?", name)
        return row["peer"] if row is not None else name

    def names(self, peer: str) -> Sequence[str]:
        """All names of the peer behind a name, its own first."""
        own = self.canonical(peer)
        rows = self._database.all("SELECT alias FROM identities WHERE peer = ? ORDER BY alias", own)
        return [own, *(row["alias"] for row in rows)]

    def link(self, alias: str, peer: str) -> str:
        """Let `alias` be a name of `peer`; returns the peer. Raises PersonError."""
        _check(alias)
        _check(peer)
        own = self.canonical(peer)
        joined = self.canonical(alias)
        if joined == own:
            if alias != peer:
                return own
            raise PersonError(f"{alias!r} is one name; give two to link")
        with self._database.transaction():
            self._database.execute("UPDATE identities SET peer = ? WHERE peer = ?", own, joined)
            self._database.execute("INSERT INTO identities VALUES (?, ?)", joined, own)
        return own

    def unlink(self, alias: str) -> bool:
        """Let a name stand for itself again; whether it was linked."""
        return self._database.execute("DELETE FROM identities WHERE alias = ?", alias) > 0

    def observe(self, peer: str, *, on: bool) -> None:
        """Whether anything may be concluded about a peer; what is known stays."""
        _check(peer)
        with self._database.transaction():
            for name in self.names(peer):
                self._database.execute("DELETE FROM unobserved WHERE peer = ?", name)
            if not on:
                self._database.execute("INSERT INTO unobserved VALUES (?)", self.canonical(peer))

    def observes(self, peer: str) -> bool:
        names = self.names(peer)
        marks = ", ".join("?" * len(names))
        sql = f"SELECT 1 FROM unobserved WHERE peer IN ({marks}) LIMIT 1"
        return self._database.one(sql, *names) is None

    def unobserved(self) -> Sequence[str]:
        """Those about whom nothing may be concluded."""
        return [row["peer"] for row in self._database.all("SELECT peer FROM unobserved")]

    def links(self) -> Mapping[str, str]:
        """Every linked name with its peer."""
        rows = self._database.all("SELECT alias, peer FROM identities ORDER BY alias")
        return {row["alias"]: row["peer"] for row in rows}

    def forget(self, names: Collection[str]) -> None:
        marks = ", ".join("?" * len(names))
        self._database.execute(
            f"DELETE FROM identities WHERE alias IN ({marks}) OR peer IN ({marks})", *names, *names
        )
        self._database.execute(f"DELETE FROM unobserved WHERE peer IN ({marks})", *names)


def _check(name: str) -> None:
    """Raises PersonError."""
    if not name.strip() or len(name) > _MOST_CHARACTERS or name != well_formed(name):
        raise PersonError(f"{name!r} is no name of a peer; write it as messages have it")
