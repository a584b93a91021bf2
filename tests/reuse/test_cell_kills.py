"""Task cells that are recorded are not run again, whenever runner or kernel was killed; `cell_kills.py` does it more often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cell_kills.py")

BROKEN = """
import sys
sys.path.insert(0, {folder!r})
import cell_kills
cell_kills.RUN = (
    "from notebook_flows.workspace import celldone\\n"
    "true = celldone.done_in\\n"
    "celldone.done_in = lambda *a: true(*a)._replace(known={{}}, without_value={{}})\\n" + cell_kills.RUN
)
cell_kills.kill_so_often(8, 3)
"""


@pytest.mark.timeout(300)
def test_what_is_recorded_is_not_run_again_after_any_kill() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "4", "1"], capture_output=True, text=True, timeout=280, check=False
    )

    assert "All is well" in done.stdout, done.stderr


@pytest.mark.timeout(300)
def test_a_resume_that_runs_all_again_is_caught() -> None:
    script = BROKEN.format(folder=str(SCRIPT.parent))

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=280, check=False)

    assert "recorded as done, and run again" in done.stderr
