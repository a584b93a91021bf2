"""The history in PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.clock import SystemClock
from notebook_flows.errors import StoreError
from notebook_flows.store.checking import pieces
from notebook_flows.store.encoding import Batch, encode
from notebook_flows.store.eventlog import StoredEventLog
from notebook_flows.store.kept import CONTENTS_AHEAD, SMALL, KeptReader, UnreadableError, has_tables
from notebook_flows.store.memory import task_rows
from notebook_flows.store.reader import Reader
from notebook_flows.store.serverplace import PostgresPlace
from notebook_flows.store.serverurl import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from notebook_flows.engine.ports import Clock
    from notebook_flows.store.phrases import PostgresConnection

T = TypeVar("T")


class PostgresReader(Reader):
    """Reads by the connections that its place keeps for that; any thread may use it."""

    def __init__(self, place: PostgresPlace) -> None:
        super().__init__(place.path)
        self.name = place.name
        self._place = place

    @contextmanager
    def _snapshot(self) -> Iterator[Any]:
        with self._place.reading() as connection:
            yield connection

    def differences(self) -> list[str]:
        """One sentence for each run whose rows do not say what its events say."""
        with self._snapshot() as connection:
            if connection is None:
                return []
            found = connection.execute("SELECT run_no, run_id, last_seq FROM run ORDER BY run_no").fetchall()
            return [told for row in found if (told := self._difference(connection, *row))]

    def _difference(self, connection: PostgresConnection, run_no: int, run_id: str, last_seq: int) -> str:
        count, last = connection.execute(
            "SELECT count(*), coalesce(max(seq), 0) FROM event WHERE run_no = ?", (run_no,)
        ).one()
        if not count == last == last_seq:
            return f"Run {run_id} says that it has {last_seq} events, and has {count}, the last numbered {last}."
        events = [event for piece in pieces(connection, run_no) for event in piece]
        batch = encode(events) if events else Batch(1, 0)
        change = batch.run
        should = (
            (int(S.PENDING), "", None, None)
            if change is None
            else (int(change.state), change.message, change.started_us, change.ended_us)
        )
        stands = connection.execute(
            "SELECT state, message, started_us, ended_us FROM run WHERE run_no = ?", (run_no,)
        ).one()
        slugs, rows = self._task_rows(connection, run_no)
        if tuple(stands) == should and rows == task_rows(slugs, batch):
            return ""
        return f"Run {run_id}: its rows do not say what its events say; rebuild_projections({run_id!r}) puts it right."


class ServerKeptReader(KeptReader):
    """Reads what is kept on a server, by the connections that its place keeps for that."""

    def __init__(self, place: PostgresPlace) -> None:
        super().__init__(place.path)
        self._place = place

    def _answer(self, gather: Callable[[Iterable[Any]], T], statement: str, *values: Any) -> T:
        try:
            with self._place.reading() as connection:
                if connection is None or not has_tables(connection):
                    return gather(())
                return gather(connection.execute(statement, values).fetchall())
        except StoreError as error:
            raise UnreadableError(str(error)) from error

    def _contents_of(self, run_id: str) -> dict[str, bytes]:
        """The small contents of one run: a server finds them in the way that is best."""
        found = self._rows(CONTENTS_AHEAD, run_id, SMALL)
        return {sha256: bytes(content) for sha256, content in found}


class PostgresEventLog(StoredEventLog):
    """A history on a server, shared by everybody who may use it.

    Args:
        url: ``postgresql://user:password@host/database``; ``?schema=name`` if not ``notebook_flows``.
        home: a folder of this user on this machine: locks and spools are kept there.
        clock: the time; the machine's own if not given.
        rest: how to wait between two tries while the history cannot be written; for tests.
    Raises:
        StoreUnavailable: the URL cannot be understood, or psycopg is not installed.
    """

    place: PostgresPlace
    _reader: PostgresReader

    def __init__(
        self, url: str, home: Path, *, clock: Clock | None = None, rest: Callable[[float], None] | None = None
    ) -> None:
        place = PostgresPlace(address_of(url), home)
        super().__init__(place, lambda: PostgresReader(place), clock or SystemClock(), rest)

    def known_results(self) -> KeptReader:
        """What is known of results of earlier runs; for one thread, that closes it."""
        return ServerKeptReader(self.place)

    def describe(self) -> str:
        """The server, its version, and the size of the tables."""
        with self.place.reading() as connection:
            if connection is None:
                return f"{self.name}, begun with the first run"
            version = connection.execute("SHOW server_version").scalar()
            size_bytes = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c "
                "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'",
                (self.place.schema,),
            ).scalar()
        return f"{self.name}, PostgreSQL {version}, {(size_bytes or 0) / 2**20:.1f} MiB"

    def check(self) -> list[str]:
        """One sentence for each run whose rows do not say what its events say."""
        return self._reader.differences()

    def close(self) -> None:
        """Close what this process has open; a later use opens it again."""
        super().close()
        self.place.close()
