"""Which members a request is put before, and that several may ask at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from orchestrator.database import Database
from orchestrator.team.routing import Router
from tests.company import Company


async def test_the_first_requests_of_a_team_may_come_together(company: Company) -> None:
    company.hire([])
    async with company.open() as runtime:
        members = runtime.team("team.yaml").members
    database = Database(company.home.state / "vectors.db")
    together = threading.Barrier(4)
    embedded: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        embedded.extend(texts)
        time.sleep(0.01)  # long enough for the others to come
        rows = [[len(text), text.count("e"), 1] for text in texts]
        vectors = np.pad(np.array(rows, np.float32), ((0, 0), (0, 381)))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def ask(router: Router) -> list[str]:
        together.wait()
        return [candidate.member.profile for candidate in router.shortlist("The key?", 3)]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, [Router(members, database, embed)] * 4))
    database.close()
    assert answers == [answers[0]] * 4
    texts = [text for text in embedded if text != "The key?"]
    assert len(texts) == len(set(texts))
