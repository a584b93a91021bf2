"""What is recorded is not run again, whenever the run was killed; `kills.py` does it more often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kills.py")

BROKEN = """
import sys
sys.path.insert(0, {folder!r})
from notebook_flows.workspace.resuming import Resumed
Resumed.find = lambda *_: None
import kills
kills.kill_so_often(20, 3)
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_recorded_is_not_run_again_after_any_kill(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "12", str(seed)], capture_output=True, text=True, timeout=100, check=False
    )

    assert "All is well" in done.stdout, done.stderr


def test_a_resume_that_runs_all_again_is_caught() -> None:
    script = BROKEN.format(folder=str(SCRIPT.parent))

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)

    assert "recorded as done, and run again" in done.stderr
