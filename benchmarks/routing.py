"""How often a request finds its member by meaning, and how often it is the right one.

The requests were written for the bundled teams, apart from the examples in their roles.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figure import Figure, show
from orchestrator.database import Database
from orchestrator.home import Home
from orchestrator.index import Embedder
from orchestrator.runtime import Runtime
from orchestrator.team.routing import Router, clear_winner

REQUESTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "desk": {
        "analyst": (
            "How many days in 2014 had rain?",
            "What was the average wind speed per month?",
            "Which customer spent the most?",
            "What is the median price by city?",
        ),
        "reader": (
            "What does the contract say about termination?",
            "Find the section on refunds in the handbook",
            "Who signed the memo?",
            "In which clause is liability limited?",
        ),
        "writer": (
            "Write a one-page summary of this for the board",
            "Draft a polite email to the supplier",
            "Turn these notes into a report",
            "Compose a press release",
        ),
    },
    "newsroom": {
        "researcher": (
            "Find out what happened with the bridge collapse",
            "Collect sources on the new tax law",
            "What do other papers report on the strike?",
        ),
        "writer": ("Write 400 words on the flood", "Draft the lead paragraph"),
        "checker": (
            "Is the claim about the mayor's salary true?",
            "Check the quotes in this draft",
            "Verify these dates against the documents",
        ),
    },
    "engineering": {
        "engineer": (
            "Fix the crash when the input is empty",
            "Add a --verbose flag",
            "Implement caching in the client",
        ),
        "tester": (
            "Run the test suite and tell me what fails",
            "Write a test for the parser",
            "Reproduce the bug from the report",
        ),
        "reviewer": (
            "Review my pull request",
            "Is this change safe to merge?",
            "Look over the diff for security problems",
        ),
    },
}


async def _measure() -> Sequence[Figure]:
    embedder = Embedder()
    total = decided = right = first = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with Runtime(project=folder, home=Home(folder / "home"), environment={}) as runtime:
            for team in map(runtime.team, REQUESTS):
                database = Database(folder / f"{team.name}.db")
                router = Router(team.members, database, embedder.embed)
                for profile, requests in REQUESTS[team.name].items():
                    for request in requests:
                        candidates = router.shortlist(request, team.supervisor.shortlist)
                        winner = clear_winner(request, candidates, team.supervisor.margin)
                        total += 1
                        first += candidates[0].member.profile == profile
                        decided += winner is not None
                        right += winner is not None and winner.profile == profile
                database.close()
    return [
        Figure("requests decided without a model call", decided / total, "share"),
        Figure("of these, given to the right member", right / decided, "share", at_least=0.95),
        Figure("right member first on the shortlist", first / total, "share"),
    ]


def measure() -> Sequence[Figure]:
    return asyncio.run(_measure())


if __name__ == "__main__":
    show(measure())
