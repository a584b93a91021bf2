"""What a kernel is told before it runs a notebook that has task cells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.notebook.parameters import is_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.notebook.document import Document

MODULE = "notebook_flows.session.serve"
"""What is imported in the kernel."""
VERSION = 1
"""Of what is said between us and the session in a kernel."""
_LOADING = "__import__('notebook_flows').load_ipython_extension(get_ipython())"
# Not by IPython's manager, which would complain of the notebook's own `%load_ext`.
_LOADS = re.compile(r"^\s*%(?:re)?load_ext\s+notebook_flows\b|load_ipython_extension|load_extension\(", re.MULTILINE)
_ASKS = re.compile(r"^\s*(?:\w+\s*=\s*)?%(?:flow|nbflow)\b", re.MULTILINE)
LOADED = (
    "The notebook has task cells, but no line `%load_ext notebook_flows`: the extension was loaded for this run. "
    "Add the line to a first cell, so that the notebook runs everywhere."
)


LOADED_TO_ASK = LOADED.replace("has task cells, but", "asks `%flow`, but has")


@dataclass(frozen=True, kw_only=True)
class ServedSession:
    """The session that a kernel keeps for a run of ours.

    Attributes:
        code: makes it, in the kernel.
        workers: how many task cells may run side by side.
        note: what people should know of it; empty: nothing.
    """

    code: str
    workers: int
    note: str = ""


def session_for(
    document: Document, flow: Flow, *, workers: int, strict_shell: bool, memory: Mapping[str, str] | None = None
) -> ServedSession | None:
    """The session that the notebook needs; None where it has no task cells, for then it runs without.

    ``memory`` says where results are kept; None: nowhere.
    """
    if not any(getattr(task, "is_task", False) for task in flow._into):
        return None
    cells = [document.notebook.cells[place] for place in document.nodes]
    told: dict[str, Any] = {
        "version": VERSION,
        "lazy": True,
        "cells": [
            {"id": cell.id, "place": place, "source": cell.source, "tags": list(cell.metadata.tags)}
            for place, cell in zip(document.nodes, cells, strict=True)
        ],
        "strict_shell": strict_shell,
        "memory": None if memory is None else dict(memory),
        "name": flow.name,
        "workers": workers,
    }
    is_loaded = any(_LOADS.search(cell.source) for cell in cells)
    return ServedSession(
        code=f"{_LOADING}; {_calling('serve', json.dumps(told))}",
        workers=workers,
        note="" if is_loaded else LOADED,
    )


def loading_for(document: Document) -> tuple[str, str]:
    """Code that loads the extension for a notebook without task cells that asks ``%flow``, and what is to be said of it.

    Both are empty where the notebook loads it by itself, or has no use for it.
    """
    sources = [document.notebook.cells[place].source for place in document.nodes]
    if not is_python(document.notebook) or not any(map(_ASKS.search, sources)) or any(map(_LOADS.search, sources)):
        return "", ""
    return _LOADING, LOADED_TO_ASK


def cancelling(task: str, attempt: int) -> str:
    """The code that asks the session to stop what can be stopped of one attempt of a task cell."""
    return _calling("cancel", task, attempt)


def asking(task: str, attempt: int) -> str:
    """The code that fails if the session does not run this attempt of a task cell any more."""
    return _calling("ask", task, attempt)


def _calling(function: str, *arguments: Any) -> str:
    """Code that calls a function of the session, and binds no name in the notebook's namespace."""
    listed = ", ".join(map(repr, arguments))
    return f"__import__({MODULE!r}, fromlist=[{function!r}]).{function}({listed})"
