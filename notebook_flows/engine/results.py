"""The State that `flow.run()` returns: a façade over the run's arrays, whose parts are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import S
from notebook_flows.engine.call import unwrapped

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task


class Ledger:
    """What the tasks of a run gave: values and messages beside the states.

    Attributes:
        values: of each task run, its value, or the exception of its failure.
        messages: of the task runs that have something to say.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.values: list[Any] = [None] * len(run.state)
        self.messages: dict[int, str] = {}

    def value(self, number: int) -> Any:
        """The value, loaded if another process has sent it; loaded once."""
        value = unwrapped(self.values[number])
        self.values[number] = value
        return value

    def state(self, number: int) -> api.State:
        """The API's State of one task run."""
        event_state = self.run.state[number]
        cls = api.class_of(event_state)
        message = self.messages.get(number)
        children = self.run.children.get(number)
        if children is not None:
            inside = range(children.first, children.first + children.width)
            return api.Mapped(message=message, map_states=[self.state(child) for child in inside])
        if cls is api.Mapped:
            values = self.value(number) or []
            return api.Mapped(message=message, map_states=[api.Success(result=value) for value in values])
        if message is None and event_state is S.SUCCESS:
            message = "Task run succeeded."
        state = cls(message=message)
        state.result = self.value(number)
        return state


@runtime_checkable
class Attending(Protocol):
    """An observer that wants to look at a run and its values while it goes on.

    One with ``only_attends = True`` is not told of events, which costs the run nothing.
    """

    def attend(self, run_id: str, ledger: Ledger) -> None:
        """A run is about to begin; called before its first event."""


class TaskStates(Mapping["Task", api.State]):
    """{task: its State}; an original task that was called once stands for its call."""

    def __init__(self, flow: Flow, tasks: list[Task], ledger: Ledger) -> None:
        self._flow = flow
        self._tasks = tasks
        self._number: dict[Task, int] | None = None
        self._ledger = ledger
        self._made: dict[int, api.State] = {}

    def _numbers(self) -> dict[Task, int]:
        if self._number is None:
            self._number = {task: number for number, task in enumerate(self._tasks)}
        return self._number

    def __getitem__(self, task: Task) -> api.State:
        numbers = self._numbers()
        number = numbers.get(task)
        if number is None:
            calls = self._flow._calls.get(task, ())
            if len(calls) != 1 or calls[0] not in numbers:
                raise KeyError(self._unknown(task, len(calls)))
            number = numbers[calls[0]]
        if number not in self._made:
            self._made[number] = self._ledger.state(number)
        return self._made[number]

    def _unknown(self, task: Any, calls: int) -> str:
        name = getattr(task, "name", task)
        if calls > 1:
            return f"Task {name!r} was called {calls} times in flow {self._flow.name!r}: use what each call returned."
        return f"Task {name!r} is not in flow {self._flow.name!r}."

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        return repr(dict(self))
