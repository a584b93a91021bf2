"""States that no attempt has led to: triggers, mapping, handlers and people say how a task run stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import signals, state as api
from notebook_flows.core.context import context
from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.arguments import UnmappableError
from notebook_flows.engine.call import unwrapped
from notebook_flows.engine.endings import retry_details
from notebook_flows.engine.handlers import handled
from notebook_flows.engine.timeouts import is_for_others
from notebook_flows.engine.warned import warn_caller
from notebook_flows.engine.wording import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.arguments import Arguments
    from notebook_flows.engine.call import RunFacts
    from notebook_flows.engine.interrupts import Interrupts
    from notebook_flows.engine.ports import Taken, WaitingClock
    from notebook_flows.engine.preparation import Preparation
    from notebook_flows.engine.record import Record
    from notebook_flows.engine.results import Ledger

_TASK = Kind.TASK  # looked up once: see `core.run`
MOST_ROUNDS_BY_HANDLERS = 1_000
"""How often state handlers alone may send a task into another round; one that raises LOOP itself may do so for ever."""


class Verdicts:
    """Records what is said of task runs without an attempt; the user's code that says it runs in the engine's thread.

    Args:
        ask: asks a person whether a paused task may go on; None where nobody is there.
    """

    def __init__(
        self,
        *,
        run: Run,
        tasks: list[Task],
        facts: RunFacts,
        arguments: Arguments,
        preparation: Preparation,
        record: Record,
        ledger: Ledger,
        clock: WaitingClock,
        interrupts: Interrupts,
        ask: Callable[[str], bool] | None,
    ) -> None:
        self._run = run
        self._tasks = tasks
        self._size = len(tasks)
        self._facts = facts
        self._arguments = arguments
        self._preparation = preparation
        self._record = record
        self._ledger = ledger
        self._clock = clock
        self._interrupts = interrupts
        self._ask = ask

    def judge(self, number: int) -> None:
        """Ask the task's own trigger."""
        node = self._run.place_of(number)[0]
        task = self._tasks[node]
        assert callable(task.trigger)
        try:
            with context(self._facts.context), self._interrupts.user_code():
                allowed = task.trigger(self._arguments.upstream_states(number))
        except signals.Signal as signal:
            self.mark_state(number, signal.state)
            return
        except BaseException as error:
            if is_for_others(error):
                raise
            message = f"Unexpected error while checking the trigger of task {task.name!r}: {short(error)}"
            self.mark(number, S.UPSTREAM_FAILED, message, value=error)
            return
        if allowed:
            place = self._run.place_of(number)
            self._record.add(self._clock.now_us(), Kind.VERDICT, *place, 0, 1, S.READY, {"may_run": True})
        else:
            self.mark(number, S.UPSTREAM_FAILED, f"Trigger {getattr(task.trigger, '__name__', 'of its own')} said no.")

    def expand(self, node: int) -> None:
        """Find out how many children a mapped task has."""
        try:
            width, widths = self._arguments.width_of(node)
        except UnmappableError as error:
            self.mark(node, error.state, str(error))
            return
        data: dict[str, Any] = {"width": width}
        if len(set(widths)) > 1:
            message = (
                f"Task {self._tasks[node].name!r} is mapped over lists of unequal lengths "
                f"({', '.join(map(str, widths))}); the shortest counts."
            )
            try:
                warn_caller(message)
            except Warning as error:  # the user has made errors of warnings: then it is the task's
                self.mark(node, S.FAILED, message, value=error)
                return
            data["message"] = message
        self._record.add(self._clock.now_us(), Kind.EXPANDED, node, UNMAPPED, 0, 1, S.EXPANDED, data)
        self._ledger.values.extend([None] * width)

    def mark(self, number: int, state: S, reason: str, value: Any = None) -> None:
        """Record a state that no attempt has led to; the task's handlers see it as well."""
        node = self._run.place_of(number)[0]
        task = self._tasks[node]
        if task.state_handlers and state is not S.MAPPED:
            proposed = api.class_of(state)(message=reason, result=value)
            with context(self._facts.context), self._interrupts.user_code():
                settled = handled(task, api.Pending(), proposed)
            if settled is not proposed:
                self.mark_state(number, settled, proposed=type(proposed).__name__)
                return
        self.settle(number, state, reason, value, None)

    def take(self, number: int, taken: Taken) -> None:
        """Record that it need not run, and has not begun; the task's handlers see it as well."""
        node, index = (number, UNMAPPED) if number < self._size else self._run.place_of(number)
        task = self._tasks[node]
        if task.state_handlers:
            proposed = api.class_of(taken.state)(message=taken.message, result=unwrapped(taken.value))
            with context(self._facts.context), self._interrupts.user_code():
                settled = handled(task, api.Pending(), proposed)
            if settled is not proposed:
                self.mark_state(number, settled, proposed=type(proposed).__name__)
                return
        state, value, message, data = taken
        if message:
            self._ledger.messages[number] = message
            data["message"] = message
        self._ledger.values[number] = value
        self._record.add(self._clock.now_us(), _TASK, node, index, 0, 1, state, data)

    def mark_state(self, number: int, state: api.State, proposed: str | None = None) -> None:
        """Record a state that the user's own code has made; ``proposed`` names the one that it has replaced."""
        more = {"proposed": proposed} if proposed else None
        state, event_state = api.ending_of(state)
        if event_state is S.PAUSED and self.is_told_to_go_on(number):
            return
        if event_state is S.RETRYING:
            details = retry_details(state)
            if "rest_us" in details:
                details["due_us"] = self._clock.now_us() + details.pop("rest_us")
            more = {**(more or {}), **details}
        if event_state is S.LOOPED and self._run.loops.get(number, 0) + 1 >= MOST_ROUNDS_BY_HANDLERS:
            self.end_rounds(number)
            return
        self.settle(number, event_state, state.message or "", state.result, more)

    def end_rounds(self, number: int) -> None:
        """Handlers have sent it into one round after the other: that is enough."""
        name = self._tasks[self._run.place_of(number)[0]].name
        message = (
            f"The state handlers of task {name!r} have sent it into another round {MOST_ROUNDS_BY_HANDLERS:,} times, "
            "and would for ever. Let them return Looped only under a condition, or raise LOOP in the task."
        )
        self.settle(number, S.FAILED, message, signals.FAIL(message), None)

    def settle(self, number: int, state: S, message: str, value: Any, more: Mapping[str, Any] | None) -> None:
        """Record a state as it is; nobody is asked but, of a paused task, a person."""
        node, index = self._run.place_of(number)
        if state is S.PAUSED and self.is_told_to_go_on(number):
            return
        data = dict(more or {})
        if message:
            self._ledger.messages[number] = message
            data["message"] = message
        if state is not S.MAPPED:
            self._ledger.values[number] = value
        attempt, loop = self._run.attempt[number], self._run.loops.get(number, 0) + 1
        self._record.add(self._clock.now_us(), Kind.TASK, node, index, attempt, loop, state, data or None)

    def is_told_to_go_on(self, number: int) -> bool:
        """Whether a person, asked at the terminal, lets a paused task run."""
        if self._ask is None:
            return False
        node, index = self._run.place_of(number)
        self._record.hand_over()
        with self._interrupts.user_code():
            goes_on = self._ask(self._tasks[node].name)
        if not goes_on:
            return False
        self._record.add(self._clock.now_us(), Kind.TASK, node, index, self._run.attempt[number], 1, S.PAUSED, None)
        self._record.add(
            self._clock.now_us(), Kind.VERDICT, node, index, 0, 1, S.READY, {"may_run": True, "by": "person"}
        )
        self._preparation.resumed.add(number)
        return True
