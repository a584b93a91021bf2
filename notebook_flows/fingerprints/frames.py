"""How pandas' values are written into a fingerprint: types, labels, content, attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from notebook_flows.fingerprints.arrays import write_array
from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.walk import named

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk


def writer_for(kind: type) -> Any:
    """What writes values of this type of pandas'; None: nothing special."""
    for known, writer in _WRITERS:
        if kind is known or (known in _OPEN and issubclass(kind, known)):
            return writer
    if issubclass(kind, pd.DataFrame | pd.Series):
        return _refuse
    return None


def _write_frame(walk: Walk, frame: pd.DataFrame) -> None:
    walk.text("DataFrame", repr(frame.shape))
    walk.inside("the columns", frame.columns)
    walk.inside("the index", frame.index)
    for number in range(frame.shape[1]):
        column = frame.iloc[:, number]
        try:
            _write_values(walk, column.array)
        except Unhashable as error:
            raise error.inside(f"column {frame.columns[number]!r}") from None
    _write_more(walk, frame)


def _write_series(walk: Walk, series: pd.Series) -> None:
    walk.put("Series")
    walk.inside("the name", series.name)
    walk.inside("the index", series.index)
    _write_values(walk, series.array)
    _write_more(walk, series)


def _write_more(walk: Walk, data: Any) -> None:
    walk.text("flags", str(data.flags.allows_duplicate_labels))
    if data.attrs:
        walk.inside("attrs", data.attrs)


def _write_index(walk: Walk, index: pd.Index) -> None:
    walk.text("index", type(index).__name__)
    walk.inside("the names of the index", tuple(index.names))
    if isinstance(index, pd.RangeIndex):
        walk.text("range", str(index.start), str(index.stop), str(index.step))
    elif isinstance(index, pd.MultiIndex):
        for number in range(index.nlevels):
            _write_values(walk, index.get_level_values(number).array)
    else:
        freq = getattr(index, "freqstr", None)
        if freq is not None:
            walk.text("freq", str(freq))
        _write_values(walk, index.array)


def _write_values(walk: Walk, values: Any) -> None:
    """The content of a column; each kind of pandas' arrays by what it is made of."""
    if isinstance(values, pd.arrays.NumpyExtensionArray):
        values = values.to_numpy()
    dtype = values.dtype
    walk.text("column", type(dtype).__name__, str(dtype))
    if isinstance(dtype, np.dtype):
        write_array(walk, np.asarray(values))
    elif isinstance(dtype, pd.CategoricalDtype):
        walk.text("ordered", str(dtype.ordered))
        _write_index(walk, dtype.categories)
        write_array(walk, np.asarray(values.codes))
    elif isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        write_array(walk, values.asi8)
    elif isinstance(dtype, pd.IntervalDtype):
        walk.text("closed", str(values.closed))
        _write_index(walk, values.left)
        _write_index(walk, values.right)
    elif isinstance(dtype, pd.SparseDtype):
        walk.inside("the fill value", values.fill_value)
        write_array(walk, np.asarray(values.sp_index.to_int_index().indices))
        write_array(walk, np.asarray(values.sp_values))
    elif isinstance(dtype, pd.StringDtype):
        _write_texts(walk, values)
    elif isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        walk.value(pa.chunked_array(values.__arrow_array__()))
    elif hasattr(values, "_mask") and hasattr(values, "_data"):
        mask = np.asarray(values.isna())
        write_array(walk, mask)
        write_array(walk, np.where(mask, np.zeros((), dtype=values._data.dtype), values._data))
    else:
        raise Unhashable(f"a column of type {str(dtype)!r} keeps its content in a way of its own")


def _write_texts(walk: Walk, values: Any) -> None:
    """Text is written alike whether pandas keeps it in Arrow's memory or in Python's."""
    mask = np.asarray(values.isna())
    write_array(walk, mask)
    write_array(walk, np.where(mask, "", values.to_numpy(dtype=object, na_value="")))


def _write_timestamp(walk: Walk, value: pd.Timestamp) -> None:
    if value is pd.NaT:
        walk.put("NaT")
        return
    walk.text("Timestamp", str(value.value), value.unit, str(value.fold))
    walk.inside("the time zone", value.tzinfo)


def _write_timedelta(walk: Walk, value: pd.Timedelta) -> None:
    walk.text("Timedelta", str(value.value), value.unit)


def _write_period(walk: Walk, value: pd.Period) -> None:
    walk.text("Period", str(value.ordinal), value.freqstr)


def _write_interval(walk: Walk, value: pd.Interval) -> None:
    walk.text("Interval", value.closed)
    walk.value(value.left)
    walk.value(value.right)


def _write_offset(walk: Walk, value: Any) -> None:
    walk.text("offset", value.freqstr, repr(value))


def _write_na(walk: Walk, value: Any) -> None:
    walk.put("NA")


def _write_dtype(walk: Walk, value: Any) -> None:
    walk.text("pandas dtype", type(value).__name__, str(value))


def _refuse(walk: Walk, value: Any) -> None:
    raise Unhashable(f"{named(value)} has more to it than pandas knows: give the class a method __fingerprint__")


_OPEN = {pd.Index, pd.api.extensions.ExtensionDtype, pd.api.extensions.ExtensionArray, pd.tseries.offsets.BaseOffset}
_WRITERS: tuple[tuple[type, Any], ...] = (
    (pd.DataFrame, _write_frame),
    (pd.Series, _write_series),
    (pd.Index, _write_index),
    (pd.api.extensions.ExtensionArray, _write_values),
    (pd.Timestamp, _write_timestamp),
    (type(pd.NaT), _write_timestamp),
    (pd.Timedelta, _write_timedelta),
    (pd.Period, _write_period),
    (pd.Interval, _write_interval),
    (type(pd.NA), _write_na),
    (pd.api.extensions.ExtensionDtype, _write_dtype),
    (pd.tseries.offsets.BaseOffset, _write_offset),
)
