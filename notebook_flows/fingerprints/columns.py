"""How pyarrow's and polars' values are written into a fingerprint: types and content. Chunks and slices do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.fingerprints.errors import Unhashable
from notebook_flows.fingerprints.walk import named

if TYPE_CHECKING:
    from notebook_flows.fingerprints.walk import Walk

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError:  # polars may be there alone
    pa = None


def writer_for(kind: type) -> Any:
    """What writes values of this type; None: nothing special."""
    if kind.__module__.startswith("polars"):
        return _polars_writer(kind)
    for known, writer in (
        ((pa.Table, pa.RecordBatch), _write_table),
        ((pa.Array, pa.ChunkedArray), _write_column),
        (pa.Schema, _write_schema),
        (pa.Field, _write_by_text),
        (pa.DataType, _write_by_text),
        (pa.Scalar, _write_scalar),
        (pa.Buffer, _write_buffer),
    ):
        if issubclass(kind, known):
            return writer
    return None


def _write_table(walk: Walk, table: Any) -> None:
    walk.text("arrow table", str(table.num_rows))
    _write_schema(walk, table.schema)
    for name, column in zip(table.schema.names, table.columns, strict=True):
        try:
            _write_column(walk, column)
        except Unhashable as error:
            raise error.inside(f"column {name!r}") from None


def _write_schema(walk: Walk, schema: Any) -> None:
    walk.text("schema", *(f"{field.name}:{field.type}:{field.nullable}" for field in schema))
    for where in (schema, *schema):
        walk.value(dict(sorted((where.metadata or {}).items())))


def _write_column(walk: Walk, column: Any) -> None:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):  # too large for one piece
            column = pa.concat_arrays([chunk.cast(_large(chunk.type)) for chunk in column.chunks])
    kind = column.type
    walk.text("arrow column", str(kind), str(len(column)))
    if pa.types.is_null(kind):
        return
    if pa.types.is_dictionary(kind):
        _write_column(walk, column.dictionary)
        _write_column(walk, column.indices)
        return
    is_valid = column.is_valid()
    walk.put_large("valid", is_valid.to_numpy(zero_copy_only=False))
    if pa.types.is_struct(kind):
        for one in column.flatten():
            _write_column(walk, one)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        walk.put_large("lengths", column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
        _write_column(walk, column.flatten())
    elif pa.types.is_boolean(kind):
        walk.put_large("content", column.fill_null(False).to_numpy(zero_copy_only=False))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        walk.put_large("content", column.fill_null(0).to_numpy(zero_copy_only=False))
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        width = pa.int64() if kind.bit_width == 64 else pa.int32()
        walk.put_large("content", column.view(width).fill_null(0).to_numpy(zero_copy_only=False))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind) or _is_large_text(kind):
        binary = column.cast(pa.large_binary()) if not pa.types.is_large_binary(kind) else column
        filled = binary.fill_null(b"")
        walk.put_large("lengths", pc.binary_length(filled).to_numpy(zero_copy_only=False))
        walk.put("content", _joined(filled))
    else:
        walk.inside("the values", column.to_pylist())


def _is_large_text(kind: Any) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind) or str(kind).endswith("_view"))


def _large(kind: Any) -> Any:
    if pa.types.is_string(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary(kind) else kind


def _joined(binary: Any) -> bytes:
    """The bytes of all values, one after the other."""
    if not len(binary):
        return b""
    _, offsets, content = binary.buffers()
    import numpy as np

    places = np.frombuffer(offsets, dtype=np.int64)[binary.offset : binary.offset + len(binary) + 1]
    return bytes(memoryview(content)[places[0] : places[-1]]) if content is not None else b""


def _write_scalar(walk: Walk, scalar: Any) -> None:
    walk.put("arrow scalar")
    _write_column(walk, pa.array([scalar.as_py()], type=scalar.type))


def _write_buffer(walk: Walk, buffer: Any) -> None:
    walk.put("buffer", buffer.to_pybytes())


def _write_by_text(walk: Walk, value: Any) -> None:
    walk.text(type(value).__name__, str(value))


def _polars_writer(kind: type) -> Any:
    import polars as pl

    if issubclass(kind, pl.DataFrame):
        return _write_polars_frame
    if issubclass(kind, pl.Series):
        return _write_polars_series
    if issubclass(kind, pl.LazyFrame):
        return _refuse_lazy
    if issubclass(kind, pl.Expr):
        return _write_expression
    return _write_polars_type if issubclass(kind, pl.DataType) else None


def _needs_arrow(value: Any) -> None:
    if pa is None:
        raise Unhashable(f"{named(value)} is read by way of pyarrow, which is not installed: pip install pyarrow")


def _write_polars_frame(walk: Walk, frame: Any) -> None:
    _needs_arrow(frame)
    walk.text("polars frame", str(frame.height))
    for series in frame.get_columns():
        walk.inside(f"column {series.name!r}", series)


def _write_polars_series(walk: Walk, series: Any) -> None:
    import polars as pl

    _needs_arrow(series)
    walk.text("polars series", series.name, str(series.dtype))
    if series.dtype == pl.Object:
        walk.inside("the values", series.to_list())
        return
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)  # the numbers of categories depend on what else the process has seen
    _write_column(walk, series.to_arrow())


def _refuse_lazy(walk: Walk, value: Any) -> None:
    raise Unhashable(f"{named(value)} is a query that has not run: collect() it")


def _write_expression(walk: Walk, value: Any) -> None:
    walk.text("polars expression", value.meta.serialize(format="json"))


def _write_polars_type(walk: Walk, value: Any) -> None:
    walk.text("polars type", str(value))
