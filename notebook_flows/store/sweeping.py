"""Finding runs whose process is gone, and telling them crashed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S, facts_of
from notebook_flows.engine.crash import crash_point
from notebook_flows.errors import StoreError
from notebook_flows.store.checking import pieces
from notebook_flows.store.encoding import encode
from notebook_flows.store.filesystem import network_filesystem
from notebook_flows.store.locks import is_alive, lock_of_run, this_process
from notebook_flows.store.rows import Owner
from notebook_flows.store.spool import Spooled, read_spools
from notebook_flows.store.writing import same_events, stored_bodies, write_batch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from notebook_flows.engine.ports import Clock
    from notebook_flows.store.writer import Writer

_BATCH = 10_000
_OPEN = """
SELECT run_no, run_id, ended_us IS NOT NULL, owner_epoch, owner_host, owner_boot_id, owner_pid, owner_started FROM run
WHERE ended_us IS NULL AND state != ?1
UNION
SELECT run_no, run_id, ended_us IS NOT NULL, owner_epoch, owner_host, owner_boot_id, owner_pid, owner_started FROM run
WHERE run_id IN (SELECT value FROM json_each(?2))
"""


class _Open(NamedTuple):
    run_no: int
    run_id: str
    has_ended: bool
    owner_epoch: int
    owner: Owner


def sweep(path: Path, writer: Writer, clock: Clock) -> list[str]:
    """Read the spools, then tell crashed what is dead; returns the ids of the dead."""
    spools = {spooled.run_id: spooled for spooled in read_spools(path)}
    dead = []
    for run in writer.call(lambda connection: _open_runs(connection, tuple(spools))):
        try:
            lock = lock_of_run(path, run.run_id)
        except StoreError:  # an id that nobody of ours has written; nothing can be locked for it
            continue
        if not run.has_ended and not _may_take(path, run.owner, has_lock_file=lock.path.exists()):
            continue
        if not lock.acquire():
            continue
        try:
            spooled = spools.get(run.run_id)
            if writer.call(lambda connection, run=run, spooled=spooled: _settle(connection, run, spooled, clock)):  # type: ignore[misc]
                dead.append(run.run_id)
            if spooled is not None:
                _put_away(spooled, refused=run.owner_epoch != spooled.owner_epoch)
        finally:
            lock.release(remove=True)
    return dead


def _put_away(spooled: Spooled, *, refused: bool) -> None:
    """Remove a spool that was read; one that came after a takeover is kept for people to look at."""
    if refused:
        spooled.file.replace(spooled.file.with_suffix(".refused"))
    else:
        spooled.file.unlink(missing_ok=True)


def _may_take(path: Path, owner: Owner, *, has_lock_file: bool) -> bool:
    """Whether a free lock proves that the owner is gone.

    Locks reach as far as one kernel: on a network file system, the word of another machine's process stands. Where
    somebody has removed the lock's file, the process itself is looked for.
    """
    me = this_process()
    if owner.boot_id != me.boot_id and owner.host != me.host and network_filesystem(path) is not None:
        return False
    return has_lock_file or not is_alive(owner)


def _open_runs(connection: sqlite3.Connection, spooled: tuple[str, ...]) -> list[_Open]:
    rows = connection.execute(_OPEN, (int(S.PAUSED), json.dumps(spooled))).fetchall()
    return [
        _Open(
            run_no, run_id, bool(has_ended), epoch, Owner(host=host, boot_id=boot_id, pid=pid, process_started=started)
        )
        for run_no, run_id, has_ended, epoch, host, boot_id, pid, started in rows
    ]


def _settle(connection: sqlite3.Connection, run: _Open, spooled: Spooled | None, clock: Clock) -> bool:
    """Add what was spooled; if the run still has no end, take it over and write one. True if it was dead."""
    epoch, last_seq = connection.execute(
        "SELECT owner_epoch, last_seq FROM run WHERE run_no = ?", (run.run_no,)
    ).fetchone()
    if spooled is not None and spooled.owner_epoch == epoch:
        last_seq = _add_spooled(connection, run.run_no, epoch, last_seq, spooled)
    state, ended_us = connection.execute("SELECT state, ended_us FROM run WHERE run_no = ?", (run.run_no,)).fetchone()
    if ended_us is not None or state == S.PAUSED:
        return False
    me = this_process()
    connection.execute(
        "UPDATE run SET owner_epoch = ? WHERE run_no = ?",
        (epoch + 1, run.run_no),
    )
    (task_count,) = connection.execute("SELECT task_count FROM run WHERE run_no = ?", (run.run_no,)).fetchone()
    message = f"Its process ({run.owner.pid} on {run.owner.host}) is gone; found by process {me.pid} on {me.host}."
    known = (event for piece in pieces(connection, run.run_no) for event in piece)
    verdict = list(crash_events(known, task_count, last_seq + 1, clock.now_us(), message))
    for start in range(0, len(verdict), _BATCH):
        write_batch(connection, run.run_no, epoch + 1, encode(verdict[start : start + _BATCH]))
    crash_point("store.sweep.written")
    return True


def _add_spooled(connection: sqlite3.Connection, run_no: int, epoch: int, last_seq: int, spooled: Spooled) -> int:
    told = [event for event in spooled.events if event.seq <= last_seq]
    new = [event for event in spooled.events if event.seq > last_seq]
    if told and not same_events(stored_bodies(connection, run_no, told[0].seq, told[-1].seq), told):
        return last_seq
    if not new or new[0].seq != last_seq + 1:
        return last_seq
    write_batch(connection, run_no, epoch, encode(new))
    return new[-1].seq


def crash_events(known: Iterable[Event], task_count: int, first_seq: int, at_us: int, message: str) -> Iterator[Event]:
    """What is to be said of a run that lost its process.

    Task runs that were under way are crashed, those that never began are not run, and so is the run crashed, last.

    Args:
        known: all events of the run.
        task_count: the number of tasks in its graph.
        first_seq: where its history goes on.
        at_us: now.
        message: why it is said, for people.
    """
    now: dict[tuple[int, int], Event] = {}
    widths: dict[int, int] = {}
    for event in known:
        if event.kind in {Kind.TASK, Kind.EXPANDED} and event.node != RUN_ITSELF:
            now[event.node, event.index] = event
        if event.kind is Kind.RUN and event.data:  # the first one names the tasks whose states were given
            for node, state in event.data.get("presets", {}).items():
                now[int(node), UNMAPPED] = Event(0, 0, Kind.TASK, int(node), UNMAPPED, 0, 1, S(state), None)
        if event.kind is Kind.EXPANDED and event.data:
            widths[event.node] = int(event.data.get("width", 0))
    for node in range(task_count if first_seq > 1 else 0):  # without a first event its graph is not known
        for index in (UNMAPPED, *range(widths.get(node, 0))):
            now.setdefault((node, index), Event(0, 0, Kind.TASK, node, index, 0, 1, S.PENDING, None))
    seq = first_seq
    counts: Counter[str] = Counter()
    for (node, index), event in sorted(now.items(), key=lambda item: item[0]):
        state = event.state
        if not IS_FINAL[state]:
            state = S.CRASHED if facts_of(state).papermill == "running" else S.NOT_RUN
            yield Event(seq, at_us, Kind.TASK, node, index, event.attempt, event.loop, state, None)
            seq += 1
        if index != UNMAPPED or not widths.get(node):  # as `core.run.tally` counts
            counts[str(int(state))] += 1
    data = {"message": message, "counts": dict(counts)}
    yield Event(seq, at_us, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.CRASHED, data)
