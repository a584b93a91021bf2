"""Where the content of results is kept: named once by its hash, never changed, whole or not there at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from notebook_flows.errors import StoreCorrupt, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

FRESH_S = 43_200
"""What was used within that time no cleaning can take for some hours more; see `cleaning.GRACE_US`."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class NoSuchBlob(StoreError, LookupError):  # noqa: N818 - the sentence that people read
    """The content of a result is not where it was put: removed by hand, by `cache gc`, or by a rule of the bucket."""


class BlobDamaged(StoreCorrupt):
    """The content of a result is not what was written."""


class BlobInfo(NamedTuple):
    """One blob.

    Attributes:
        name: 64 hexadecimal digits, the SHA-256 of its content.
        size_bytes: its length.
        used_us: when it was last written or asked for again, microseconds since 1970.
    """

    name: str
    size_bytes: int
    used_us: int


class Blobs(Protocol):
    """A place for blobs. Any thread may use it; it pickles, so that other processes write to the same place."""

    @property
    def location(self) -> str:
        """The place, for people: a path or an address."""

    def put(self, name: str, content: bytes) -> bool:
        """Keep a blob; once this returns it survives a crash.

        Returns:
            Whether it was new. One that is there already counts as used now, and is left as it is, unless it is damaged.
        Raises:
            StoreError: it cannot be kept; nothing half-written is left under its name.
        """

    def size_of(self, name: str) -> int | None:
        """How many bytes it has; None: it is not there.

        Raises:
            StoreError: it cannot be looked at.
        """

    def use(self, name: str) -> int | None:
        """As `size_of`, for who is about to need it: it counts as used now, so that no cleaning takes it meanwhile."""

    def get(self, name: str) -> bytes:
        """The content.

        Raises:
            NoSuchBlob: it is not there.
            StoreError: it cannot be read.
        """

    def remove(self, name: str, *, unused_since_us: int | None = None) -> bool:
        """Forget a blob.

        Args:
            name: of the blob.
            unused_since_us: only if it was not written or used since then, microseconds since 1970.
        Returns:
            Whether it was there, and is not any more.
        """

    def all(self) -> Iterator[BlobInfo]:
        """All blobs, in no order; those of parts aside."""

    def part(self, name: str) -> Blobs:
        """A part of this place, for one history alone."""


def checked_name(name: str) -> str:
    """The name of a blob, if it is one; it becomes part of paths and addresses.

    Raises:
        StoreError: it is none.
    """
    if not _SHA256.fullmatch(name):
        raise StoreError(f"{name[:80]!r} names no result: its name is the SHA-256 of its content.")
    return name


def is_name(text: str) -> bool:
    """Whether this is the name of a blob."""
    return _SHA256.fullmatch(text) is not None
