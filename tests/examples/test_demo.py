"""`make demo` says what it found, spends nothing unasked, and labels a rehearsal as one."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.ask import Keyboard
from orchestrator.cli.demo import choose_model, demo
from orchestrator.cli.output import Screen


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is no folder, so the local model can neither be there nor come there."""
    cache = tmp_path / "cache"
    cache.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


async def model_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    models = json.dumps({"data": [{"id": "qwen3:8b"}]}).encode()
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + models)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_without_any_model_it_rehearses_and_says_so_in_every_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await demo(ports={}) == 0
    first, second, third, *result = capsys.readouterr().out.splitlines()
    assert "downloading the local one" in first
    assert "the local model cannot be had: cannot write in" in second
    assert "this is a REHEARSAL" in third
    assert [line for line in result if not line.startswith("REHEARSAL | ")] == []
    assert any("report.md" in line for line in result)


async def test_a_key_is_left_alone_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    with Screen() as screen, Keyboard() as keyboard:
        chosen = await choose_model(screen, keyboard, {})
    assert chosen == "rehearsal"
    printed = capsys.readouterr().out
    assert "OPENAI_API_KEY in the environment" in printed
    assert "left alone" in printed


async def test_a_server_on_this_machine_is_taken_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    server = await asyncio.start_server(model_server, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with Screen() as screen, Keyboard() as keyboard:
            chosen = await choose_model(screen, keyboard, {"ollama": port})
    assert chosen == "ollama/qwen3:8b"
    assert f"Ollama at 127.0.0.1:{port}" in capsys.readouterr().out


def test_at_a_terminal_it_asks_before_it_spends() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "orchestrator.cli.demo"]
    environment = {**os.environ, "OPENAI_API_KEY": "a-key", "TERM": "dumb"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        try:
            asked = read_until(ours, "[y/N]")
            os.write(ours, b"n\n")
            then = read_until(ours, "model: ", "downloading the local one")
        finally:
            process.kill()
            os.close(ours)
    assert "OPENAI_API_KEY in the environment), which costs money" in asked
    assert "openai" not in then


def read_until(terminal: int, *texts: str) -> str:
    """What the terminal shows up to the first of the texts."""
    shown = ""
    while not any(text in shown for text in texts):
        shown += os.read(terminal, 4096).decode()
    return shown
