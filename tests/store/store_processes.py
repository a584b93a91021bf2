"""Starting the processes of `store_child`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import notebook_flows

CHILD = Path(__file__).with_name("store_child.py")
ROOT = Path(notebook_flows.__path__[0]).parent


def start(*args: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def heard(line: str) -> dict[str, Any]:
    return json.loads(line)


def outcome(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, everything it said, and its errors."""
    out, err = process.communicate(timeout=60)
    return process.returncode, [heard(line) for line in out.splitlines()], err


def in_own_mounts(script: str, **environment: str) -> list[dict[str, Any]]:
    """Run a shell script where it may mount what it likes; what it says, as JSON lines."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("this machine does not let us make a mount namespace (unshare -Urm)")
    child = f"{sys.executable} {CHILD}"
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-ec", script.replace("CHILD", child)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    if "mount:" in done.stderr:
        pytest.skip(f"this machine refuses the mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return [heard(line) for line in done.stdout.splitlines()]
