"""Tables as artifacts: the first rows of a DataFrame, a list of dicts and the like, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

from notebook_flows.artifacts.content import TABLE, TABLE_TYPE, ArtifactError, Content

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_ROWS = 1_000
MOST_COLUMNS = 200
LONGEST_CELL = 1_000
"""Characters of one cell."""
_ATTACH_THE_FILE = "Write the table to a file and attach that: artifact(Path(...))."


class _Rows:
    """The first rows of a table, and how many there are."""

    def __init__(self, columns: Iterable[Any], rows: Iterable[Sequence[Any]], row_count: int) -> None:
        self.columns = [_name(column) for column in columns]
        self.rows = rows
        self.row_count = row_count


def table_of(value: Any) -> Content | None:
    """The value as a table; None: it is none.

    Raises:
        ArtifactError: it nearly is one; says what is wrong.
    """
    found = _rows_of(value)
    if found is None:
        return None
    count = len(found.columns)
    if count > MOST_COLUMNS:
        raise ArtifactError(
            f"A table to attach has {MOST_COLUMNS} columns at most, this one has {count:,}. {_ATTACH_THE_FILE}"
        )
    rows = [[_cell(one) for one in row] for row in islice(found.rows, MOST_ROWS)]
    told = {"columns": found.columns, "rows": rows, "row_count": found.row_count}
    data = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
    return Content(TABLE, TABLE_TYPE, _summary(found.row_count, len(rows), count), data)


def _summary(row_count: int, shown: int, column_count: int) -> str:
    """How large it is.

    >>> _summary(1, 1, 2), _summary(5000, 1000, 1)
    ('1 row, 2 columns', 'first 1,000 of 5,000 rows, 1 column')
    """
    rows = f"{row_count:,} row" + ("" if row_count == 1 else "s")
    if shown < row_count:
        rows = f"first {shown:,} of {rows}"
    return f"{rows}, {column_count} column" + ("" if column_count == 1 else "s")


def _rows_of(value: Any) -> _Rows | None:
    reader = _READERS.get(f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}")
    if reader is not None:
        return reader(value)
    if isinstance(value, Mapping):
        return _of_columns(value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return _of_list(value)
    return _pandas(value) if _is_of_pandas(value) else None


def _is_of_pandas(value: Any) -> bool:
    """Also what derives from its DataFrame, such as a GeoDataFrame."""
    return any(kind.__module__.startswith("pandas.") and kind.__name__ == "DataFrame" for kind in type(value).__mro__)


def _pandas(frame: Any) -> _Rows:
    head = frame.iloc[:MOST_ROWS]
    index = head.index
    columns, series = list(head.columns), [head.iloc[:, place].tolist() for place in range(head.shape[1])]
    if type(index).__name__ != "RangeIndex":  # it says something
        names = list(index.names)
        levels = [index.get_level_values(place).tolist() for place in range(index.nlevels)]
        columns = [name if name is not None else "index" for name in names] + columns
        series = levels + series
    rows = zip(*series, strict=True) if series else ([] for _ in range(len(head)))
    return _Rows(columns, rows, len(frame))


def _pandas_series(series: Any) -> _Rows:
    return _pandas(series.to_frame())


def _polars(frame: Any) -> _Rows:
    return _Rows(frame.columns, frame.head(MOST_ROWS).rows(), frame.height)


def _polars_series(series: Any) -> _Rows:
    return _polars(series.to_frame())


def _arrow(table: Any) -> _Rows:
    head = table.slice(0, MOST_ROWS)
    columns = [column.to_pylist() for column in head.columns]
    rows = zip(*columns, strict=True) if columns else iter(())
    return _Rows(table.column_names, rows, table.num_rows)


def _numpy(array: Any) -> _Rows:
    if array.dtype.names:
        return _Rows(array.dtype.names, array[:MOST_ROWS].tolist(), len(array))
    if array.ndim != 2:
        raise ArtifactError(f"An array to attach as a table has 2 dimensions, this one has {array.ndim}.")
    return _Rows(range(array.shape[1]), array[:MOST_ROWS].tolist(), len(array))


_READERS = {
    "pandas.DataFrame": _pandas,
    "pandas.Series": _pandas_series,
    "polars.DataFrame": _polars,
    "polars.Series": _polars_series,
    "pyarrow.Table": _arrow,
    "numpy.ndarray": _numpy,
}


def _of_columns(value: Mapping[Any, Any]) -> _Rows | None:
    """{column: its values}; {name: one value}: a row for each."""
    columns = list(value.values())
    are_lists = [isinstance(one, Sequence) and not isinstance(one, (str, bytes)) for one in columns]
    if not any(are_lists):
        return _Rows(("name", "value"), list(value.items()), len(value))
    lengths = {name: len(one) if is_list else 1 for (name, one), is_list in zip(value.items(), are_lists, strict=True)}
    if not all(are_lists) or len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r}: {length}" for name, length in list(lengths.items())[:5])
        raise ArtifactError(f"The columns of a table have the same length, those given have not ({told}).")
    return _Rows(value, zip(*columns, strict=True), max(lengths.values()))


def _of_list(value: Sequence[Any]) -> _Rows | None:
    """A list of dicts, or of rows; of other things one column."""
    head = value[:MOST_ROWS]
    if all(isinstance(row, Mapping) for row in head):
        columns = list(dict.fromkeys(name for row in head for name in row))
        return _Rows(columns, ([row.get(name) for name in columns] for row in head), len(value))
    if all(isinstance(row, (list, tuple)) for row in head):
        width = max(len(row) for row in head)
        names = getattr(head[0], "_fields", range(width))
        return _Rows(names, ([*row, *[None] * (width - len(row))] for row in head), len(value))
    return _Rows(("value",), ([one] for one in head), len(value))


def _name(column: Any) -> str:
    return ", ".join(map(_text, column)) if isinstance(column, tuple) else _text(column)


def _cell(value: Any) -> Any:
    """The value as JSON has it; a text if it has none."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return _shortened(value) if kind is str else value
    if kind is int:
        return value if -(1 << 53) <= value <= 1 << 53 else str(value)  # what a browser reads without loss
    if kind is float:
        return value if isfinite(value) else (None if value != value else str(value))  # noqa: PLR0124 - only NaN
    if kind.__name__ in {"NaTType", "NAType"}:
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    item = getattr(value, "item", None)
    if callable(item) and kind.__module__.partition(".")[0] == "numpy" and getattr(value, "ndim", 1) == 0:
        return _cell(item()) if type(item()) is not kind else _text(value)
    return _text(value)


def _text(value: Any) -> str:
    try:
        return _shortened(str(value))
    except Exception:  # a __str__ of the user's own; the rest of the table is worth having
        return f"<{type(value).__name__}>"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
