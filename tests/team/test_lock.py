"""One process per run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.errors import RunBusyError
from orchestrator.team import lock


def test_a_second_process_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from orchestrator.team import lock\n"
        "with lock.hold(Path(sys.argv[1]), 'run'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert lock.holder(tmp_path) == other.pid
        with pytest.raises(RunBusyError, match=str(other.pid)), lock.hold(tmp_path, "run"):
            pass
        other.kill()
        other.wait()
        assert lock.holder(tmp_path) is None
        with lock.hold(tmp_path, "run"):
            assert lock.holder(tmp_path) == os.getpid()


def test_who_only_looks_is_in_nobodys_way(tmp_path: Path) -> None:
    with lock.hold(tmp_path, "run"):
        pass
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert lock.holder(tmp_path) is None
        release = threading.Timer(0.03, fcntl.flock, (looking, fcntl.LOCK_UN))
        release.start()
        with lock.hold(tmp_path, "run"):
            assert lock.holder(tmp_path) == os.getpid()
        release.join()
