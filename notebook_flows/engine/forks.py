"""How many forks this process is away from the one that has imported us.

A task, or a handler, may fork. What comes back in the child must not go on as a second engine.
"""

from __future__ import annotations

import os

count = 0


def _forked() -> None:
    global count
    count += 1


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)
