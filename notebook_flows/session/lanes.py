"""Where the cells of one run are made: threads, processes, and the kernel's main thread, as each of them needs."""

from __future__ import annotations

from contextvars import copy_context
from enum import StrEnum
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.attempt import perform, perform_async
from notebook_flows.executors import ProcessExecutor, ThreadExecutor
from notebook_flows.executors.calls import ended_without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import Call, Outcome, RunFacts
    from notebook_flows.engine.ports import Inbox
    from notebook_flows.session.mainlane import MainLane


class Lane(StrEnum):
    """Where a cell is made."""

    THREADS = "threads"
    PROCESSES = "processes"
    MAIN = "main"  # the main thread: magics, cells that run alone
    LOOP = "loop"  # the main thread's event loop: cells that await


Key = tuple[int, int]


class LanesExecutor:
    """Gives each call to the lane that its task names by an attribute ``lane``; threads without one.

    Args:
        main: the main thread's lane.
        threads: how many cells may run in threads at once; as `ThreadExecutor` chooses unless given.
        processes: how many worker processes there may be.
    """

    works_here = False
    is_remote = False
    takes_segments = False

    def __init__(self, main: MainLane, *, threads: int | None = None, processes: int | None = None) -> None:
        self._main = main
        self._threads = ThreadExecutor(threads).for_run()
        self._processes = ProcessExecutor(processes).for_run()
        self._uses_processes = False
        self._uses_threads = False
        self._open: dict[Key, Call] = {}
        self._inbox: Inbox | None = None
        self._facts: RunFacts | None = None
        self.workers = self._threads.workers
        self.name = f"cells({self._threads.name}, {self._processes.name})"

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._inbox, self._facts = inbox, facts
        self._context = copy_context()

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        assert self._inbox is not None, "start it first"
        assert self._facts is not None
        lane = getattr(call.task, "lane", Lane.THREADS)
        if lane is Lane.PROCESSES:
            if not self._uses_processes:
                self._uses_processes = True
                self._processes.start(self._inbox, self._facts)
            self._processes.submit(call)
        elif lane is Lane.THREADS:
            if not self._uses_threads:
                self._uses_threads = True
                self._threads.start(self._inbox, self._facts)
            self._threads.submit(call)
        else:
            self._submit_to_main(call, lane)

    def _submit_to_main(self, call: Call, lane: Lane) -> None:
        self._open[call.ref, call.attempt] = call
        if lane is Lane.LOOP:
            taken = self._main.post_coroutine(lambda: self._follow(call))
            why = "It awaits, and the kernel's event loop is not free: put `%flow run` on a line of its own in a cell."
        else:
            taken = self._main.post(lambda: self._make(call))
            why = "The kernel's main thread takes nothing more."
        if not taken:
            self._report(call, ended_without(call, S.FAILED, why, RuntimeError(why)))

    def work(self) -> bool:
        """Nothing runs in the engine's thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED."""
        call = self._open.pop((ref, attempt), None)
        if call is not None:
            self._main.interrupt()
            assert self._inbox is not None
            self._inbox.put(ended_without(call, S.CANCELLED, "Cancelled."))
            return True
        if self._uses_threads and self._threads.cancel(ref, attempt):
            return True
        return self._uses_processes and self._processes.cancel(ref, attempt)

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End, within 2 s; the names of the tasks whose code still runs."""
        if cancel_running and self._open:
            self._main.interrupt()
            while self._open:
                try:
                    _, call = self._open.popitem()
                except KeyError:  # the last one has just ended
                    break
                assert self._inbox is not None
                self._inbox.put(ended_without(call, S.CANCELLED, "The run has stopped."))
        if self._uses_processes:
            self._processes.stop(cancel_running=cancel_running)
        return self._threads.stop(cancel_running=cancel_running) if self._uses_threads else ()

    # -- on the main thread --------------------------------------------------------------------------------------------

    def _make(self, call: Call) -> None:
        if (call.ref, call.attempt) not in self._open:
            return
        try:
            outcome = self._context.copy().run(perform, call)
        except BaseException as error:  # Ctrl-C: it ends the task; whoever serves the lane ends the run
            outcome = ended_without(call, S.CANCELLED, f"Interrupted ({type(error).__name__}).")
        self._report(call, outcome)

    async def _follow(self, call: Call) -> None:
        try:
            outcome = await perform_async(call)
        except BaseException as error:  # cancelled, or Ctrl-C
            outcome = ended_without(call, S.CANCELLED, f"Interrupted ({type(error).__name__}).")
        self._report(call, outcome)

    def _report(self, call: Call, outcome: Outcome) -> None:
        if self._open.pop((call.ref, call.attempt), None) is not None:
            assert self._inbox is not None
            self._inbox.put(outcome)
