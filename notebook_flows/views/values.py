"""How a value of a notebook is told in a line: what is short as it is, what is large by its kind and size."""

from __future__ import annotations

from typing import Any

from notebook_flows.engine.wording import NoText, text_of
from notebook_flows.views.text import counted

LONGEST_VALUE = 60
_SIZED = (list, tuple, set, frozenset, dict, str, bytes, bytearray)


def told_value(value: Any) -> str:
    """A value in a line, without a look at all of it.

    >>> told_value([1, 2]), told_value(list(range(1000))), told_value({})
    ('[1, 2]', 'a list of 1,000 items', '{}')
    >>> import numpy
    >>> told_value(numpy.zeros((300, 4)))
    'an array of 300 by 4 float64'
    >>> import pandas
    >>> told_value(pandas.DataFrame({"a": [1], "b": [2]})), told_value(pandas.Series([1, 2]))
    ('a DataFrame of 1 row and 2 columns', 'a Series of 2 values')
    """
    try:
        return text_of(lambda: _table(value) or _sized(value) or _line(repr(value)))
    except NoText as problem:  # the user's own __repr__, __len__, shape
        return f"<{type(value).__name__}, whose __repr__ raises {type(problem.cause).__name__}>"


def _table(value: Any) -> str:
    """Of tables and arrays: known by what they have, so that no library is loaded for it; empty for all else."""
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(value, type) or not isinstance(shape, tuple) or not shape:
        return ""
    if not all(isinstance(one, int) for one in shape):
        return ""
    if hasattr(value, "columns") and len(shape) == 2:
        return f"a {kind} of {counted(shape[0], 'row')} and {counted(shape[1], 'column')}"
    if kind == "Series":
        return f"a {kind} of {counted(shape[0], 'value')}"
    what = "an array" if kind == "ndarray" else f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    return f"{what} of {' by '.join(map(str, shape))} {getattr(value, 'dtype', '')}".rstrip()


def _sized(value: Any) -> str:
    """Of a long collection or text its kind and length; empty for short ones, and for all else."""
    if not isinstance(value, _SIZED) or len(value) <= LONGEST_VALUE // 3:
        return ""
    if isinstance(value, (str, bytes, bytearray)):
        return "" if len(value) <= LONGEST_VALUE - 2 else _line(repr(value[:LONGEST_VALUE]) + "...")
    return f"a {type(value).__name__} of {counted(len(value), 'item')}"


def _line(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return line if line == text and len(line) <= LONGEST_VALUE else f"{line[:LONGEST_VALUE]}..."
