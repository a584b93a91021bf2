"""How the task run that is to start becomes a call: its arguments, its context, its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.engine.call import Call, RunFacts, unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.arguments import Arguments
    from notebook_flows.engine.handed_out import HandedOut
    from notebook_flows.engine.ports import WaitingClock


class Preparation:
    """Makes the calls of a run.

    Args:
        run: where it stands.
        flow: whose tasks these are.
        tasks: the n tasks, in the graph's order.
        facts: what all attempts have in common.
        arguments: makes the arguments.
        clock: the time.
        task_contexts: {task: more keys of the context, for it alone}.
        ends_tasks_by_s: when the whole run's time is up, by the monotonic clock, where a running task has to be stopped
            for that by its own timeout; None elsewhere.
    Attributes:
        loop_results: {task run: what its last round gave}.
        resumed: task runs that a person has told to go on.
    """

    def __init__(
        self,
        run: Run,
        flow: Flow,
        tasks: list[Task],
        facts: RunFacts,
        arguments: Arguments,
        clock: WaitingClock,
        task_contexts: Mapping[Task, Mapping[str, Any]],
        *,
        ends_tasks_by_s: float | None,
    ) -> None:
        self.loop_results: dict[int, Any] = {}
        self.resumed: set[int] = set()
        self._run = run
        self._flow = flow
        self._tasks = tasks
        self._facts = facts
        self._arguments = arguments
        self._clock = clock
        self._task_contexts = task_contexts
        self._ends_tasks_by_s = ends_tasks_by_s
        self._plain = run.plan.plain
        self._size = len(tasks)

    def make(self, number: int, task: Task, without: str | None = None) -> Call:
        """The call that makes the next attempt.

        Args:
            number: of the task run.
            task: what it runs.
            without: an argument that is not there yet: it comes from the call before it, on the same worker.
        """
        run = self._run
        if number < self._size:
            node, index = number, UNMAPPED
            arguments, gathered = self._arguments.of_task(node, without)
        else:
            node, index = run.place_of(number)
            arguments, gathered = self._arguments.of_child(node, index)
        is_plain = self._plain[node]
        attempt = run.attempt[number] + 1
        call = Call(number, node, task, arguments, self._facts, attempt, 1, index, gathered, is_plain)
        resumed = self.resumed or run.plan.resumed
        if is_plain and not run.loops and not resumed and not self._task_contexts and self._ends_tasks_by_s is None:
            return call
        if number in run.loops:
            call.loop = run.loops[number] + 1
            call.context = {"task_loop_result": unwrapped(self.loop_results.get(number))}
        if number in self.resumed or node in run.plan.resumed:
            call.context = {**(call.context or {}), "resume": True}
        if self._task_contexts and task in self._task_contexts:
            call.context = {**(call.context or {}), **self._task_contexts[task]}
        if not is_plain or self._ends_tasks_by_s is not None:
            self._equip(call, task, number)
        return call

    def add_segment(self, call: Call, then: tuple[int, ...], handed_out: HandedOut) -> None:
        """Append the calls that may follow on the same worker."""
        for number in then:
            _, key, _, _ = self._run.plan.graph.inputs[number][0]
            call.passes_to = key
            call.then = self.make(number, self._tasks[number], without=key)
            handed_out.followed_by(call.ref, number)
            call = call.then

    def _equip(self, call: Call, task: Task, number: int) -> None:
        """Give a call what only tasks that are not plain need."""
        call.is_async = task._signature.is_async
        call.timeout_s = task.timeout
        if self._ends_tasks_by_s is not None:
            left_s = max(self._ends_tasks_by_s - self._clock.monotonic_s(), 1e-3)
            call.timeout_s = left_s if call.timeout_s is None else min(call.timeout_s, left_s)
            call.is_plain = False
        node = self._run.place_of(number)[0]
        call.context = {**(call.context or {}), "task_slug": self._flow.slugs[self._tasks[node]]}
        if task._signature.wants_context:
            call.upstream_states = self._arguments.upstream_states_by_name(number)
