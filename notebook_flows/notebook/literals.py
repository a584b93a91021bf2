"""Writes values as the Python code of a cell."""

from __future__ import annotations

import math
from typing import Any

from notebook_flows.notebook.values import UnfitError, shown


def as_python(value: Any) -> str:
    """Code that makes the value.

    >>> as_python({"a": [1.5, float("inf")], "b": None})
    "{'a': [1.5, float('inf')], 'b': None}"

    Raises:
        UnfitError: there is no literal for it.
    """
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"float({str(float(value))!r})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_python(one)}: {as_python(value[one])}" for one in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_python, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(as_python, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, (set, frozenset)):
        inner = ", ".join(sorted(map(as_python, value)))
        name = type(value).__name__
        return f"{{{inner}}}" if name == "set" and inner else f"{name}({{{inner}}})" if inner else f"{name}()"
    if hasattr(value, "__fspath__"):
        return repr(str(value))
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return as_python(value.item())
    raise UnfitError(f"cannot be written into a notebook: {shown(value)} has no literal in Python")
