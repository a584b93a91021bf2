"""The stores on the bench, sound ones and broken ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from store_bench import HandClock

from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.store.reader import Reader
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from notebook_flows.core.events import Event


class SqliteBench:
    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.path = folder / "data" / "history.db"
        self.log: Any = SqliteEventLog(self.path, clock=self.clock, rest=self.clock.turn)

    def seen_by_others(self, run_id: str) -> list[Event]:
        reader = Reader(self.path)
        try:
            return reader.events(run_id, 0, None)
        finally:
            reader.close()

    def lose_owner(self, run_log: Any) -> None:
        run_log._lock.release()

    def close(self) -> None:
        self.log.close()


class MemoryBench:
    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.log: Any = MemoryEventLog(clock=self.clock)

    def seen_by_others(self, run_id: str) -> list[Event]:
        return self.log.read(run_id)

    def lose_owner(self, run_log: Any) -> None:
        run_log._kept.is_owned = False

    def close(self) -> None:
        self.log.close()


@contextmanager
def bench_of(kind: Any, folder: Path) -> Iterator[Any]:
    bench = kind(folder)
    try:
        yield bench
    finally:
        bench.close()
