"""Fingerprints stay what they are: over processes, hash seeds and versions of this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def printed(seed: str, *arguments: str) -> dict[str, str]:
    ended = subprocess.run(
        [sys.executable, str(HERE / "golden_keys.py"), *arguments],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def test_keys_are_those_that_are_written_down() -> None:
    """Whoever changes the rules raises `fingerprints.keys.RULES`, and writes this file anew."""
    golden = json.loads((HERE / "golden_keys.json").read_text())

    assert printed("1", "numpy") == golden


def test_keys_are_the_same_in_processes_with_other_hash_seeds() -> None:
    first, second = (printed(seed, "numpy", "processes") for seed in ("2", "3"))

    assert first == second
    assert len(set(first.values())) == len(first)
