"""The stores on the bench, sound ones and broken ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from store_bench import HandClock

from notebook_flows.store import postgres
from notebook_flows.store.memory import MemoryEventLog
from notebook_flows.store.reader import Reader
from notebook_flows.store.sqlite import SqliteEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store_server import Server

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


class PostgresBench:
    """A schema of its own on a server."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.clock = HandClock()
        self.folder = folder
        self.url = server.fresh_url()
        self.log: Any = self.another("here")

    def another(self, home: str) -> Any:
        """The same history, from another folder: as from another machine."""
        return postgres.PostgresEventLog(self.url, self.folder / home, clock=self.clock, rest=self.clock.turn)

    def seen_by_others(self, run_id: str) -> list[Event]:
        return postgres.PostgresReader(self.log.place).events(run_id, 0, None)

    def lose_owner(self, run_log: Any) -> None:
        run_log._lock.release()

    def close(self) -> None:
        self.log.close()


class FarPostgresBench(PostgresBench):
    """Who looks for dead runs is on another machine: only the server can tell it who lives."""

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder, server)
        self.far = self.another("far")
        self.far.place.silence_s = 0
        self.log.sweep = self.far.sweep

    def lose_owner(self, run_log: Any) -> None:
        place, run_id = self.log.place, run_log.run_id
        place.disown(run_id)
        self.log._writer.call(
            lambda connection: connection.execute("SELECT pg_advisory_unlock(?)", (place._lock_key(run_id),))
        )
        place._held.discard(run_id)

    def close(self) -> None:
        super().close()
        self.far.close()


@contextmanager
def bench_of(kind: Any, folder: Path, *more: Any) -> Iterator[Any]:
    bench = kind(folder, *more)
    try:
        yield bench
    finally:
        bench.close()
