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
from notebook_flows.store.blobs import BlobInfo, NoSuchBlob, checked_name, is_name
from notebook_flows.store.filesystem import make_private_folder, sync_folder
from notebook_flows.store.parts import checked_part

if TYPE_CHECKING:
    from collections.abc import Iterator

ASIDE = ".writing-"
LEFT_OVER_S = 86_400
"""After a day, what was written aside belongs to nobody any more."""
_FOR_THE_MOMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}


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
            if self._is_there(path, len(content)):
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
    def _is_there(path: Path, size_bytes: int) -> bool:
        """Whether it was written whole before; then it counts as used now, so that no cleaning takes it."""
        try:
            if path.stat().st_size != size_bytes:
                return False
            os.utime(path)
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

    def get(self, name: str) -> bytes:
        """The content."""
        path = self.path_of(name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NoSuchBlob(f"The content {name[:12]} of a result is not in {self.folder} any more.") from None
        except OSError as error:
            raise self._told(error, "read") from error

    def remove(self, name: str) -> bool:
        """Forget a blob."""
        try:
            self.path_of(name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._told(error, "removed") from error
        return True

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
