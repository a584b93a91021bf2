"""Named places where a test may have this process killed, as by the out-of-memory killer."""

from __future__ import annotations

import os
import signal

_WANTED, _, _COUNT = os.environ.get("NOTEBOOK_FLOWS_CRASH_AT", "").partition(":")
_visits_left = int(_COUNT or 1)


def crash_point(name: str) -> None:
    """Nothing, unless ``NOTEBOOK_FLOWS_CRASH_AT`` is ``name``, or ``name:3`` for the third visit: then SIGKILL."""
    if _WANTED:
        _visit(name)


def _visit(name: str) -> None:
    global _visits_left
    if name == _WANTED:
        _visits_left -= 1
        if _visits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
