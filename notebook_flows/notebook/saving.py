"""Writes the output notebook: never half of it, and never so often that writing is what takes the time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import threading
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from notebook_flows.notebook.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SAVE_EVERY_S = 0.25
REST_FACTOR = 10
"""After a save, this many times its duration pass before the next: saving takes a tenth of the time at most."""


def checked_output(path: str | Path, source: str | Path | None) -> Path:
    """Where the output notebook really goes: links are followed.

    Raises:
        OutputError: its folder does not exist, it is no ordinary file, or it is the input or, where that is known, some
            other file that is no notebook: a slip of the hand must not cost anybody a script.
    """
    try:
        target = Path(path).resolve()
        if target.is_dir():
            raise OutputError(path, "is a folder; give a file name.")
        if not target.parent.is_dir():
            raise OutputError(path, f"cannot be written: the folder {str(target.parent)!r} does not exist.")
        if target.exists():
            if not stat.S_ISREG(target.stat().st_mode):
                raise OutputError(path, "is no ordinary file; give the name of a file.")
            if source is not None and Path(source).exists() and target.samefile(source):
                raise OutputError(path, "is the input as well; an input is never overwritten. Choose another name.")
            if source is not None and not is_notebook(target):
                raise OutputError(
                    path, "is there already, and is no notebook; it is not overwritten. Choose another name."
                )
    except OutputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # a null byte; a circle of links
        raise OutputError(path, _why(error)) from None
    return target


def is_notebook(path: Path) -> bool:
    """Whether a file that is there is a notebook, or may be taken for one: by its name, or because it is empty."""
    if path.suffix.lower() == ".ipynb" or not path.stat().st_size:
        return True
    try:
        known = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(known, dict) and "nbformat" in known


def _why(error: Exception) -> str:
    return f"cannot be written: {getattr(error, 'strerror', None) or error}."


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Put a file in place at once: written beside, on the disk, then renamed. A failure leaves the old file as it was.

    Raises:
        OutputError: the disk is full, the folder read-only...
    """
    aside = _aside(path, os.getpid())
    if path.exists() and not path.is_file():  # such as /dev/null, which must not give its place to a file
        raise OutputError(path, "is no ordinary file; give the name of a file.")
    try:
        try:
            with _created(aside, path) as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        _sync_folder(path.parent)
    except (OSError, ValueError) as error:
        raise OutputError(path, _why(error)) from error


def _created(aside: Path, path: Path):  # type: ignore[no-untyped-def] # noqa: ANN202 - a binary file
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CLOEXEC, 0o666)

    file = open(aside, "wb", opener=opener)  # noqa: SIM115 - the caller closes it
    with contextlib.suppress(OSError):
        os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))  # as the file that it replaces
    return file


def _aside(path: Path, pid: int) -> Path:
    short = hashlib.sha256(path.name.encode(errors="replace")).hexdigest()[:8]
    return path.with_name(f".{short}.{pid}.saving")


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems refuse it; the file itself is safe
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clear_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they saved this notebook have left beside it."""
    import psutil

    for left in path.parent.glob(f"{_aside(path, 0).name.removesuffix('0.saving')}*.saving"):
        pid = left.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            with contextlib.suppress(OSError):
                left.unlink()


class Saver:
    """Saves a changing file in a thread of its own, whenever it has changed and enough time has passed.

    Args:
        path: of the file.
        pieces: gives its content; called in the saver's thread.

    Attributes:
        error: why the last save failed; None if it did not.
    """

    def __init__(self, path: Path, pieces: Callable[[], Iterable[bytes]]) -> None:
        self.path = path
        self.error: OutputError | None = None
        self._pieces = pieces
        self._changed = threading.Event()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Save once now, then begin to follow the changes.

        Raises:
            OutputError: it cannot be written.
        """
        clear_leftovers(self.path)
        write_whole(self.path, self._pieces())
        self._thread = threading.Thread(target=self._follow, name="notebook-flows-saver", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """It has changed."""
        self._changed.set()

    def _follow(self) -> None:
        while True:
            self._changed.wait()
            if self._ends.is_set():
                return
            self._changed.clear()
            begun = monotonic()
            try:
                write_whole(self.path, self._pieces())
                self.error = None
            except OutputError as error:
                self.error = error  # tried again at the next change; the last one decides
            if self._ends.wait(max(SAVE_EVERY_S, REST_FACTOR * (monotonic() - begun))):
                return

    def stop(self) -> None:
        """Save no more."""
        self._ends.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish(self) -> None:
        """Save for the last time, in the calling thread.

        Raises:
            OutputError: it cannot be written.
        """
        self.stop()
        write_whole(self.path, self._pieces())
