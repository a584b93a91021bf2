"""Results that outlive their run: a value becomes a reference, which the history holds, and content, which is elsewhere.

Content up to 64 KiB goes into the history itself, in the transaction that records how its task ended. Larger content goes
to a folder or bucket, and is safe there before the history hears of it.
"""

from __future__ import annotations

import contextlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import StoreError
from notebook_flows.store.blobs import BlobDamaged, NoSuchBlob
from notebook_flows.store.formats import Encoded, decode, encode, uncompressed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from notebook_flows.store.blobs import Blobs

MOST_INLINE = 64 * 1024
"""Bytes of content that go into the history."""


class TooLarge(StoreError):  # noqa: N818 - the sentence that people read
    """A result of which more would be kept than the settings allow."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(size, most)
        self.size = size
        self.most = most

    def __str__(self) -> str:
        return (
            f"It has {self.size:,} bytes, and no more than {self.most:,} are kept of one result; the setting "
            "`max_result_size` says how many."
        )


class Kept(NamedTuple):
    """A value that is kept.

    Attributes:
        reference: ``format``, ``size`` in bytes, ``sha256`` of the content, ``in``: ``history`` or ``blobs``,
            and ``at``: the part of the blobs, if it is in one.
        inline: the content that the history has to take over with the reference; None: it is in the blobs.
    """

    reference: dict[str, Any]
    inline: bytes | None


class ResultStore:
    """Writes results, and reads them again after verifying them. It pickles.

    Args:
        blobs: for large content.
        most_inline: bytes of content that go into the history.
        most: bytes of content that are kept of one result; None: as many as there are.
        part: the part of the blobs that large content goes to, asked for when there is some; empty: to none.
    """

    def __init__(
        self,
        blobs: Blobs,
        *,
        most_inline: int = MOST_INLINE,
        most: int | None = None,
        part: Callable[[], str] = lambda: "",
    ) -> None:
        self.blobs = blobs
        self.most_inline = most_inline
        self.most = most
        self._part: Callable[[], str] | str = part
        self._parts: dict[str, Blobs] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_part": self.part, "_parts": {}}

    @property
    def part(self) -> str:
        """The part that large content goes to."""
        if not isinstance(self._part, str):
            self._part = self._part()
        return self._part

    def blobs_of(self, reference: Mapping[str, Any]) -> Blobs:
        """Where the content behind a reference lies, which is not in the history."""
        part = reference.get("at")
        if not part:
            return self.blobs
        if part not in self._parts:
            self._parts[part] = self.blobs.part(part)
        return self._parts[part]

    def keep(self, value: Any, *, may_keep: Callable[[bytes], None] | None = None) -> Kept:
        """Keep a value.

        Args:
            value: any.
            may_keep: is shown its bytes, not compressed, before they are written anywhere; raises if they must not be.

        Raises:
            CannotBeKept: it cannot be written as bytes; says why.
            TooLarge: it has too many bytes.
            StoreError: large content cannot be written.
        """
        self._check(size_before_writing(value))
        encoded = encode(value)
        self._check(len(encoded.content))
        if may_keep is not None:
            may_keep(uncompressed(encoded))
        return self.keep_content(encoded.content, format=encoded.format)

    def _check(self, size: int) -> None:
        if self.most is not None and size > self.most:
            raise TooLarge(size, self.most)

    def keep_content(self, content: bytes, **more: str) -> Kept:
        """Keep bytes as they are.

        Args:
            content: the bytes.
            **more: what else the reference tells.
        Raises:
            StoreError: large content cannot be written.
        """
        size = len(content)
        name = sha256(content).hexdigest()
        reference: dict[str, Any] = {**more, "size": size, "sha256": name, "in": "history"}
        if size <= self.most_inline:
            return Kept(reference, content)
        reference["in"] = "blobs"
        if self.part:
            reference["at"] = self.part
        self.blobs_of(reference).put(name, content)
        return Kept(reference, None)

    def has(self, reference: Mapping[str, Any]) -> bool:
        """Whether content that lies in the blobs is there, as long as it was written; it is not read for that.

        It counts as used now: who asks is about to need it.
        """
        try:
            return self.blobs_of(reference).use(reference["sha256"]) == int(reference["size"])
        except StoreError:
            return False

    def load(self, reference: Mapping[str, Any], inline: bytes | None = None, *, may_unpickle: bool = True) -> Any:
        """The value behind a reference, made anew at each call.

        Args:
            reference: as `keep` has made it.
            inline: the content, where the history has it.
            may_unpickle: False: raise for a pickle.

        Raises:
            NoSuchBlob: its content is gone.
            BlobDamaged: its content is not what was written. It is removed, so that its task runs again.
            StoreError: it cannot be read.
        """
        try:
            content = self.content(reference, inline)
        except BlobDamaged:
            if reference["in"] == "history":
                raise
            content = self._read_again(reference)
        return decode(Encoded(reference["format"], content), may_unpickle=may_unpickle)

    def _read_again(self, reference: Mapping[str, Any]) -> bytes:
        """A disk, or the way to it, may fail once; what is damaged for good is of no use to anybody."""
        try:
            return self.content(reference)
        except BlobDamaged:
            with contextlib.suppress(StoreError):
                self.blobs_of(reference).remove(reference["sha256"])
            raise

    def content(self, reference: Mapping[str, Any], inline: bytes | None = None) -> bytes:
        """The bytes behind a reference, verified; see `load`."""
        content = inline if reference["in"] == "history" else self.blobs_of(reference).get(reference["sha256"])
        if content is None:
            raise NoSuchBlob(f"The content {reference['sha256'][:12]} of a result is not in the history any more.")
        return verified(content, reference)


def size_before_writing(value: Any) -> int:
    """The bytes that are surely needed to keep a value; 0 where that is not known without writing it.

    >>> size_before_writing(b"123"), size_before_writing([b"123"])
    (3, 0)
    """
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    module = type(value).__module__.partition(".")[0]
    size = getattr(value, "nbytes", 0) if module in {"numpy", "torch"} else 0
    return size if isinstance(size, int) else 0


def verified(content: bytes, reference: Mapping[str, Any]) -> bytes:
    """The content, if it is what the reference says.

    Raises:
        BlobDamaged: it is not.
    """
    size, was = len(content), reference["size"]
    if size != was or sha256(content).hexdigest() != reference["sha256"]:
        how = (
            f"{size:,} bytes, of {was:,} that were written"
            if size != was
            else "its bytes are not those that were written"
        )
        raise BlobDamaged(
            f"The content {reference['sha256'][:12]} of a result is damaged: {how}. Its task runs again in the next run; "
            "`notebook-flows cache verify --remove` forgets all that are damaged."
        )
    return content


def blobs_at(place: str | Path) -> Blobs:
    """Where large results go: a folder, or an address such as ``s3://bucket/prefix``."""
    if isinstance(place, str) and place.startswith("s3:"):
        from notebook_flows.store.blob_bucket import BlobBucket

        return BlobBucket(place)
    from notebook_flows.store.blob_folder import BlobFolder

    return BlobFolder(place)
