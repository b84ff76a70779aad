"""What came of using a skill: one record for each use, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from orchestrator.database import Database, Schema

Outcome = Literal["success", "failure", "unknown"]

SCHEMA = Schema(
    "skill_evidence",
    (
        """
        CREATE TABLE skill_use (
            skill TEXT NOT NULL,
            n INTEGER NOT NULL,
            run TEXT NOT NULL,
            task TEXT NOT NULL,
            served INTEGER NOT NULL,
            loaded INTEGER NOT NULL,
            followed INTEGER,
            outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'unknown')),
            tokens INTEGER NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (skill, n, run, task)
        );
        CREATE INDEX skill_use_run ON skill_use (run);
        CREATE TABLE skill_case (
            skill TEXT NOT NULL,
            n INTEGER NOT NULL,
            run TEXT NOT NULL,
            task TEXT NOT NULL,
            brief TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (skill, run, task)
        );
        """,
    ),
)


@dataclass(frozen=True)
class Use:
    """One task in which a version was eligible."""

    skill: str
    n: int
    run: str
    task: str = ""
    """The member call within the run."""
    served: bool = True
    """False: the task was done without it on purpose, to compare."""
    loaded: bool = False
    """The member read its body."""
    followed: bool | None = None
    """None: nobody knows."""
    outcome: Outcome = "unknown"
    tokens: int = 0
    """Of the card and what was loaded."""


@dataclass(frozen=True)
class Case:
    """A task that failed with a skill, to try its next version on."""

    skill: str
    n: int
    run: str
    task: str
    brief: str


@dataclass(frozen=True)
class Tally:
    """The known outcomes of one version; with it, only tasks that loaded it count."""

    successes: int
    failures: int
    successes_without: int
    failures_without: int
    failures_in_a_row: int
    """Of the newest uses that loaded it."""
    tokens: int


class Evidence:
    """The uses of one profile's skills, in its `memory.db`."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        database.migrate(SCHEMA)
        self._database = database
        self._clock = clock

    def record(self, use: Use) -> None:
        """Write the use down, or what is known of it by now."""
        self._database.execute(
            "INSERT INTO skill_use VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET served = excluded.served, loaded = excluded.loaded, "
            "followed = excluded.followed, outcome = excluded.outcome, tokens = excluded.tokens",
            use.skill,
            use.n,
            use.run,
            use.task,
            use.served,
            use.loaded,
            use.followed,
            use.outcome,
            use.tokens,
            self._clock().isoformat(),
        )

    def settle(
        self,
        run: str,
        task: str,
        outcome: Outcome,
        followed: Mapping[str, bool | None] | None = None,
    ) -> Sequence[Use]:
        """What became of the task, and by skill whether it did what the skill says; returns its
        uses. A later word, such as a person's, replaces an earlier one.
        """
        with self._database.transaction():
            for use in self.of_task(run, task):
                did = (followed or {}).get(use.skill, use.followed)
                self._database.execute(
                    "UPDATE skill_use SET outcome = ?, followed = ? "
                    "WHERE skill = ? AND n = ? AND run = ? AND task = ?",
                    outcome,
                    did,
                    use.skill,
                    use.n,
                    run,
                    task,
                )
        return self.of_task(run, task)

    def uses(self, skill: str, n: int | None = None) -> Sequence[Use]:
        """The oldest first."""
        if n is None:
            return self._uses("skill = ?", skill)
        return self._uses("skill = ? AND n = ?", skill, n)

    def of_task(self, run: str, task: str) -> Sequence[Use]:
        return self._uses("run = ? AND task = ?", run, task)

    def tally(self, skill: str, n: int) -> Tally:
        uses = self.uses(skill, n)
        known = [use for use in uses if use.outcome != "unknown"]
        with_it = [use.outcome for use in known if use.served and use.loaded]
        without = [use.outcome for use in known if not use.served]
        in_a_row = 0
        for outcome in reversed(with_it):
            if outcome == "success":
                break
            in_a_row += 1
        return Tally(
            successes=with_it.count("success"),
            failures=with_it.count("failure"),
            successes_without=without.count("success"),
            failures_without=without.count("failure"),
            failures_in_a_row=in_a_row,
            tokens=sum(use.tokens for use in uses),
        )

    def add_case(self, case: Case) -> None:
        """Keep a failed task; once for each task."""
        self._database.execute(
            "INSERT OR IGNORE INTO skill_case VALUES (?, ?, ?, ?, ?, ?)",
            case.skill,
            case.n,
            case.run,
            case.task,
            case.brief,
            self._clock().isoformat(),
        )

    def drop_cases(self, run: str, task: str) -> None:
        """The task went well after all."""
        self._database.execute("DELETE FROM skill_case WHERE run = ? AND task = ?", run, task)

    def cases(self, skill: str) -> Sequence[Case]:
        rows = self._database.all(
            "SELECT skill, n, run, task, brief FROM skill_case WHERE skill = ? ORDER BY rowid",
            skill,
        )
        return [Case(*row) for row in rows]

    def _uses(self, where: str, *values: str | int) -> Sequence[Use]:
        rows = self._database.all(f"SELECT * FROM skill_use WHERE {where} ORDER BY rowid", *values)
        return [
            Use(
                skill=row["skill"],
                n=row["n"],
                run=row["run"],
                task=row["task"],
                served=bool(row["served"]),
                loaded=bool(row["loaded"]),
                followed=None if row["followed"] is None else bool(row["followed"]),
                outcome=row["outcome"],
                tokens=row["tokens"],
            )
            for row in rows
        ]
