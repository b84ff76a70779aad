"""Taking the words of forgotten runs out of what a profile knows of its skills."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.database import Database
from orchestrator.index import rebuild_table
from orchestrator.skill.evidence import SCHEMA as EVIDENCE
from orchestrator.skill.index import SCHEMA as INDEX
from orchestrator.skill.tasks import SCHEMA as TASKS
from orchestrator.skill.triggers import SCHEMA as TRIGGERS


def forget_runs(database: Database, runs: Collection[str], briefs: Collection[str]) -> None:
    """Delete the uses, the failed cases and the briefs of those runs, and the requests learned from
    `briefs`. The text of skills stays as it is.
    """
    for schema in (EVIDENCE, TASKS, TRIGGERS):
        database.migrate(schema)
    with database.transaction():
        for brief in briefs:
            phrase = " ".join(brief[:300].split())  # as it was learned
            database.execute("DELETE FROM skill_trigger WHERE phrase = ?", phrase)
        for run in runs:
            for table in ("skill_use", "skill_case", "skill_task"):
                database.execute(f"DELETE FROM {table} WHERE run = ?", run)


def rebuild_words(database: Database) -> None:
    """Index the words of the skills anew, so that the file holds none of a removed one."""
    database.migrate(INDEX)
    rebuild_table(database, "skill_words")
