"""Who owns a run: a lock held for as long as its process lives, and the process's name beside it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.errors import StoreError
from notebook_flows.store.filesystem import make_private_folder, open_private
from notebook_flows.store.rows import Owner

if TYPE_CHECKING:
    from collections.abc import Iterator

_open_locks: set[FileLock] = set()


class FileLock:
    """An exclusive lock that the system gives up with the process, whatever kills it.

    It is not inherited by programs that are started (O_CLOEXEC), and forked children close it at once:
    it stays with the process that took it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = False, create: bool = True) -> bool:
        """Take the lock; False if another holds it, or if it must not be created and is not there."""
        if self._descriptor is not None:
            return False
        make_private_folder(self.path.parent)
        while True:
            try:
                descriptor = (
                    open_private(self.path, os.O_RDWR) if create else os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
                )
            except FileNotFoundError:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            if _is_still(self.path, descriptor):
                self._descriptor = descriptor
                _open_locks.add(self)
                return True
            os.close(descriptor)  # its last holder has removed the file in between

    def release(self, *, remove: bool = False) -> None:
        """Give the lock up; nothing if it is not held.

        Args:
            remove: the file too, for locks that are needed once.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        _open_locks.discard(self)
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(descriptor)

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _forget_in_child() -> None:
    for lock in _open_locks:
        lock._forget()
    _open_locks.clear()
    this_process.cache_clear()


os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Wait for a lock, and have it for a while."""
    lock = FileLock(path)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


def lock_of_run(store: Path, run_id: str) -> FileLock:
    """The lock that the owner of a run holds for life.

    Raises:
        StoreError: the id is none that can be part of a file's name.
    """
    if not run_id or run_id[0] == "." or "/" in run_id or "\0" in run_id:
        raise StoreError(f"{run_id!r} is no id of a run: it names a place outside the history's folder of locks.")
    return FileLock(store.parent / "locks" / f"{run_id}.run")


@cache
def this_process() -> Owner:
    """The owner that this process is."""
    pid = os.getpid()
    return Owner(host=os.uname().nodename, boot_id=_boot_id(), pid=pid, process_started=process_started(pid) or 0)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_started(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine's start; None if there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_alive(owner: Owner) -> bool:
    """Whether this very process, not a later one with its pid, lives on this machine."""
    return owner.boot_id == _boot_id() and process_started(owner.pid) == owner.process_started
