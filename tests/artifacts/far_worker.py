"""A worker process that shares nothing with the one that runs the flow but what it is sent: as on another machine.

Reads a call from stdin, makes the attempt, and writes the outcome and the lines that the task has told to stdout, all
pickled. It is what an executor for many machines does with `Call`, `caught` and `perform`.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.attempt import perform
from notebook_flows.engine.logs import caught

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    import cloudpickle

    call = cloudpickle.loads(sys.stdin.buffer.read())
    lines: list[Any] = []
    with caught(call.facts.run_id, lines.extend):
        outcome = perform(call)
    sent = [tuple(line) for line in lines], tuple(outcome._replace(value=None))  # the value stays where it was made
    sys.stdout.buffer.write(pickle.dumps(sent))


class FarExecutor:
    """Makes each attempt in a process with a home, a folder and settings of its own. Fits `engine.ports.Executor`.

    Args:
        started: starts such a process, is given the call, and returns what it has said.
    """

    name = "far"
    workers = 1
    works_here = False
    is_remote = True
    takes_segments = False

    def __init__(self, started: Callable[[bytes], bytes]) -> None:
        self._started = started
        self.outcomes: list[Any] = []
        self.received: list[int] = []

    def start(self, inbox: Any, facts: Any) -> None:
        self._inbox = inbox

    def submit(self, call: Any) -> None:
        import cloudpickle

        from notebook_flows.core.lifecycle import S
        from notebook_flows.engine.call import LogLine, Outcome
        from notebook_flows.engine.logs import sink_of

        said = self._started(cloudpickle.dumps(call))
        self.received.append(len(said))
        lines, told = pickle.loads(said)
        sink = sink_of(call.facts.run_id)
        assert sink is not None
        sink([LogLine(*line) for line in lines])
        outcome = Outcome(*told)
        self.outcomes.append(outcome)
        self._inbox.put(outcome._replace(state=S(outcome.state)))

    def work(self) -> bool:
        return False

    def cancel(self, ref: int, attempt: int) -> bool:
        return False

    def stop(self, *, cancel_running: bool) -> list[str]:
        return []


if __name__ == "__main__":
    main()
