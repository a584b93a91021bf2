"""Whichever write, sync, truncation or deletion fails, once or from then on: nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from store_processes import ROOT

STEP = 5


def test_no_failing_disk_operation_loses_or_damages_anything(tmp_path: Path) -> None:
    pytest.importorskip("apsw", reason="apsw is what makes SQLite's disk fail: pip install apsw")
    first = random.randrange(STEP) + 1
    print(f"every {STEP}th operation, from operation {first} on")

    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("store_faults.py")), str(tmp_path), str(STEP), str(first)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["points"] > 40
    assert said["refused"] < said["points"]
