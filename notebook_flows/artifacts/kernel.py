"""Artifacts of cells in a kernel that a runner of ours drives: they go to the runner, among what the cell displays.

The runner takes them out of the outputs. Content that is too large for a message waits in a file, which the runner
takes away.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import time
from typing import Any

from notebook_flows.core.context import current_attempt

MEDIA_TYPE = "application/vnd.notebook_flows.attached+json"
"""Of the display that carries an artifact: ``told``; ``inline``, Base64, or ``file``, a path; and ``at_us``."""
DRIVEN = "NOTEBOOK_FLOWS_DRIVEN_KERNEL"
"""The variable that a runner sets in its kernel, to the kernel's process; what its cells start inherits it."""
MOST_INLINE = 64 * 1024


def to_runner(told: dict[str, Any], content: bytes | None) -> bool:
    """Hand an artifact over to the runner of this kernel; False: there is none."""
    driven = os.environ.get(DRIVEN)
    if not driven or (driven != str(os.getpid()) and current_attempt() is None):
        return False  # a kernel that a cell has started, say: nobody listens there; our workers run attempts
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    publisher = getattr(shell, "display_pub", None)
    if publisher is None:
        return False
    publisher.publish({MEDIA_TYPE: {"told": told, "at_us": time.time_ns() // 1000, **_carried(content)}}, {})
    return True


def _carried(content: bytes | None) -> dict[str, str]:
    if content is None:
        return {}
    if len(content) <= MOST_INLINE:
        return {"inline": base64.b64encode(content).decode()}
    descriptor, path = tempfile.mkstemp(prefix="notebook_flows-attached-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return {"file": path}
