"""Task results in files, for tasks with a ``target`` or a ``result``."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from notebook_flows.errors import StoreError


class Serializer(Protocol):
    """Turns values into bytes and back."""

    def serialize(self, value: Any) -> bytes:
        """The bytes of a value."""

    def deserialize(self, value: bytes) -> Any:
        """The value of these bytes."""


class PickleSerializer:
    """Any value that cloudpickle can write. Read only files that you or your own tasks have written."""

    def serialize(self, value: Any) -> bytes:
        """The bytes of a value."""
        import cloudpickle

        written: bytes = cloudpickle.dumps(value)
        return written

    def deserialize(self, value: bytes) -> Any:
        """The value of these bytes."""
        import pickle

        return pickle.loads(value)


class JSONSerializer:
    """Values that JSON has."""

    def serialize(self, value: Any) -> bytes:
        """The bytes of a value."""
        return json.dumps(value, allow_nan=False).encode()

    def deserialize(self, value: bytes) -> Any:
        """The value of these bytes."""
        return json.loads(value)


class LocalResult:
    """Results in a folder of this machine.

    Args:
        dir: the folder; it is made when it is first written to.
        location: a file name below it, in which ``{task_name}`` and other keys of the context are filled in; a
            task's ``target`` comes before it.
        serializer: how values become bytes; pickles by default.
    """

    def __init__(
        self,
        dir: str | os.PathLike[str],  # noqa: A002 - as in Prefect 1
        location: str | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        self.dir = Path(dir).expanduser().absolute()
        self.location = location
        self.serializer: Serializer = serializer or PickleSerializer()

    def path_of(self, location: str) -> Path:
        """The file of a location.

        Raises:
            StoreError: it would lie outside of the folder.
        """
        root = self.dir.resolve()
        path = (root / location).resolve()
        if not path.is_relative_to(root):
            raise StoreError(
                f"The result {location!r} would be written outside of {self.dir}. Take the `..` out of it."
            )
        return path

    def exists(self, location: str) -> bool:
        """Whether something was written there."""
        return self.path_of(location).is_file()

    def read(self, location: str) -> Any:
        """The value that was written there.

        Raises:
            StoreError: it cannot be read.
        """
        path = self.path_of(location)
        try:
            return self.serializer.deserialize(path.read_bytes())
        except Exception as error:
            raise StoreError(f"The result {path} cannot be read: {error!r}. Remove it to have it made anew.") from error

    def write(self, value: Any, location: str | None = None, **keys: Any) -> str:
        """Write a value; readers see the old file or the new one, never a part.

        Args:
            value: what to write.
            location: where; the folder's own template unless given.
            **keys: fill the template.
        Returns:
            The location.
        Raises:
            StoreError: it cannot be written.
        """
        chosen = location if location is not None else (self.location or "{task_slug}").format(**keys)
        path = self.path_of(chosen)
        try:
            content = self.serializer.serialize(value)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(aside).replace(path)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        except Exception as error:
            raise StoreError(
                f"The result of type {type(value).__name__!r} cannot be written to {path}: {error!r}."
            ) from error
        return chosen
