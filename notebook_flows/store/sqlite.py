"""The history in one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.engine.clock import SystemClock
from notebook_flows.store.checking import problems_of
from notebook_flows.store.eventlog import StoredEventLog
from notebook_flows.store.kept import KeptReader
from notebook_flows.store.place import SqlitePlace
from notebook_flows.store.reader import Reader

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from notebook_flows.engine.ports import Clock


class SqliteEventLog(StoredEventLog):
    """A history in a file.

    Args:
        path: the file; its folder and what lies beside it is made for its owner only.
        clock: the time; the machine's own if not given.
        rest: how to wait between two tries while the history cannot be written; for tests.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Clock | None = None, rest: Callable[[float], None] | None = None
    ) -> None:
        place = SqlitePlace(Path(path).expanduser().absolute())
        super().__init__(place, lambda: Reader(place.path), clock or SystemClock(), rest)

    def known_results(self) -> KeptReader:
        """What is known of results of earlier runs; for one thread, that closes it."""
        return KeptReader(self.path)

    def describe(self) -> str:
        """The file and its size."""
        size_bytes = sum(one.stat().st_size for one in self.path.parent.glob(f"{self.path.name}*"))
        return f"{self.path}, {size_bytes / 2**20:.1f} MiB"

    def check(self) -> list[str]:
        """One sentence for each page that is damaged, and each run whose rows do not say what its events say."""
        return self._reader.problems(problems_of)
