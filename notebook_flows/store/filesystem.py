"""The store's place on the disk: private files, network file systems, a reserve for the day the disk is full."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""What the system says where a file system has no locks."""
RESERVE_BYTES = 1 << 20

_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse", "lustre", "afs", "ceph", "gluster", "beegfs", "gpfs", "ncp", "coda")


def make_private_folder(folder: Path) -> None:
    """Make the folder, readable by its owner only, whatever the umask; one that is there stays as it is."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
    except FileExistsError:
        return
    folder.chmod(PRIVATE_FOLDER)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, closed on exec, made for its owner only if it is new."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE)
    if os.fstat(descriptor).st_uid == os.getuid():
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def has_locks(folder: Path) -> bool:
    """Whether the folder's file system locks files; NFS without its lock daemon does not, and SQLite calls that busy.

    Tried on a file of its own: whoever closes a file that SQLite has open lets SQLite's locks on it go.
    """
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".locks-") as probe:
            fcntl.lockf(probe.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(probe.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in NO_LOCKS
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def network_filesystem(path: Path, mountinfo: str | None = None) -> str | None:
    r"""The kind of network file system that holds the path, or None: there SQLite's WAL is not safe.

    Args:
        path: absolute.
        mountinfo: the text of ``/proc/self/mountinfo``; read from there if not given.

    >>> table = "22 1 8:1 / / rw - ext4 /dev/sda rw\n40 22 0:33 / /home rw shared:1 - nfs4 nas:/home rw"
    >>> network_filesystem(Path("/home/ada/history.db"), table), network_filesystem(Path("/var/history.db"), table)
    ('nfs4', None)
    """
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    best, kind = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if len(point) >= len(best) and path.is_relative_to(point):
            best, kind = point, right.split()[0]
    return kind if kind.startswith(_NETWORK) else None


def free_bytes(folder: Path) -> int | None:
    """What is free on the disk of a folder for whoever may not take the rest; None: it does not say."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return None
    return room.f_bavail * room.f_frsize


def reserve_of(path: Path) -> Path:
    """The file whose space is given up so that the end of a run can be recorded on a full disk."""
    return path.with_name(path.name + ".reserve")


def is_special(path: Path) -> bool:
    """Whether something is there that is no regular file."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def make_reserve(path: Path) -> bool:
    """Have the reserve beside the store; False if the disk has no room for it, or something else is in its place.

    The space is taken for good, not as a hole.
    """
    reserve = reserve_of(path)
    try:
        if reserve.stat().st_size == RESERVE_BYTES:
            return True
    except OSError:
        pass
    if is_special(reserve):
        return False
    try:
        descriptor = open_private(reserve, os.O_WRONLY)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        release_reserve(path)
        return False
    return True


def release_reserve(path: Path) -> bool:
    """Give the reserve's space back to the disk; False if there was none."""
    if is_special(reserve_of(path)):
        return False
    try:
        reserve_of(path).unlink()
    except OSError:
        return False
    return True
