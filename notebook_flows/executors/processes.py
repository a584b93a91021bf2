"""Attempts in processes of their own, each watched: what happens to one harms no other."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from notebook_flows.executors.calls import checked_workers, number_of_cpus
from notebook_flows.executors.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.engine.call import Call, RunFacts
    from notebook_flows.engine.ports import Inbox


class ProcessExecutor:
    """Runs calls in worker processes, begun as they are needed and replaced when they die.

    Functions of scripts and notebooks travel by value, so scripts need no ``if __name__ == "__main__"``. Values come
    back as `Pickled` and go on to the next worker as they are. A task that passes its timeout, or is cancelled, is
    killed with all that it has started.

    Args:
        workers: how many attempts may run side by side; as many as there are processors unless given.
    """

    works_here = False
    is_remote = True
    takes_segments = True

    _supervisor: Supervisor | None = None

    def __init__(self, workers: int | None = None) -> None:
        self.workers = checked_workers("ProcessExecutor", workers) or number_of_cpus()
        self.name = f"processes({self.workers})"

    def for_run(self) -> ProcessExecutor:
        """An executor like this one, for one run: others may go on at the same time."""
        own = copy(self)
        own._supervisor = None
        return own

    def start(self, inbox: Inbox, facts: RunFacts) -> None:
        """Be ready for calls."""
        self._supervisor = None  # should the new one fail to start, `stop` has nothing to do
        self._supervisor = Supervisor(inbox, self.workers)

    def submit(self, call: Call) -> None:
        """Take one call over; never blocks."""
        assert self._supervisor is not None, "start it first"
        self._supervisor.submit(call)

    def work(self) -> bool:
        """Nothing runs in the calling thread."""
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        """End one attempt as CANCELLED; if it runs, its process is killed."""
        return self._supervisor is not None and self._supervisor.cancel(ref, attempt)

    def stop(self, *, cancel_running: bool) -> Sequence[str]:
        """End all workers, and all that they have started; nothing runs on."""
        if self._supervisor is not None:
            self._supervisor.stop(cancel_running=cancel_running)
        return ()
