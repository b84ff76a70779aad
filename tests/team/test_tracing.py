"""What profiles say is told to no tracer, whatever the process's environment wishes traced."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.home import Home
from tests.company import Company


class Collector(BaseHTTPRequestHandler):
    """Takes whatever a tracer sends."""

    bodies: list[bytes]

    def do_GET(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_PATCH = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A tracing server's address, and what it has been sent."""
    bodies: list[bytes] = []
    handler = type("Handler", (Collector,), {"bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


def work_traced(folder: Path, address: str) -> None:
    """Two runs, and one step of somebody else's, in a process that is traced."""
    os.environ |= {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": address,
        "LANGSMITH_API_KEY": "key",
    }
    from langchain_core.runnables import RunnableLambda
    from langchain_core.tracers.langchain import wait_for_all_tracers

    company = Company(folder / "project", Home(folder / "home"))
    assert asyncio.run(company.run("TASK")).state == "completed"
    assert asyncio.run(company.run(workflow="w")).state == "completed"
    RunnableLambda[str, str](lambda word: word).invoke("CONTROL")
    wait_for_all_tracers()


def test_a_traced_process_tells_nothing_of_a_run(
    company: Company, collector: tuple[str, list[bytes]]
) -> None:
    address, bodies = collector
    brief = {"tool": "assign", "arguments": {"member": "scribe", "goal": "GOAL"}}
    company.hire(
        [
            {"profile": "supervisor", "calls": [brief]},
            {"profile": "scribe", "say": "ANSWER", "repeat": True},
            {"profile": "supervisor", "say": "ANSWER"},
        ],
        members={"scribe": {"tools": ["plan"]}, "counter": {"tools": ["plan"]}},
        workflows={"w": {"steps": [{"id": "s", "agent": "scribe", "prompt": "GOAL"}]}},
    )
    process = multiprocessing.get_context("spawn").Process(
        target=work_traced, args=(company.project.parent, address)
    )
    process.start()
    process.join()
    told = b"".join(bodies)
    assert process.exitcode == 0
    assert b"CONTROL" in told
    assert not [word for word in (b"TASK", b"GOAL", b"ANSWER") if word in told]
