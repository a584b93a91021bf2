"""Blobs as objects of an S3 bucket: each is written in one conditional request, so it is whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.s3 import (
    ATTEMPTS,
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    NoBoto3,
    client_for,
    code_of,
    is_for_the_moment,
    is_missing,
    parts_of,
    reason_of,
)
from notebook_flows.store.blobs import FRESH_S, BlobInfo, NoSuchBlob, checked_name, is_name
from notebook_flows.store.parts import checked_part

if TYPE_CHECKING:
    from collections.abc import Iterator

_MD5 = re.compile(r"[0-9a-f]{32}")
_THERE = frozenset({"PreconditionFailed", "412"})
_RACE = frozenset({"ConditionalRequestConflict", "409"})


class BlobBucket:
    """Fits `store.blobs.Blobs`. Credentials and endpoint come from where boto3 looks for them.

    Args:
        address: ``s3://bucket/prefix``.
        endpoint: another server than Amazon's; ``AWS_ENDPOINT_URL`` unless given.
    """

    def __init__(
        self,
        address: str,
        *,
        endpoint: str | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ) -> None:
        parts = parts_of(address)
        if parts is None:
            raise StoreError(f"{address!r} is no place for results; an address is s3://BUCKET/PREFIX.")
        self.bucket = parts[0]
        self.prefix = parts[1].strip("/")
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._attempts = attempts
        self._made: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    @property
    def location(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    @property
    def _client(self) -> Any:
        if self._made is None:
            try:
                self._made = client_for(
                    f"Results are to go to {self.location}, which",
                    endpoint=self._endpoint,
                    connect_timeout_s=self._connect_timeout_s,
                    read_timeout_s=self._read_timeout_s,
                    attempts=self._attempts,
                )
            except NoBoto3 as error:
                raise StoreError(str(error)) from None
        return self._made

    def _key(self, name: str) -> str:
        checked_name(name)
        return "/".join(filter(None, (self.prefix, name[:2], name)))

    def put(self, name: str, content: bytes) -> bool:
        """Keep a blob."""
        key = self._key(name)
        for _ in range(ATTEMPTS):
            try:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=content, IfNoneMatch="*")
            except Exception as error:
                code = code_of(error)
                if code in _THERE:
                    self._count_as_used(key, content)
                    return False
                if code in _RACE:  # another writer of the same content; ask again how that has ended
                    continue
                raise self._told(error, "written") from error
            return True
        raise StoreUnavailable(f"Results in {self.location} cannot be written: others write the same one all the time.")

    def _count_as_used(self, key: str, content: bytes) -> None:
        """A blob that is there already and old is written once more: else a cleaning may take it before a run names it.

        So is one that is damaged, as far as the server tells.
        """
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
            if _is_old(found) or found["ContentLength"] != len(content) or _is_other(found, content):
                self._client.put_object(Bucket=self.bucket, Key=key, Body=content)
        except Exception as error:
            raise self._told(error, "written") from error

    def size_of(self, name: str) -> int | None:
        """How many bytes it has."""
        try:
            size: int = self._client.head_object(Bucket=self.bucket, Key=self._key(name))["ContentLength"]
        except Exception as error:
            if is_missing(error):
                return None
            raise self._told(error, "read") from error
        return size

    def use(self, name: str) -> int | None:
        """How many bytes it has; it counts as used now: an old one is copied onto itself."""
        key = self._key(name)
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
        except Exception as error:
            if is_missing(error):
                return None
            raise self._told(error, "read") from error
        if _is_old(found):
            with contextlib.suppress(Exception):  # who may only read, reads: it is there now
                self._client.copy_object(
                    Bucket=self.bucket,
                    Key=key,
                    CopySource={"Bucket": self.bucket, "Key": key},
                    MetadataDirective="REPLACE",
                )
        size: int = found["ContentLength"]
        return size

    def get(self, name: str) -> bytes:
        """The content."""
        try:
            found = self._client.get_object(Bucket=self.bucket, Key=self._key(name))
            content: bytes = found["Body"].read()
        except Exception as error:
            if is_missing(error):
                raise NoSuchBlob(f"The content {name[:12]} of a result is not in {self.location} any more.") from None
            raise self._told(error, "read") from error
        return content

    def remove(self, name: str, *, unused_since_us: int | None = None) -> bool:
        """Forget a blob. Between the look at it and its end lies one request: S3 has no condition for that."""
        key = self._key(name)
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=key)
            if unused_since_us is not None and found["LastModified"].timestamp() * 1e6 >= unused_since_us:
                return False
            self._client.delete_object(Bucket=self.bucket, Key=key)
        except Exception as error:
            if is_missing(error):
                return False
            raise self._told(error, "removed") from error
        return True

    def all(self) -> Iterator[BlobInfo]:
        """All blobs."""
        start = f"{self.prefix}/" if self.prefix else ""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            for page in pages:
                for one in page.get("Contents", ()):
                    name = one["Key"].rpartition("/")[2]
                    if is_name(name) and one["Key"] == self._key(name):
                        yield BlobInfo(name, one["Size"], int(one["LastModified"].timestamp() * 1e6))
        except StoreError:
            raise
        except Exception as error:
            raise self._told(error, "listed") from error

    def part(self, name: str) -> BlobBucket:
        """A longer prefix."""
        made = BlobBucket(
            f"s3://{self.bucket}/{'/'.join(filter(None, (self.prefix, checked_part(name))))}",
            endpoint=self._endpoint,
            connect_timeout_s=self._connect_timeout_s,
            read_timeout_s=self._read_timeout_s,
            attempts=self._attempts,
        )
        made._made = self._made
        return made

    def _told(self, error: Exception, doing: str) -> StoreError:
        if isinstance(error, StoreError):
            return error
        kind = StoreUnavailable if is_for_the_moment(error) else StoreError
        return kind(f"Results in {self.location} cannot be {doing}: {reason_of(error, self.bucket)}.")

    def __repr__(self) -> str:
        return f"BlobBucket({self.location!r})"


def _is_old(found: dict[str, Any]) -> bool:
    return bool(time.time() - found["LastModified"].timestamp() >= FRESH_S)


def _is_other(found: dict[str, Any], content: bytes) -> bool:
    """Whether the server tells another hash of what it has; where it is encrypted, it tells none that can be compared."""
    told = str(found.get("ETag", "")).strip('"')
    return bool(_MD5.fullmatch(told)) and told != hashlib.md5(content, usedforsecurity=False).hexdigest()
