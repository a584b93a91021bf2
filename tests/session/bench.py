"""One executor for many attempts of task cells, without an engine."""

from __future__ import annotations

import itertools
from queue import Queue
from typing import TYPE_CHECKING, Any, Self

from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import Call, Outcome, RunFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.session.celltask import KernelCellTask
    from notebook_flows.session.values import CellValues

FACTS = RunFacts(run_id="0" * 32, flow_name="tried", context={"flow_name": "tried"})


class Inbox:
    """Keeps outcomes until they are asked for."""

    def __init__(self) -> None:
        self.queue: Queue[Outcome] = Queue()

    def put(self, outcome: Outcome) -> None:
        self.queue.put(outcome)

    def put_many(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.queue.put(outcome)

    def wake(self) -> None:
        pass


class Bench:
    """An executor that is up as long as a ``with`` block."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor
        self.inbox = Inbox()
        self._refs = itertools.count(1)

    def __enter__(self) -> Self:
        self.executor.start(self.inbox, FACTS)
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop(cancel_running=True)

    def outcomes(self, tasks: Iterable[KernelCellTask]) -> list[Outcome]:
        """How these tasks end, run side by side, in their order."""
        refs = []
        for task in tasks:
            ref = next(self._refs)
            refs.append(ref)
            self.executor.submit(
                Call(
                    ref=ref, task_key=ref, task=task, arguments={}, facts=FACTS, is_plain=task.timeout is None,
                    timeout_s=task.timeout,
                )
            )  # fmt: skip
        found = [self.inbox.queue.get(timeout=60) for _ in refs]
        return sorted(found, key=lambda outcome: refs.index(outcome.ref))

    def values(self, task: KernelCellTask) -> CellValues:
        """What a task makes, that ends well."""
        [outcome] = self.outcomes([task])
        assert outcome.state is S.SUCCESS, outcome
        return task.values_of(outcome.value)
