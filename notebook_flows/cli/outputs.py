"""Files that commands write where they are told to."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Output(click.Path):
    """A name that is one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if not str(value).strip():
            self.fail(f"{value!r} names no {self.name}.", param, ctx)
        return super().convert(value, param, ctx)


class OutputFile(_Output):
    """The name of a file to write, for an option."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)


class OutputFolder(_Output):
    """The name of a folder to write files into, for an option."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file, which is whole or not there. Links are followed; what is no ordinary file is written into.

    A pipe, or a device such as ``/dev/stdout``, must never give its place to a file.

    Raises:
        OSError: it cannot be written; names the file.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                file.writelines(pieces)
        else:
            _replace(Path(os.path.realpath(path)), pieces)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            Path(aside).chmod(_mode_of(path))
        Path(aside).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(aside).unlink()
        raise


def _mode_of(path: Path) -> int:
    """That of the file that is there, else what a new one gets."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
