"""Worker processes for the attempts of a kernel that a client drives."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Call, RunFacts, unwrapped
from notebook_flows.errors import FlowError
from notebook_flows.executors import ProcessExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.engine.call import Outcome
    from notebook_flows.session.served import ServedAttempt


class AwayLane:
    """Fits `engine.ports.Inbox`: the processes report here.

    Args:
        workers: how many attempts may run side by side.
        ended: called, from any thread, with an attempt that has its result or its error.
    """

    def __init__(self, workers: int, ended: Callable[[ServedAttempt], None]) -> None:
        self._ended = ended
        self._executor = ProcessExecutor(workers).for_run()
        self._facts = RunFacts(run_id=uuid.uuid4().hex, flow_name="notebook", context={})
        self._open: dict[int, ServedAttempt] = {}
        self._numbers = 0
        self._lock = threading.Lock()
        self._executor.start(self, self._facts)

    def submit(self, attempt: ServedAttempt) -> None:
        """Have an attempt run in a process."""
        with self._lock:
            number = self._numbers = self._numbers + 1
            self._open[number] = attempt
        self._executor.submit(
            Call(ref=number, task_key=number, task=attempt.task, arguments={}, facts=self._facts, attempt=1)
        )

    def cancel(self, attempt: ServedAttempt) -> None:
        """Kill its process."""
        with self._lock:
            number = next((number for number, one in self._open.items() if one is attempt), None)
        if number is not None:
            self._executor.cancel(number, 1)

    def put(self, outcome: Outcome) -> None:
        """An attempt has ended."""
        with self._lock:
            attempt = self._open.pop(outcome.ref, None)
        if attempt is None:
            return
        value = outcome.value
        try:
            if outcome.state is S.SUCCESS:
                attempt.result = attempt.task.values_of(value)
            else:
                error = unwrapped(value)
                attempt.error = error if isinstance(error, BaseException) else FlowError(outcome.message)
        except Exception as error:  # a value, or an error, that cannot be read here: then that is the end
            attempt.error = error
        self._ended(attempt)

    def put_many(self, outcomes: Sequence[Outcome]) -> None:
        """Several have ended."""
        for outcome in outcomes:
            self.put(outcome)

    def wake(self) -> None:
        """Nobody sleeps here."""

    def interrupt(self) -> None:
        """The client stops what it has begun, attempt by attempt."""
