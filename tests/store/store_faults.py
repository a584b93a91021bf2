"""A process in which the N-th write, sync, truncation or deletion of the disk fails, for every N; run by a test.

apsw gives SQLite a file system in Python that fails on request. Its SQLite is another library than the interpreter's,
so this happens in a process of its own.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.engine.ports import KeptContent, RunInfo
from notebook_flows.errors import StoreError
from notebook_flows.store import checkpoint, connection as connections
from notebook_flows.store.sqlite import SqliteEventLog

TASKS = 4


def main(folder: str, step: int, first: int) -> None:
    import apsw

    disk = FailingDisk()

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: Any) -> None:
            super().__init__("", name, flags)

        def xWrite(self, data: Any, offset: Any) -> None:
            disk.works(apsw)
            super().xWrite(data, offset)

        def xSync(self, flags: Any) -> None:
            disk.works(apsw)
            super().xSync(flags)

        def xTruncate(self, size: Any) -> None:
            disk.works(apsw)
            super().xTruncate(size)

    class Vfs(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("failing", "")

        def xOpen(self, name: Any, flags: Any) -> Any:
            return File(name, flags)

        def xDelete(self, name: Any, sync: Any) -> None:
            disk.works(apsw)
            super().xDelete(name, sync)

    vfs = Vfs()
    honest = connections._connect

    def connect(path: Path, mode: str, busy_timeout_s: float) -> Any:
        return Connection(apsw, apsw.Connection(str(path), vfs="failing"), busy_timeout_s)

    points = refused = 0
    for is_sticky in (False, True):
        number = first
        while True:
            path = Path(folder) / f"{number}-{is_sticky}" / "history.db"
            disk.fail_at(number, is_sticky=is_sticky)
            connections._connect = connect
            run_id, acknowledged, was_refused = story(path)
            reached, connections._connect = disk.reached, honest
            disk.fail_at(0, is_sticky=False)
            verify(path, run_id, acknowledged, f"{number} sticky={is_sticky}")
            if not reached:
                break
            points, refused, number = points + 1, refused + was_refused, number + step
    del vfs
    print(json.dumps({"points": points, "refused": refused}))


class FailingDisk:
    """Counts what is asked of it."""

    def fail_at(self, number: int, *, is_sticky: bool) -> None:
        self.number, self.is_sticky, self.asked, self.reached = number, is_sticky, 0, False

    def works(self, apsw: Any) -> None:
        self.asked += 1
        if self.number and (self.asked == self.number or (self.is_sticky and self.asked > self.number)):
            self.reached = True
            raise apsw.IOError("the disk has failed")


class Connection:
    """So much of `sqlite3.Connection` as the store uses, by apsw."""

    def __init__(self, apsw: Any, inner: Any, busy_timeout_s: float) -> None:
        self._apsw, self._inner = apsw, inner
        inner.setbusytimeout(int(busy_timeout_s * 1000))

    def execute(self, sql: str, values: Any = ()) -> Any:
        return self._translated(lambda: Cursor(self._inner, self._inner.cursor().execute(sql, tuple(values) or None)))

    def executescript(self, sql: str) -> None:
        self._translated(lambda: list(self._inner.cursor().execute(sql)))

    @property
    def in_transaction(self) -> bool:
        return self._inner.in_transaction

    def close(self) -> None:
        self._translated(lambda: self._inner.close(True))

    def _translated(self, act: Any) -> Any:
        try:
            return act()
        except self._apsw.Error as error:
            told = sqlite3.OperationalError(str(error))
            told.sqlite_errorcode = getattr(error, "extendedresult", sqlite3.SQLITE_IOERR)
            raise told from error


class Cursor:
    def __init__(self, inner: Any, cursor: Any) -> None:
        self._rows = iter(list(cursor))
        self.rowcount, self.lastrowid = inner.changes(), inner.last_insert_rowid()

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> Any:
        return list(self._rows)

    def __iter__(self) -> Any:
        return self._rows


class Clock:
    s = 0.0

    def now_us(self) -> int:
        return int(self.s * 1e6)

    def monotonic_s(self) -> float:
        return self.s

    def turn(self, seconds: float) -> None:
        self.s += seconds


def story(path: Path) -> tuple[str, int, bool]:
    """A run, a task at a time; returns its id, what was acknowledged, and whether the store gave up."""
    clock = Clock()
    run_id, acknowledged = uuid.uuid4().hex, 0
    log = SqliteEventLog(path, clock=clock, rest=clock.turn)
    checkpoint.checkpoint_if_due.__kwdefaults__["due_bytes"] = 60_000
    run_log = None
    try:
        run_log = log.begin(RunInfo(run_id=run_id, flow_name="f", run_name="r", slugs=["a"] * TASKS, executor="none"))
        run_log.append([Event(1, 1, Kind.RUN, -1, -1, 0, 1, S.RUNNING, {"graph": "x" * 5000})])
        for node in range(TASKS):
            states = (S.RUNNING, S.SUCCESS)
            content = b"content of %d" % node
            attached = {"kind": "markdown", "key": "text", "content": reference_to(content)}
            seq = 2 + 3 * node
            run_log.keep([KeptContent(attached["content"]["sha256"], content)])
            run_log.append([
                Event(seq, 1, Kind.TASK, node, -1, 1, 1, states[0], None),
                Event(seq + 1, 1, Kind.ARTIFACT, node, -1, 1, 1, states[0], attached),
                Event(seq + 2, 1, Kind.TASK, node, -1, 1, 1, states[1], None),
            ])  # fmt: skip
            run_log.flush()
            acknowledged = seq + 2
        run_log.append([Event(2 + 3 * TASKS, 1, Kind.RUN, -1, -1, 0, 1, S.SUCCESS, None)])
        run_log.close()
        acknowledged = 2 + 3 * TASKS
    except StoreError:
        return run_id, acknowledged, True
    finally:
        if run_log is not None:
            run_log._lock.release()
        log.close()
    return run_id, acknowledged, False


def verify(path: Path, run_id: str, acknowledged: int, point: str) -> None:
    """With the disk in order again, everything acknowledged is there, and life goes on."""
    log = SqliteEventLog(path)
    log.sweep()
    rows = log.runs()
    assert log.check() == [], (point, log.check())
    assert rows or not acknowledged, point
    for row in rows:
        assert row.run_id == run_id, point
        assert IS_FINAL[row.state], (point, row)
        events = log.read(run_id)
        assert len(events) >= acknowledged, (point, len(events), acknowledged)
        assert all(event.state != S.CRASHED for event in events[:acknowledged]), point
        verify_attached(log, run_id, events, point)
    facts = RunInfo(run_id=uuid.uuid4().hex, flow_name="f", run_name="r", slugs=[], executor="none")
    log.begin(facts).close()
    log.close()


def reference_to(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": sha256(content).hexdigest(), "in": "history"}


def verify_attached(log: SqliteEventLog, run_id: str, events: list[Event], point: str) -> None:
    """Every event that tells of an artifact has its content, and is found by its index."""
    told = [event.node for event in events if event.kind is Kind.ARTIFACT]
    rows = log.artifacts(run_id)
    assert [row.node for row in rows] == told, point
    reader = log.known_results()
    for row in rows:
        assert row.content is not None
        assert reader.content(row.content["sha256"]) == b"content of %d" % row.node, point
    reader.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
