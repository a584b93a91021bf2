"""One thread per history and process that commits, in groups, whatever the process's runs have queued.

The writer sleeps until something is queued, waits a moment for more (cut short by whoever waits for it), commits the
queues of all runs in one transaction, and goes on with what has come meanwhile.
"""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.store.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.ports import Clock
    from notebook_flows.store.place import Place
    from notebook_flows.store.runlog import StoredRunLog

T = TypeVar("T")

GATHER_S = 0.03
"""How long the writer waits for more after it was woken. Measured (benchmarks in docs/history.md): longer saves
no CPU that could be seen, shorter wakes it more often than the disk can follow."""

LINGER_S = 2.0
"""How long the thread stays without any open run."""

_writers: dict[str, Writer] = {}
_writers_guard = threading.Lock()
_parked: list[object] = []


class _Job:
    def __init__(self, function: Callable[[Any], Any], *, is_durable: bool = True, frees: bool = False) -> None:
        self.function = function
        self.is_durable = is_durable
        self.frees = frees
        self.done = threading.Event()
        self.result: Any = None
        self.error: StoreError | None = None

    def wait(self) -> None:
        """Until it is done."""
        self.done.wait()

    def finish(self, result: Any = None, error: StoreError | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()


class Writer:
    """The thread, its connection, and what waits for it.

    Attributes:
        asleep: whoever queues something must call `wake`.
        progress: notified after each commit and each error.
        outage: what is wrong, if the history cannot be written.
    """

    def __init__(self, place: Place, clock: Clock, rest: Callable[[float], None] | None = None) -> None:
        self.place = place
        self._troubles: tuple[type[Exception], ...] = (*place.errors, StoreError)
        self.path = place.path
        self.asleep = False
        self.progress = threading.Condition()  # re-entrant: waiting and waking go together
        self.outage = Outage(place, clock)
        self.commits = 0
        self._clock = clock
        self._commit_began_s: float | None = None
        self._rest = rest or self._rest_unless_closing
        self._logs: list[StoredRunLog] = []
        self._jobs: list[_Job] = []
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Any = None

    def call(self, function: Callable[[Any], T], *, is_durable: bool = True, frees: bool = False) -> T:
        """Run the function in a transaction of the writer's connection, and wait for its answer.

        Args:
            function: gets the connection.
            is_durable: wait for the disk too. Else a power cut may undo it, until the next transaction has taken it
                along; every process sees it at once, and the death of any changes nothing.
            frees: it makes room: on a full disk the reserve is given up for it.

        Raises:
            StoreError: the history cannot be written; or what the function raised.
        """
        job = self._asked(_Job(function, is_durable=is_durable, frees=frees))
        job.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]  # T, by way of the job

    def later(self, function: Callable[[Any], Any]) -> _Job:
        """Run the function in a transaction soon, after those that were asked for before; nobody waits."""
        return self._asked(_Job(function))

    def _asked(self, job: _Job) -> _Job:
        with self.progress:
            self._jobs.append(job)
        self.hurry()
        return job

    def adopt(self, log: StoredRunLog) -> None:
        """From now on look into the queues of this run."""
        with self.progress:
            self._logs.append(log)

    def abandon(self, log: StoredRunLog) -> None:
        """Look no more into the queues of this run."""
        with self.progress:
            if log in self._logs:
                self._logs.remove(log)
        self.wake()

    def wake(self) -> None:
        """There is something to commit, soon."""
        self._wake.set()
        if self._thread is None:
            self._start()

    def hurry(self) -> None:
        """There is something to commit, now."""
        self._hurry.set()
        self.wake()

    def _start(self) -> None:
        with self.progress:
            if self._thread is None and (self._logs or self._jobs):
                thread = threading.Thread(target=self._work, name="notebook_flows history", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads for this process
                    jobs, self._jobs = self._jobs, []
                    refusal = StoreUnavailable(f"The history {self.place.name} cannot be written: {error}.")
                    for job in jobs:
                        job.finish(error=refusal)
                    for log in self._logs:
                        log.fail(refusal)
                    return
                self._thread = thread

    def is_stuck(self) -> bool:
        """Whether a commit has been under way for longer than commits take: locked, or the disk hangs."""
        began_s = self._commit_began_s
        return began_s is not None and self._clock.monotonic_s() - began_s > 3.0

    def close(self) -> None:
        """Commit what is queued, end the thread and close the connection; whoever queues more starts it again."""
        thread = self._thread
        self._closing.set()
        self._hurry.set()
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._closing.clear()

    def _work(self) -> None:
        try:
            while self._wait_for_work():
                self._run_jobs()
                self._commit_all()
                self._tidy()
        except BaseException as error:  # a mistake of ours: nobody may wait for ever
            told = StoreError(f"The writer of the history {self.place.name} stopped: {error!r}.")
            told.__cause__ = error
            self._give_up(told)
            with self.progress:
                self._disconnect()
                self._thread = None

    def _wait_for_work(self) -> bool:
        self._wake.clear()
        self.asleep = True
        if not self._has_work():
            self._wake.wait(self._nap_s())
        self.asleep = False
        if not self._hurry.is_set() and self._has_work():
            self._hurry.wait(GATHER_S)
        self._hurry.clear()
        if self._has_work():
            return True
        with self.progress:
            self.asleep = True  # from here on, who queues something starts another thread
            if self._has_work() or (self._logs and not self._closing.is_set()):
                self.asleep = False
                return True
            self._disconnect()
            self._thread = None
            return False

    def _nap_s(self) -> float | None:
        if self._closing.is_set():
            return 0.0
        if self.outage.is_low:
            return 1.0
        return self.place.look_every_s if self._logs else LINGER_S

    def _has_work(self) -> bool:
        return bool(self._jobs) or any(log.has_queued() for log in self._logs)

    def _run_jobs(self) -> None:
        with self.progress:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            try:
                job.finish(self._done(job))
            except StoreError as error:
                job.finish(error=error)
            except self.place.errors as error:
                self._disconnect()
                job.finish(error=self.place.told(error))
            except BaseException as error:  # told to the caller, whose thread it concerns
                told = StoreError(f"The history {self.place.name} could not do this: {error!r}.")
                told.__cause__ = error
                job.finish(error=told)

    def _done(self, job: _Job) -> Any:
        try:
            return self._in_transaction(job)
        except self._troubles as error:
            if not job.frees or not self.place.make_room(error):
                raise
        self._disconnect()
        return self._in_transaction(job)

    def _in_transaction(self, job: _Job) -> Any:
        connection = self._connected()
        try:
            with self.place.transaction(connection, is_durable=job.is_durable):
                return job.function(connection)
        except BaseException:
            if not job.is_durable:
                self._disconnect()  # so that nothing is written with less than full durability
            raise

    def _commit_all(self) -> None:
        """Commit until the queues are empty, or the history is given up."""
        while True:
            logs = [log for log in self._logs if log.has_queued()]
            if not logs:
                return
            try:
                self._commit(logs)
            except self._troubles as error:
                self._met(error, logs)
            else:
                self.outage.committed(logs)
                self._announce()

    def _commit(self, logs: list[StoredRunLog]) -> None:
        self._commit_began_s = self._clock.monotonic_s()
        try:
            connection = self._connected()
            for log in logs:
                log.prepare()
            with self.place.transaction(connection):
                for log in logs:
                    log.write(connection)
            with self.progress:
                for log in logs:
                    log.acknowledge()
            self.commits += 1
        finally:
            self._commit_began_s = None
        self.place.tidy(connection, is_idle=False)

    def _met(self, error: Exception, logs: list[StoredRunLog]) -> None:
        """Go on after an error: keep what is queued safe, and rest before the next try; or give up."""
        self._disconnect()
        rest_s = self.outage.met(error, logs)
        self._announce()
        if rest_s is None or self._closing.is_set():
            assert self.outage.error is not None
            self._give_up(self.outage.error)
            return
        self._refuse_jobs()
        if rest_s:
            self._rest(rest_s)

    def _give_up(self, error: StoreError) -> None:
        for log in tuple(self._logs):
            log.fail(error)
        self._refuse_jobs(error)
        self._announce()

    def _refuse_jobs(self, error: StoreError | None = None) -> None:
        with self.progress:
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.finish(error=error or self.outage.error)

    def _announce(self) -> None:
        with self.progress:
            self.progress.notify_all()

    def _tidy(self) -> None:
        if self.outage.is_low:
            self.outage.look_for_room()
        if self._logs and self.place.look_every_s is None:
            return
        try:
            if self._logs:
                self._connected()  # a server that was away is to know again who lives
            if self._connection is not None:
                self.place.tidy(self._connection, is_idle=True)
        except self._troubles:
            self._disconnect()  # the next commit meets the same trouble, and tells it

    def _rest_unless_closing(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def _connected(self) -> Any:
        if self._connection is not None and not self.place.is_current():
            self._disconnect()
        if self._connection is None:
            self._connection = self.place.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self.place.errors):  # what it had to say was said by the commit
                connection.close()

    def _forget_in_child(self) -> None:
        """After a fork: the thread and the connection are the parent's."""
        _parked.append(self._connection)
        self._connection = None
        error = StoreError("This run belongs to the process that this one was forked from.")
        for log in self._logs:
            log.fail(error)


def writer_of(place: Place, clock: Clock, rest: Callable[[float], None] | None = None) -> Writer:
    """The one writer of this history in this process."""
    key = place.key
    with _writers_guard:
        writer = _writers.get(key)
        if writer is None:
            _writers[key] = writer = Writer(place, clock, rest)
        return writer


@atexit.register
def _close_all() -> None:
    for writer in tuple(_writers.values()):
        writer.close()


def _forget_all_in_child() -> None:
    global _writers_guard
    _writers_guard = threading.Lock()
    for writer in _writers.values():
        writer._forget_in_child()
    _writers.clear()


os.register_at_fork(after_in_child=_forget_all_in_child)
