"""Finding runs whose process is gone, and telling them crashed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S, facts_of
from notebook_flows.engine.crash import crash_point
from notebook_flows.errors import StoreError
from notebook_flows.store.checking import pieces
from notebook_flows.store.encoding import encode
from notebook_flows.store.kept import write_kept
from notebook_flows.store.locks import lock_of_run, this_process
from notebook_flows.store.rows import Owner
from notebook_flows.store.spool import Spooled, read_spools
from notebook_flows.store.unreached import standing
from notebook_flows.store.writing import LOCK, same_events, stored_bodies, write_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from notebook_flows.engine.ports import Clock
    from notebook_flows.store.place import Connection, Place
    from notebook_flows.store.writer import Writer

_BATCH = 10_000
_COLUMNS = "SELECT run_no, run_id, ended_us IS NOT NULL, owner_epoch, owner_host, owner_boot_id, owner_pid, owner_started FROM run"
_OPEN = f"{_COLUMNS} WHERE ended_us IS NULL AND state != ? ORDER BY run_no"
_NAMED = f"{_COLUMNS} WHERE run_id = ? AND (ended_us IS NOT NULL OR state = ?)"


class _Open(NamedTuple):
    run_no: int
    run_id: str
    has_ended: bool
    owner_epoch: int
    owner: Owner


def sweep(place: Place, writer: Writer, clock: Clock) -> list[str]:
    """Read the spools, then tell crashed what is dead; returns the ids of the dead."""
    path = place.path
    spools = {spooled.run_id: spooled for spooled in read_spools(path)}
    dead = []
    for run in writer.call(lambda connection: _open_runs(connection, tuple(spools))):
        try:
            lock = lock_of_run(path, run.run_id)
        except StoreError:  # an id that nobody of ours has written; nothing can be locked for it
            continue
        spooled = spools.get(run.run_id)
        is_proved = run.has_ended or place.may_take(run.owner, has_lock_file=lock.path.exists())
        if not (lock.acquire() if is_proved else place.asks_server):
            continue
        try:
            found = writer.call(_settling(place, run, spooled, clock, is_proved=is_proved))
            if found is True:
                dead.append(run.run_id)
            if spooled is not None and found is not None:
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


def _settling(
    place: Place, run: _Open, spooled: Spooled | None, clock: Clock, *, is_proved: bool
) -> Callable[[Connection], bool | None]:
    """What settles a run in one transaction; its answer is None where the owner may live."""

    def settle(connection: Connection) -> bool | None:
        if not place.take(connection, run.run_id, run.owner, is_proved=is_proved):
            return None
        return _settle(connection, run, spooled, clock)

    return settle


def _open_runs(connection: Connection, spooled: tuple[str, ...]) -> list[_Open]:
    rows = connection.execute(_OPEN, (int(S.PAUSED),)).fetchall()
    for run_id in spooled:
        rows += connection.execute(_NAMED, (run_id, int(S.PAUSED))).fetchall()
    return [
        _Open(
            run_no, run_id, bool(has_ended), epoch, Owner(host=host, boot_id=boot_id, pid=pid, process_started=started)
        )
        for run_no, run_id, has_ended, epoch, host, boot_id, pid, started in rows
    ]


def _settle(connection: Connection, run: _Open, spooled: Spooled | None, clock: Clock) -> bool:
    """Add what was spooled; if the run still has no end, take it over and write one. True if it was dead."""
    row = connection.execute(LOCK, (run.run_no,)).fetchone()
    if row is None:  # pruned meanwhile
        return False
    epoch, last_seq = row
    if spooled is not None and spooled.owner_epoch == epoch:
        if spooled.contents:
            write_kept(connection, spooled.contents, clock.now_us())
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


def _add_spooled(connection: Connection, run_no: int, epoch: int, last_seq: int, spooled: Spooled) -> int:
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
    now, widths = standing(known, task_count if first_seq > 1 else 0)  # without a first event its graph is not known
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
