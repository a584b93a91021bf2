"""Blobs as files of a folder: written aside, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store.blobs import FRESH_S, BlobInfo, NoSuchBlob, checked_name, is_name
from notebook_flows.store.filesystem import make_private_folder, sync_folder
from notebook_flows.store.parts import checked_part

if TYPE_CHECKING:
    from collections.abc import Iterator

ASIDE = ".writing-"
LEAVING = ".leaving-"
LOOKS = 5
"""So often a blob is looked for under both of its names."""
PIECE = 1 << 20
"""Bytes that are read at once to compare."""
LEFT_OVER_S = 86_400
"""After a day, what was written aside belongs to nobody any more."""
_FOR_THE_MOMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class BlobFolder:
    """Fits `store.blobs.Blobs`.

    Args:
        folder: made when the first blob is written, for its owner only.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser().absolute()

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.folder)

    def path_of(self, name: str) -> Path:
        """The file of a blob."""
        checked_name(name)
        return self.folder / name[:2] / name

    def put(self, name: str, content: bytes) -> bool:
        """Keep a blob."""
        path = self.path_of(name)
        try:
            if self._is_there(path, content):
                return False
            self._make_folders(path.parent)
            descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=ASIDE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(aside, path)  # noqa: PTH105 - one call, as the system has it
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(aside)  # noqa: PTH108 - the same
                raise
            sync_folder(path.parent)
        except OSError as error:
            raise self._told(error, "written") from error
        return True

    @staticmethod
    def _is_there(path: Path, content: bytes) -> bool:
        """Whether it was written before, and is whole; then it counts as used now, so that no cleaning takes it."""
        try:
            if path.stat().st_size != len(content) or not _has_content(path, content):
                return False
            _count_as_used(path)
        except FileNotFoundError:
            return False
        return True

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        make_private_folder(self.folder)
        make_private_folder(folder)
        sync_folder(self.folder)

    def size_of(self, name: str) -> int | None:
        """How many bytes it has."""
        try:
            return self.path_of(name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._told(error, "read") from error

    def use(self, name: str) -> int | None:
        """How many bytes it has; it counts as used now."""
        path = self.path_of(name)
        try:
            facts = path.stat()
            if facts.st_mtime < time.time() - FRESH_S:
                _count_as_used(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise self._told(error, "read") from error
        return facts.st_size

    def get(self, name: str) -> bytes:
        """The content."""
        path = self.path_of(name)
        try:
            for place in (path, self._leaving(path)) * LOOKS:  # a cleaning may take it there and back just now
                with contextlib.suppress(FileNotFoundError):
                    return place.read_bytes()
        except OSError as error:
            raise self._told(error, "read") from error
        raise NoSuchBlob(f"The content {name[:12]} of a result is not in {self.folder} any more.")

    def remove(self, name: str, *, unused_since_us: int | None = None) -> bool:
        """Forget a blob."""
        path = self.path_of(name)
        leaving = self._leaving(path)
        try:
            if unused_since_us is None:
                path.unlink()
                return True
            path.rename(leaving)  # from now on, who wants to count it as used does not find it, and writes it anew
            if leaving.stat().st_mtime_ns // 1000 < unused_since_us:
                leaving.unlink()
                return True
            self._restore(leaving, path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._told(error, "removed") from error
        return False

    @staticmethod
    def _leaving(path: Path) -> Path:
        """Where a blob is while it is decided whether it goes."""
        return path.with_name(f"{LEAVING}{path.name}")

    @staticmethod
    def _restore(leaving: Path, path: Path) -> None:
        with contextlib.suppress(FileExistsError):  # written anew meanwhile
            os.link(leaving, path)
        leaving.unlink()

    def all(self) -> Iterator[BlobInfo]:
        """All blobs; what was left aside by a crash is cleared away."""
        try:
            folders = [folder for folder in self.folder.iterdir() if len(folder.name) == 2 and folder.is_dir()]
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._told(error, "read") from error
        for folder in folders:
            with os.scandir(folder) as entries:
                found = list(entries)
            for entry in found:
                try:
                    facts = entry.stat()
                    if is_name(entry.name):
                        yield BlobInfo(entry.name, facts.st_size, facts.st_mtime_ns // 1000)
                    elif entry.name.startswith(LEAVING) and is_name(entry.name.removeprefix(LEAVING)):
                        if facts.st_ctime < time.time() - LEFT_OVER_S:  # its cleaning was cut short
                            self._restore(Path(entry.path), self.path_of(entry.name.removeprefix(LEAVING)))
                    elif entry.name.startswith(ASIDE) and facts.st_mtime < time.time() - LEFT_OVER_S:
                        os.unlink(entry.path)  # noqa: PTH108 - a string already
                except FileNotFoundError:
                    continue  # removed by another process meanwhile

    def part(self, name: str) -> BlobFolder:
        """A folder inside."""
        return BlobFolder(self.folder / checked_part(name))

    def _told(self, error: OSError, doing: str) -> StoreError:
        kind = StoreUnavailable if error.errno in _FOR_THE_MOMENT else StoreError
        return kind(f"Results in {self.folder} cannot be {doing}: {error.strerror or error}.")

    def __repr__(self) -> str:
        return f"BlobFolder({str(self.folder)!r})"


def _has_content(path: Path, content: bytes) -> bool:
    """Whether a file has this content; it is read a piece at a time."""
    view = memoryview(content)
    with path.open("rb") as file:
        return all(file.read(PIECE) == view[place : place + PIECE] for place in range(0, len(content), PIECE))


def _count_as_used(path: Path) -> None:
    """Set the time of a file, and look again: a cleaning may have taken it away between its name and its time.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    os.utime(path)
    path.stat()
