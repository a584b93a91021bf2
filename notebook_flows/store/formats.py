"""Values as bytes: in a format of their own where one gives the very same value back, else as a pickle.

The format is told beside the bytes, so nobody unpickles by accident; what only looks at results reads all but pickles.
"""

from __future__ import annotations

import io
import json
import sys
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

PICKLE = "cloudpickle"
DEEPEST_JSON = 50


class Encoded(NamedTuple):
    """A value as bytes.

    Attributes:
        format: ``json``, ``npy``, ``arrow``, ``pandas``, ``polars`` or ``cloudpickle``.
    """

    format: str
    content: bytes


class CannotBeKept(StoreError):  # noqa: N818 - the sentence that people read
    """A value that cannot be written: no pickle of it can be made."""


class WouldUnpickle(StoreError):  # noqa: N818 - the sentence that people read
    """The value is a pickle, and the reader is one that runs nobody's code."""


def encode(value: Any) -> Encoded:
    """The bytes of a value.

    >>> encode({"rows": [1, 2]})
    Encoded(format='json', content=b'{"rows":[1,2]}')

    Raises:
        CannotBeKept: it cannot be pickled; says why.
    """
    found = _of_own_format(value)
    if found is not None:
        return found
    import cloudpickle

    try:
        return Encoded(PICKLE, cloudpickle.dumps(value, protocol=5))
    except Exception as error:  # whatever a class of the user's own raises
        raise CannotBeKept(
            f"The result of type {type(value).__qualname__!r} cannot be pickled: {type(error).__name__}: {error}"
        ) from error


def _of_own_format(value: Any) -> Encoded | None:
    if _is_json(value, DEEPEST_JSON):
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return Encoded("json", text.encode())
        except ValueError:  # a number of thousands of digits, or half a character
            return None
    for module, write in _WRITERS.items():
        if module in sys.modules and type(value).__module__.partition(".")[0] == module:
            content = write(value)
            if content is not None:
                return content
    return None


def _is_json(value: Any, depth: int) -> bool:
    """Whether JSON gives the very same value back: no tuples, no NaN, no keys but text."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return isfinite(value)
    if not depth:
        return False
    if kind is list:
        return all(_is_json(one, depth - 1) for one in value)
    return kind is dict and all(type(key) is str and _is_json(one, depth - 1) for key, one in value.items())


def _numpy(value: Any) -> Encoded | None:
    import numpy as np

    dtype: Any = getattr(value, "dtype", None)
    if type(value) is not np.ndarray or dtype.hasobject or dtype.names or dtype.kind in "VT" or dtype.metadata:
        return None
    out = io.BytesIO()
    np.save(out, value, allow_pickle=False)
    return Encoded("npy", out.getvalue())


def _arrow(value: Any) -> Encoded | None:
    import pyarrow as pa

    return Encoded("arrow", _arrow_bytes(value)) if type(value) is pa.Table else None


def _arrow_bytes(table: Any) -> bytes:
    import pyarrow as pa

    out = pa.BufferOutputStream()
    compression = "lz4" if pa.Codec.is_available("lz4") else None
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    content: bytes = out.getvalue().to_pybytes()
    return content


def _pandas(value: Any) -> Encoded | None:
    """A frame whose Arrow table gives the same frame back; that is tried, for there are many that it does not."""
    import pandas as pd

    if type(value) is not pd.DataFrame or value.attrs or not value.flags.allows_duplicate_labels:
        return None
    try:
        import pyarrow as pa
    except ImportError:
        return None
    try:
        table = pa.Table.from_pandas(value)
        back = table.to_pandas()
    except Exception:  # Arrow has no type for what is in some column: then it is a pickle
        return None
    return Encoded("pandas", _arrow_bytes(table)) if _is_same_frame(value, back) else None


def _is_same_frame(one: Any, other: Any) -> bool:
    return bool(
        one.equals(other)
        and one.dtypes.equals(other.dtypes)
        and all(_is_same_index(getattr(one, axis), getattr(other, axis)) for axis in ("index", "columns"))
        and not any(_holds_objects(one[name]) for name in one.columns)
    )


def _is_same_index(one: Any, other: Any) -> bool:
    return bool(
        type(one) is type(other)
        and one.identical(other)
        and one.names == other.names
        and getattr(one, "freq", None) == getattr(other, "freq", None)
    )


def _holds_objects(column: Any) -> bool:
    """Lists, dicts and mixed values in a column look equal when they have come back as something else."""
    import pandas as pd

    return bool(column.dtype == object) and pd.api.types.infer_dtype(column, skipna=False) != "string"


def _polars(value: Any) -> Encoded | None:
    import polars as pl

    if type(value) is not pl.DataFrame or pl.Object in value.dtypes:
        return None
    out = io.BytesIO()
    value.write_ipc(out, compression="lz4")
    return Encoded("polars", out.getvalue())


_WRITERS: dict[str, Callable[[Any], Encoded | None]] = {
    "numpy": _numpy,
    "pyarrow": _arrow,
    "pandas": _pandas,
    "polars": _polars,
}


def decode(encoded: Encoded, *, may_unpickle: bool = True) -> Any:
    """The value of these bytes, made anew at each call.

    Args:
        encoded: what was written, verified by the caller.
        may_unpickle: False: raise for a pickle, whose reading runs code.

    Raises:
        WouldUnpickle: it is a pickle, and must not be read here.
        StoreError: the format is unknown, or the bytes do not load here, for example where a module is missing.
    """
    if encoded.format == PICKLE:
        if not may_unpickle:
            raise WouldUnpickle("This result is a pickle, whose reading runs code; it is not read here.")
        import pickle

        read: Callable[[bytes], Any] = pickle.loads
    else:
        found = _READERS.get(encoded.format)
        if found is None:
            raise StoreError(f"A result has the format {encoded.format!r}, which this notebook_flows does not know.")
        read = found
    try:
        return read(encoded.content)
    except Exception as error:  # whatever unpickling raises
        raise StoreError(
            f"A result of format {encoded.format!r} does not load here: {type(error).__name__}: {error}"
        ) from error


def uncompressed(encoded: Encoded) -> bytes:
    """The bytes of a value in which texts can be looked for: as they are, but for those of formats that compress."""
    if encoded.format not in {"arrow", "pandas", "polars"}:
        return encoded.content
    if encoded.format == "polars":
        plain = io.BytesIO()
        _read_polars(encoded.content).write_ipc(plain, compression="uncompressed")
        return plain.getvalue()
    import pyarrow as pa

    table = _read_arrow(encoded.content)
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    content: bytes = out.getvalue().to_pybytes()
    return content


def _read_numpy(content: bytes) -> Any:
    import numpy as np

    return np.load(io.BytesIO(content), allow_pickle=False)


def _read_arrow(content: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()


def _read_pandas(content: bytes) -> Any:
    return _read_arrow(content).to_pandas()


def _read_polars(content: bytes) -> Any:
    import polars as pl

    return pl.read_ipc(io.BytesIO(content))


_READERS: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "npy": _read_numpy,
    "arrow": _read_arrow,
    "pandas": _read_pandas,
    "polars": _read_polars,
}
