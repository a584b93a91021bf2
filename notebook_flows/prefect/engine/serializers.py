"""How results become bytes, and values again."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from datetime import datetime
from typing import Any

from notebook_flows.store.results import JSONSerializer, PickleSerializer, Serializer

__all__ = [
    "CompressedSerializer",
    "DateTimeSerializer",
    "JSONSerializer",
    "PandasSerializer",
    "PickleSerializer",
    "Serializer",
]

COMPRESSIONS: dict[str, Any] = {"bz2": bz2, "gzip": gzip, "lzma": lzma, "zlib": zlib}


class DateTimeSerializer:
    """Moments as ISO 8601.

    >>> DateTimeSerializer().deserialize(b"2021-01-31T08:00:00+00:00").hour
    8
    """

    def serialize(self, value: datetime) -> bytes:
        """The bytes of a moment."""
        return value.isoformat().encode()

    def deserialize(self, value: bytes) -> datetime:
        """The moment of these bytes."""
        return datetime.fromisoformat(value.decode())


class CompressedSerializer:
    """Another serializer's bytes, made smaller.

    Args:
        serializer: whose bytes.
        fmt: ``bz2``, ``gzip``, ``lzma`` or ``zlib``.
        compress_kwargs: for that module's ``compress``.
        decompress_kwargs: for its ``decompress``.

    Raises:
        ValueError: an unknown format.
    """

    def __init__(
        self,
        serializer: Serializer,
        fmt: str = "zlib",
        *,
        compress_kwargs: dict[str, Any] | None = None,
        decompress_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if fmt not in COMPRESSIONS:
            raise ValueError(f"The format is one of {', '.join(COMPRESSIONS)}, not {fmt!r}.")
        self._serializer = serializer
        self._module = COMPRESSIONS[fmt]
        self._compress_kwargs = dict(compress_kwargs or {})
        self._decompress_kwargs = dict(decompress_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """The bytes of a value."""
        made: bytes = self._module.compress(self._serializer.serialize(value), **self._compress_kwargs)
        return made

    def deserialize(self, value: bytes) -> Any:
        """The value of these bytes."""
        return self._serializer.deserialize(self._module.decompress(value, **self._decompress_kwargs))


class PandasSerializer:
    """Data frames, by pandas' own readers and writers.

    Args:
        file_type: as in ``read_csv`` and ``to_csv``: csv, parquet, json, ...
        deserialize_kwargs: for the reader.
        serialize_kwargs: for the writer.
    """

    def __init__(
        self,
        file_type: str,
        deserialize_kwargs: dict[str, Any] | None = None,
        serialize_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.file_type = file_type
        self.deserialize_kwargs = dict(deserialize_kwargs or {})
        self.serialize_kwargs = dict(serialize_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """The bytes of a frame."""
        buffer = io.BytesIO()
        getattr(value, f"to_{self.file_type}")(buffer, **self.serialize_kwargs)
        return buffer.getvalue()

    def deserialize(self, value: bytes) -> Any:
        """The frame of these bytes."""
        from importlib import import_module

        pandas: Any = import_module("pandas")
        return getattr(pandas, f"read_{self.file_type}")(io.BytesIO(value), **self.deserialize_kwargs)
