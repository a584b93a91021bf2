"""The history of one run, as its engine writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.engine.call import LogLine
from notebook_flows.errors import StaleOwnerError, StoreError, StoreUnavailable
from notebook_flows.store.encoding import Batch, LightEvent, encode, lightened, whole
from notebook_flows.store.kept import write_kept
from notebook_flows.store.spool import Spool
from notebook_flows.store.writing import AlreadyTold, same_events, stored_bodies, write_batch, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.engine.ports import Clock, KeptContent, Request
    from notebook_flows.store.locks import FileLock
    from notebook_flows.store.place import Connection
    from notebook_flows.store.reader import Reader
    from notebook_flows.store.writer import Writer

QUEUE_LIMIT = 50_000
"""Events, or log lines, that may wait; then whoever brings more waits for the writer."""

BATCH_LIMIT = 10_000
LOOK_EVERY_S = 0.5
KEPT_LIMIT = 1_000
"""Contents that may wait, each of 64 KiB at most."""


class StoredRunLog:
    """Fits `engine.ports.RunLog`. The writer's thread takes from the two queues, everybody else only adds.

    Lists grow and shrink under the interpreter's lock in one step each, so the queues need none of their own.

    Attributes:
        run_no: the history's own number of the run.
        insert: writes the run's row, and returns that number.
    """

    def __init__(
        self, *, run_id: str, owner_epoch: int, lock: FileLock, writer: Writer, reader: Reader, clock: Clock
    ) -> None:
        self.run_id = run_id
        self.run_no = 0
        self.insert: Callable[[Connection], int] | None = None
        self.owner_epoch = owner_epoch
        self.spool = Spool(writer.path, run_id, owner_epoch)
        self._lock = lock
        self._writer = writer
        self._reader = reader  # its own: no view's long reading holds the engine up
        self._clock = clock
        self._error: StoreError | None = None
        self._closed = False
        self._closes_itself = False
        self._ended = False
        self._next_seq = 1
        self._events: list[LightEvent | Event] = []
        self._committed_seq = 0
        self._lines: list[LogLine] = []
        self._lines_committed = 0
        self._lines_dropped = 0
        self._kept: list[KeptContent] = []
        self._kept_batch = 0
        self._batch: Batch | None = None
        self._line_batch: list[LogLine] = []
        self._looked_s = clock.monotonic_s()
        self._request_seen = 0

    # What the engine calls

    def append(self, events: Sequence[Event]) -> None:
        """Take events over, to be committed in a group soon."""
        if self._error is not None:
            raise self._error
        if self._closed:
            raise StoreError(f"The history of run {self.run_id} is closed; nothing can be added.")
        seq = self._next_seq
        for event in events:
            if event[0] != seq:
                self._append_oddly(events)
                return
            seq += 1
        self._next_seq = seq
        self._events += [lightened(event) for event in events]  # in one step: see above
        if self._writer.asleep:
            self._writer.wake()
        if len(self._events) > QUEUE_LIMIT:
            self._wait_until(lambda: len(self._events) <= QUEUE_LIMIT)

    def _append_oddly(self, events: Sequence[Event]) -> None:
        """Events that do not go on where the last ones ended: told twice is harmless, all else is refused."""
        first, last = events[0].seq, events[-1].seq
        if [event.seq for event in events] != list(range(first, last + 1)) or first > self._next_seq:
            raise StoreError(
                f"Events of run {self.run_id} must be numbered without a gap from {self._next_seq} on, "
                f"these are numbered {first} to {last}."
            )
        told = [event for event in events if event.seq < self._next_seq]
        self.flush()
        stored = self._writer.call(lambda connection: stored_bodies(connection, self.run_no, first, told[-1].seq))
        if not same_events(stored, told):
            raise StaleOwnerError(f"Event {first} of run {self.run_id} was told before, and differently.")
        if len(told) < len(events):
            self.append(events[len(told) :])

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Take log lines over; while the history cannot be written, those beyond the limit are dropped and counted."""
        if self._error is not None or self._closed:
            return
        if len(self._lines) > QUEUE_LIMIT:
            if self._writer.outage.error is not None:
                self._lines_dropped += len(lines)
                return
            self._wait_until(lambda: len(self._lines) <= QUEUE_LIMIT or self._writer.outage.error is not None)
        self._lines.extend(lines)
        if self._writer.asleep:
            self._writer.wake()

    def keep(self, contents: Sequence[KeptContent]) -> None:
        """Take contents of results over; they are committed no later than the events that are appended after this."""
        if self._error is not None or self._closed:
            return
        self._kept.extend(contents)
        if self._writer.asleep:
            self._writer.wake()
        if len(self._kept) > KEPT_LIMIT:
            self._wait_until(lambda: len(self._kept) <= KEPT_LIMIT or self._writer.outage.error is not None)

    def may_start(self) -> bool:
        """Whether new tasks may start: False while the history cannot be written.

        Raises:
            StoreError: it could not be for 60 s. What ended can still be appended, if the message says so.
        """
        if self._error is not None:
            raise self._error
        outage = self._writer.outage
        if outage.error is None:
            return not self._writer.is_stuck()
        if outage.is_low and outage.is_over_patience:
            raise StoreUnavailable(f"{outage.error} What has ended so far is recorded.")
        return False

    def flush(self, patience_s: float | None = None) -> None:
        """Return when everything appended so far is committed.

        Raises:
            StoreUnavailable: not so within the given time.
            StoreError: it never will be.
        """
        last_seq = self._next_seq - 1
        with self._writer.progress:
            last_line = self._lines_committed + len(self._lines)
        is_done = self._wait_until(
            lambda: self._committed_seq >= last_seq and self._lines_committed >= last_line and not self._kept,
            patience_s,
        )
        if self._error is not None:
            raise self._error
        if not is_done:
            raise StoreUnavailable(
                f"The history {self._writer.place.name} is slow or locked: the end of run {self.run_id} is written as soon "
                "as it can be."
            )

    def requests(self, *, at_once: bool = False) -> Sequence[Request]:
        """What other processes have asked since the last call; looks at most twice a second, unless ``at_once``."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_EVERY_S and not at_once:
            return ()
        self._looked_s = now_s
        try:
            found = self._reader.requests(self.run_no, after=self._request_seen)
        except StoreError:
            return ()  # the writer meets the same trouble, and tells it
        if found:
            self._request_seen = found[-1].number
        return found

    def close(self, patience_s: float | None = None) -> None:
        """Flush, and give the ownership up; what is not committed in the given time is left to the writer."""
        if self._closed:
            return
        self._closed = True
        is_left_to_writer = False
        try:
            self.flush(patience_s)
        except StoreUnavailable:
            is_left_to_writer = self._error is None
            raise
        finally:
            self._reader.close()
            if is_left_to_writer:
                self._closes_itself = True
            else:
                self._give_up()

    def _give_up(self) -> None:
        self._writer.place.disown(self.run_id)
        self._writer.abandon(self)
        self._lock.release(remove=self._ended)  # a free lock that is still there means: dead, take it over

    def _wait_until(self, is_so: Callable[[], bool], patience_s: float | None = None) -> bool:
        if is_so() or self._error is not None:
            return True
        with self._writer.progress:
            self._writer.hurry()
            return self._writer.progress.wait_for(lambda: is_so() or self._error is not None, patience_s)

    # What the writer's thread calls

    def has_queued(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._events or self._lines or self._kept) and self._error is None

    def queued_events(self) -> list[Event]:
        """The events that are not committed."""
        return [whole(seq, event) for seq, event in enumerate(self._events[:], self._committed_seq + 1)]

    def queued_contents(self) -> list[KeptContent]:
        """The contents that are not committed."""
        return self._kept[:]

    def prepare(self) -> None:
        """Encode what the next transaction takes along; nothing if the last one is to be tried again."""
        if self._batch is None and self._events:
            self._batch = encode(self._events[:BATCH_LIMIT], self._committed_seq + 1)
        self._kept_batch = len(self._kept)  # after the events, which refer to what was taken over before them
        if self._lines_dropped:
            self._lines.append(self._gap())
        if not self._line_batch and self._lines:
            self._line_batch = self._lines[:BATCH_LIMIT]

    def _gap(self) -> LogLine:
        count, self._lines_dropped = self._lines_dropped, 0
        message = f"{count} lines are missing here: the history could not be written."
        return LogLine(self._clock.now_us(), 30, "notebook_flows", message, -1, -1, 0)

    def write(self, connection: Connection) -> None:
        """Write what was prepared, within the transaction of all runs.

        A run that was taken over writes nothing and fails; the other runs' events are committed.
        """
        if self._kept_batch:
            write_kept(connection, self._kept[: self._kept_batch], self._clock.now_us())
        if self._batch is not None:
            try:
                if self._batch.first_seq == 1:
                    self._see_to_row(connection)
                write_batch(connection, self.run_no, self.owner_epoch, self._batch)
            except AlreadyTold:
                pass
            except StaleOwnerError as error:
                self.fail(error)
                return
        if self._line_batch:
            write_lines(connection, self.run_no, self._lines_committed + 1, self._line_batch)

    def _see_to_row(self, connection: Connection) -> None:
        """Write the run's row again if it is gone: a server that was killed may have forgotten it, and its number.

        It was committed without waiting for the disk, for the first events do that.
        """
        row = connection.execute("SELECT run_no FROM run WHERE run_id = ?", (self.run_id,)).fetchone()
        if row is not None:
            self.run_no = int(row[0])
        elif self.insert is not None:
            self.run_no = self.insert(connection)

    def acknowledge(self) -> None:
        """What was written is committed."""
        if self._error is not None:
            return
        del self._kept[: self._kept_batch]
        self._kept_batch = 0
        batch, self._batch = self._batch, None
        if batch is not None:
            del self._events[: batch.last_seq - batch.first_seq + 1]
            self._committed_seq = batch.last_seq
            if batch.run is not None:
                self._ended = batch.run.ended_us is not None
        count, self._line_batch = len(self._line_batch), []
        if count:
            self._lines_committed += count
            del self._lines[:count]
        if self._closes_itself and not self._events and not self._lines and not self._kept:
            self._give_up()

    def fail(self, error: StoreError) -> None:
        """Refuse everything from now on."""
        self._error = error
