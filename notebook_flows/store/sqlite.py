"""The history in one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from notebook_flows.engine.clock import SystemClock
from notebook_flows.store.checking import problems_of
from notebook_flows.store.eventlog import StoredEventLog
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

    def check(self) -> list[str]:
        """What is wrong with the history: one sentence for each problem, none if all is well.

        Reads everything: seconds for a large history.
        """
        return self._reader.problems(problems_of)
