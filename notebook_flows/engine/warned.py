"""Warnings that name the line that has begun the run, and no line of ours: nobody could do anything there."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_NOBODYS = frozenset({"notebook_flows", "threading", "concurrent", "asyncio", "IPython", "decorator"})
"""Packages whose lines people have not written."""
_COMMAND_LINE = "notebook_flows.cli."
"""It has begun the run by itself, and tells what is warned of in a sentence."""


def warn_caller(message: str) -> None:
    """Warn of the nearest line on the stack that somebody has written; where there is none, of the caller's.

    Raises:
        UserWarning: errors are made of warnings.
    """
    warnings.warn(message, stacklevel=1 + (_level_of_caller(sys._getframe(1)) or 1))


def _level_of_caller(frame: FrameType | None) -> int | None:
    level = 1
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name.startswith(_COMMAND_LINE):
            return None
        if name.partition(".")[0] not in _NOBODYS:
            return level
        frame, level = frame.f_back, level + 1
    return None
