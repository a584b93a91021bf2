"""What a live picture knows of its flow besides the events of the run, and what can be done by clicks on it."""

from __future__ import annotations

import _thread
import inspect
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from notebook_flows.core.events import UNMAPPED
from notebook_flows.widget.detail import LONGEST_TEXT, short_repr
from notebook_flows.widget.flowmessage import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.core.task import Task

USE_INTERRUPT = "The kernel is busy with the cell: use Interrupt (■) to stop the run."


class PictureSource(Protocol):
    """Of one flow, whose tasks are told by their numbers. Called in any thread."""

    def surroundings(self) -> Surroundings:
        """What is known of its tasks; asked for once."""

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """What can be asked for, and why the rest cannot.

        Args:
            is_running: a run goes on.
            is_heard: a page was heard while it did.
        """

    def act(self, action: str, node: int | None) -> tuple[bool, str]:
        """Do, or begin to do, what is asked for: whether that could be, and a sentence for people."""

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """What is known of a task run; see the wire's ``detail``."""

    def ended(self, state: State | None) -> None:
        """The run has ended like this."""

    def stale_now(self) -> Mapping[int, str]:
        """{task: why it is stale}, when a run has ended."""


def surroundings_of(source: PictureSource | None, flow: Flow) -> Surroundings:
    """What is known of a flow's tasks."""
    return source.surroundings() if source is not None else Surroundings(tags=tags_of(flow))


def tags_of(flow: Flow) -> dict[int, list[str]]:
    """{task: its tags}, of those that have any."""
    return {number: sorted(task.tags) for number, task in enumerate(flow._into) if task.tags}


class FlowSource:
    """Of a `Flow` that a cell has made and runs; the cell has the kernel until the run has ended.

    Values are not held here: they can be looked at as long as somebody has the state of the run.

    Args:
        flow: that runs.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = weakref.ref(flow)
        self._state: weakref.ref[State] | None = None
        self._is_running = False

    def surroundings(self) -> Surroundings:
        """Tags, and what is known of earlier runs."""
        flow = self._flow()
        return Surroundings() if flow is None else Surroundings(tags=tags_of(flow), median_s=medians_of(flow))

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """It can be cancelled by whom the kernel hears: not every kernel does while a cell runs."""
        self._is_running = is_running
        if not is_running:
            return {}, "Run the cell again to run the flow."
        return ({"cancel": True}, None) if is_heard else ({}, USE_INTERRUPT)

    def act(self, action: str, node: int | None) -> tuple[bool, str]:
        """Cancel as Interrupt (■) does; for all else there is the cell."""
        if action != "cancel":
            return False, "The flow runs in a cell of its own: run that again."
        if not self._is_running:
            return False, "The run has ended already."
        _thread.interrupt_main()
        return True, "The run is being stopped."

    def ended(self, state: State | None) -> None:
        """Remember where the values are."""
        self._is_running = False
        self._state = weakref.ref(state) if state is not None else None

    def stale_now(self) -> Mapping[int, str]:
        """A flow's tasks are never stale: they run when it runs."""
        return {}

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """Code, and values if the run has ended and somebody still has its state."""
        flow = self._flow()
        tasks = list(flow._into) if flow is not None else []
        if not 0 <= node < len(tasks):
            return {}
        return {**code_of(tasks[node]), **self._values(tasks[node], index)}

    def _values(self, task: Task, index: int) -> dict[str, Any]:
        state = self._state() if self._state is not None else None
        if state is None:
            return {}
        known = state.result[task]
        children = getattr(known, "map_states", ())
        if index != UNMAPPED and index < len(children):
            known = children[index]
        told: dict[str, Any] = {"message": known.message}
        if isinstance(known.result, BaseException):
            told["traceback"] = traceback_of(known.result)
        elif known.is_successful():
            told["outputs"] = [{"name": "result", "repr": short_repr(known.result)}]
        return told


def code_of(task: Task) -> dict[str, Any]:
    """A task's code and docstring, where they can be had."""
    function = vars(task).get("run") or type(task).run
    try:
        code = inspect.getsource(function)
    except (OSError, TypeError):
        code = ""
    return {"code": code[:LONGEST_TEXT], "doc": (inspect.getdoc(function) or "")[:LONGEST_TEXT]}


def traceback_of(error: BaseException) -> str:
    """An exception as Python prints it."""
    import traceback

    return "".join(traceback.format_exception(error))[-LONGEST_TEXT:]


def medians_of(flow: Flow) -> dict[int, float]:
    """{task: how long it took in earlier runs, in seconds}, as far as the history knows."""
    from notebook_flows.workspace.durations import median_durations

    return median_durations(flow.name, list(flow.slugs.values()))
