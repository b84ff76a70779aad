"""What is done stays done, over restarts; what was only intended is known to be open."""

from __future__ import annotations

from pathlib import Path

from orchestrator.database import Database
from orchestrator.engine import Journal


def test_a_done_step_is_never_overwritten(tmp_path: Path) -> None:
    journal = Journal(Database(tmp_path / "memory.db"))
    journal.intend("run", "analyst#1", "tool/1/0", {"tool": "shell"})
    journal.finish("run", "analyst#1", "tool/1/0", {"text": "first"})
    journal.finish("run", "analyst#1", "tool/1/0", {"text": "second"})
    journal.intend("run", "analyst#1", "tool/1/0", {"tool": "shell"})
    entry = journal.get("run", "analyst#1", "tool/1/0")
    assert entry is not None
    assert entry.done
    assert entry.payload == {"text": "first"}


def test_it_survives_a_new_process_and_is_gone_after_drop(tmp_path: Path) -> None:
    journal = Journal(Database(tmp_path / "memory.db"))
    journal.finish("run", "analyst#1", "model/0", {"usage": 1})
    journal.intend("run", "analyst#1", "tool/1/0", {})
    again = Journal(Database(tmp_path / "memory.db"))
    assert again.steps("run", "model/") == [{"usage": 1}]
    entry = again.get("run", "analyst#1", "tool/1/0")
    assert entry is not None
    assert not entry.done
    again.drop("run")
    assert journal.runs() == []
