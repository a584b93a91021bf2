"""The places for blobs that keep the promises, and some that break one each, on purpose."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from notebook_flows.store.blob_bucket import BlobBucket
from notebook_flows.store.blob_folder import BlobFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def name_of(content: bytes) -> str:
    return sha256(content).hexdigest()


class Overwrites(BlobFolder):
    """Writes under the name itself, and what is there already too."""

    def put(self, name: str, content: bytes) -> bool:
        path = self.path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return True


class Forgets(BlobFolder):
    """Acknowledges, and keeps nothing."""

    def put(self, name: str, content: bytes) -> bool:
        return True


class ListsLeftOvers(BlobFolder):
    """Tells as blobs whatever is in the folder."""

    def all(self) -> Iterator[Any]:
        from notebook_flows.store.blobs import BlobInfo

        for path in self.folder.rglob("*"):
            if path.is_file():
                yield BlobInfo(path.name, path.stat().st_size, 0)


class TrustsNames(BlobFolder):
    """Takes any text for a name."""

    def path_of(self, name: str) -> Path:
        return self.folder / name[:2] / name


BROKEN = [Overwrites, Forgets, ListsLeftOvers, TrustsNames]
__all__ = ["BROKEN", "BlobBucket", "BlobFolder", "name_of"]
