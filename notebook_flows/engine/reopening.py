"""Tries again, in a run that goes on, what has not ended well, and what that had led to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.core.resource import ResourceCleanupTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.record import Record
    from notebook_flows.engine.results import Ledger


class Retries:
    """Who asks that what has failed be tried again: any thread may, until the run is about to end."""

    def __init__(self) -> None:
        self._is_asked = False
        self._is_closed = False
        self._heard = 0
        self._changing = threading.Lock()

    def ask(self, request: int = 0) -> bool:
        """Have it tried again, soon.

        Args:
            request: its number in the history, which may be read there by more than one; 0: it has none.
        Returns:
            Whether the run does not end before.
        """
        with self._changing:
            if self._is_closed:
                return False
            if not request or request > self._heard:
                self._heard = max(self._heard, request)
                self._is_asked = True
            return True

    def take(self, *, or_close: bool = False) -> bool:
        """Whether somebody has asked since the last time; ``or_close``: if nobody has, it is too late for it from now on."""
        if not self._is_asked and not or_close:
            return False
        with self._changing:
            was_asked, self._is_asked = self._is_asked, False
            self._is_closed = self._is_closed or (or_close and not was_asked)
        return was_asked

    def close(self) -> None:
        """It is too late from now on."""
        with self._changing:
            self._is_closed = True


def try_again(
    run: Run, tasks: Sequence[Task], record: Record, ledger: Ledger, now_us: int, warn: Callable[[str], None]
) -> int:
    """Have all of them wait for their turn again; each gets one more attempt. Returns how many there are.

    Those that another one had kept from running are judged anew when that has ended. What has run because of a failure,
    such as a task with the trigger ``any_failed``, stays as it is. Who uses a resource that has been cleaned up by now is
    left alone: it would have to do without.
    """
    if run.stopping or run.is_over:
        return 0
    wanted = [number for number in range(len(run.state)) if run.can_be_reopened(number)]
    too_late = _too_late(run, tasks)
    if too_late:
        left = {run.place_of(number)[0] for number in wanted} & too_late
        if left:
            warn(_said(tasks[node].name for node in sorted(left)))
        wanted = [number for number in wanted if run.place_of(number)[0] not in too_late]
    places = [run.place_of(number) for number in wanted]
    parents = {node for node, index in places if index != UNMAPPED}
    for node in sorted(node for node in parents if run.state[node] is S.MAPPED):
        record.add(now_us, Kind.REOPENED, node, UNMAPPED, 0, 1, S.EXPANDED, None)
    for number, (node, index) in zip(wanted, places, strict=True):
        ledger.messages.pop(number, None)
        loop = run.loops.get(number, 0) + 1
        record.add(now_us, Kind.REOPENED, node, index, run.attempt[number], loop, S.PENDING, None)
    return len(wanted)


def _said(names: Iterable[str]) -> str:
    return (
        f"These tasks are not tried again, for the resource that they use has been cleaned up: {', '.join(names)}. "
        "Once the run has ended, going on with it (`notebook-flows resume`) sets the resource up again."
    )


def _too_late(run: Run, tasks: Sequence[Task]) -> set[int]:
    """The tasks that use a resource whose clean-up has begun: those between its set-up and its clean-up."""
    found: set[int] = set()
    inputs, downstream = run.plan.graph.inputs, run.plan.graph.downstream
    for node, task in enumerate(tasks):
        if isinstance(task, ResourceCleanupTask) and _has_begun(run, node):
            own = {one.upstream for one in inputs[node] if one.key is not None}
            after = _reached(own, lambda one: downstream[one])
            before = _reached({node}, lambda one: [edge.upstream for edge in inputs[one]])
            found |= (after & before) - own - {node}
    return found


def _has_begun(run: Run, node: int) -> bool:
    children = run.children.get(node)
    numbers = [node] if children is None else range(children.first, children.first + children.width)
    return any(run.attempt[number] or run.state[number] is S.QUEUED for number in numbers)


def _reached(start: set[int], following: Callable[[int], Iterable[int]]) -> set[int]:
    reached = set(start)
    waiting = list(start)
    while waiting:
        for one in following(waiting.pop()):
            if one not in reached:
                reached.add(one)
                waiting.append(one)
    return reached
