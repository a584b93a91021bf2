"""Functions as they were written, where ipyflow has put calls of its own into them: no other process could answer these."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from notebook_flows.session.latenames import global_names

if TYPE_CHECKING:
    from types import FunctionType

_CALLS = "_X5ix_"
"""What the names begin with that pyccolo, on which ipyflow stands, adds to the builtins."""


def as_written(function: FunctionType) -> FunctionType:
    """The function without those calls; itself where it has none, or where ipyflow does not know it any more."""
    undoing: Any = sys.modules.get("ipyflow.tracing.uninstrument")
    if undoing is None or not any(name.startswith(_CALLS) for name in global_names(function.__code__)):
        return function
    found: FunctionType | None = undoing.uninstrument(function)
    return function if found is None else found
