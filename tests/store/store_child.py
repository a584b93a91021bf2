"""Processes that the tests start in order to kill, stop or starve them. What they print is what they acknowledge."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.ports import RunInfo
from notebook_flows.errors import StoreError
from notebook_flows.store import checkpoint, runlog
from notebook_flows.store.cleaning import forget
from notebook_flows.store.sqlite import SqliteEventLog


def history(where: str) -> Any:
    """The history in a file, or on a server."""
    if "://" not in where:
        return SqliteEventLog(where)
    from notebook_flows.store.postgres import PostgresEventLog

    return PostgresEventLog(where, Path(os.environ["TEST_HOME"]))


def say(**facts: Any) -> None:
    os.write(1, (json.dumps(facts) + "\n").encode())


def begin(log: Any, tasks: int) -> Any:
    run_id = uuid.uuid4().hex
    slugs = [f"t{number}" for number in range(tasks)]
    run_log = log.begin(RunInfo(run_id=run_id, flow_name="child", run_name="c", slugs=slugs, executor="none"))
    run_log.append([Event(1, 1, Kind.RUN, -1, -1, 0, 1, S.RUNNING, None)])
    return run_log


def one_task(node: int) -> list[Event]:
    seq = 2 + 2 * node
    return [
        Event(seq, seq, Kind.TASK, node, -1, 1, 1, S.RUNNING, None),
        Event(seq + 1, seq + 1, Kind.TASK, node, -1, 1, 1, S.SUCCESS, None),
    ]


def run(path: str, tasks: str, flush_every: str = "3") -> None:
    """A whole run, acknowledged every few tasks."""
    log = history(path)
    run_log = begin(log, int(tasks))
    say(run_id=run_log.run_id)
    for node in range(int(tasks)):
        run_log.append(one_task(node))
        if node % int(flush_every) == 0:
            run_log.flush()
            say(acknowledged=3 + 2 * node)
    run_log.append([Event(2 + 2 * int(tasks), 9, Kind.RUN, -1, -1, 0, 1, S.SUCCESS, None)])
    run_log.close()
    say(acknowledged=2 + 2 * int(tasks))
    log.close()


def run_with_checkpoints(path: str, tasks: str) -> None:
    """The same, with a checkpoint after every commit."""
    checkpoint.checkpoint_if_due.__kwdefaults__["due_bytes"] = 0
    run(path, tasks)


def run_without_store(path: str, tasks: str) -> None:
    """The same, where after a while the store cannot be written any more."""
    honest = runlog.write_batch
    began = time.monotonic()

    def write_batch(*args: Any) -> None:
        if args[3].last_seq > 6 and time.monotonic() - began < 20:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        honest(*args)

    runlog.write_batch = write_batch
    run(path, tasks)


def hold(path: str) -> None:
    """A run that is under way until the process is killed; a forked child outlives it."""
    run_log = begin(history(path), 2)
    run_log.append(one_task(0)[:1])
    run_log.flush()
    hear, tell = os.pipe()
    if os.fork() == 0:
        os.write(tell, b"!")
        time.sleep(5)
        os._exit(0)
    os.read(hear, 1)
    say(run_id=run_log.run_id)
    time.sleep(60)


def sweep(path: str) -> None:
    """Look for dead runs."""
    say(dead=history(path).sweep())


def disk_full(folder: str) -> None:
    """In a tmpfs of a few MB, which is filled and emptied."""
    now = [0.0]

    class Clock:
        def now_us(self) -> int:
            return int(now[0] * 1e6)

        def monotonic_s(self) -> float:
            return now[0]

    def rest(seconds: float) -> None:
        now[0] += seconds

    path = Path(folder) / "data" / "history.db"
    log = SqliteEventLog(path, clock=Clock(), rest=rest)
    run_log = begin(log, 1000)
    run_log.flush()
    fill(folder)
    run_log.append(one_task(0))
    run_log.flush()
    say(step="reserve", recorded=log.run(run_log.run_id).last_seq, may_start=run_log.may_start())
    try:
        begin(log, 1)
    except StoreError as error:
        say(step="begin", refused=f"{type(error).__name__}: {error}")
    now[0] += 61
    try:
        run_log.may_start()
    except StoreError as error:
        say(step="patience", refused=f"{type(error).__name__}: {error}")
    (Path(folder) / "ballast").unlink()
    run_log.append(one_task(1))
    run_log.flush()
    say(step="room", may_start=run_log.may_start(), reserve=path.with_name("history.db.reserve").exists())
    fill(folder)
    path.with_name("history.db.reserve").unlink()
    fill(folder)
    told = 1
    try:
        for told in range(2, 900):
            run_log.append(one_task(told))
            run_log.flush()
    except StoreError as error:
        say(step="full", refused=f"{type(error).__name__}: {error}", told=told, waited_s=now[0])
    (Path(folder) / "ballast").unlink()
    run_log._lock.release()
    dead = SqliteEventLog(path, clock=Clock()).sweep()
    say(
        step="next start",
        dead=dead == [run_log.run_id],
        success=log.run(run_log.run_id).counts[S.SUCCESS],
        problems=log.check(),
        spools=[str(file) for file in (path.parent / "spool").glob("*")],
    )


def fill(folder: str) -> None:
    with (Path(folder) / "ballast").open("ab", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while ballast.write(b"x" * size):
                    pass
            except OSError:
                continue


def read_only(folder: str) -> None:
    """In a folder that was made read-only by its mount."""
    path = Path(folder) / "data" / "history.db"
    log = SqliteEventLog(path)
    say(events=[len(log.read(row.run_id)) for row in log.runs()])
    for name, act in {
        "begin": lambda: begin(log, 1),
        "request": lambda: log.request(log.runs()[0].run_id, "cancel"),
        "elsewhere": lambda: begin(SqliteEventLog(Path(folder) / "new.db"), 1),
    }.items():
        try:
            act()
        except StoreError as error:
            say(refused=name, sentence=f"{type(error).__name__}: {error}")


def make_room(folder: str) -> None:
    """On a full disk: what forgets may still write, what begins may not."""
    path = Path(folder) / "data" / "history.db"
    log = SqliteEventLog(path)
    gone = log.prune(keep_runs=0)
    forgotten = forget(log._writer, ["no such key"])
    try:
        begin(log, 1)
    except StoreError as error:
        say(gone=len(gone), forgotten=forgotten, left=len(log.runs()), problems=log.check(), refused=str(error))


def version(path: str) -> None:
    """What the history says of itself."""
    say(version=SqliteEventLog(Path(path)).place.version())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
