"""What a live picture knows of its flow besides the events of the run, and what can be done by clicks on it."""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, IS_SUCCESSFUL
from notebook_flows.engine.results import TaskStates
from notebook_flows.engine.stopping import cancel_run, retry_run
from notebook_flows.engine.wording import bounded, traceback_of
from notebook_flows.session.rundetail import recorded_detail
from notebook_flows.session.selection import Wish
from notebook_flows.widget.detail import LONGEST_TEXT, named_reprs
from notebook_flows.widget.flowmessage import CANCELLED, Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.core.task import Task
    from notebook_flows.engine.results import Ledger

TRIED_AGAIN = "What has failed is tried again, as soon as there is room."
USE_INTERRUPT = "The kernel is busy with the cell: use Interrupt (■) to stop the run."
NOT_LOADED = "The extension is not loaded any more: `%load_ext notebook_flows`."


def wish_of(action: str, key: str) -> Wish | None:
    """What a button beside a task asks to be run; None: there is no such button."""
    wishes = {"run_from": Wish(start=key), "run_with_needs": Wish(names=(key,)), "run_only": Wish(only=(key,))}
    return wishes.get(action)


class PictureSource(Protocol):
    """Of one flow, whose tasks are told by their numbers. Called in any thread."""

    def surroundings(self) -> Surroundings:
        """What is known of its tasks; asked for once."""

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """What can be asked for, and why the rest cannot; what is not named can never be asked for here.

        Args:
            is_running: a run goes on.
            is_heard: a page was heard while it did.
        """

    def act(self, action: str, node: int | None, view: Mapping[str, Any]) -> tuple[bool, str]:
        """Do, or begin to do, what is asked for: whether that could be, and a sentence for people.

        Args:
            action: one of `ACTIONS`, or anything else that a page may say.
            node: the task beside which it was clicked.
            view: what was chosen in the picture; that of a run which begins by this begins like it.
        """

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """What is known of a task run; see the wire's ``detail``."""

    def begun(self, run_id: str, ledger: Ledger) -> None:
        """A run begins, which keeps its values there."""

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

    Values of a run that has ended are not held here: they can be looked at as long as somebody has its state.

    Args:
        flow: that runs.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = weakref.ref(flow)
        self._run_id: str | None = None
        self._slugs: list[str] = []
        self._ledger: Ledger | None = None
        self._state: weakref.ref[State] | None = None

    def surroundings(self) -> Surroundings:
        """Tags, and what is known of earlier runs."""
        flow = self._flow()
        return Surroundings() if flow is None else Surroundings(tags=tags_of(flow), median_s=medians_of(flow))

    def can(self, *, is_running: bool, is_heard: bool) -> tuple[Mapping[str, bool], str | None]:
        """It can be cancelled by whom the kernel hears: not every kernel does while a cell runs."""
        if not is_running:
            return {}, "Run the cell again to run the flow."
        return ({"cancel": True, "retry_failed": True}, None) if is_heard else ({}, USE_INTERRUPT)

    def act(self, action: str, node: int | None, view: Mapping[str, Any]) -> tuple[bool, str]:
        """Cancel the run, and it alone: what comes after it in the cell goes on; or have tried again in it what failed.

        For all else there is the cell.
        """
        if action == "retry_failed" and self._run_id is not None and retry_run(self._run_id):
            return True, TRIED_AGAIN
        if action != "cancel":
            return False, "The flow runs in a cell of its own: run that again."
        if self._run_id is None or not cancel_run(self._run_id, CANCELLED):
            return False, "No run goes on now."
        return True, "The run is being stopped."

    def begun(self, run_id: str, ledger: Ledger) -> None:
        """Remember which run it is, and until it ends where its values are."""
        flow = self._flow()
        self._slugs = [] if flow is None else list(flow.slugs.values())
        self._run_id, self._ledger, self._state = run_id, ledger, None

    def ended(self, state: State | None) -> None:
        """Remember who has the values."""
        self._ledger = None
        self._state = weakref.ref(state) if state is not None else None

    def stale_now(self) -> Mapping[int, str]:
        """A flow's tasks are never stale: they run when it runs."""
        return {}

    def detail(self, node: int, index: int) -> dict[str, Any]:
        """Code; values, while it runs and as long as somebody has the state; what was logged and attached."""
        flow = self._flow()
        tasks = list(flow._into) if flow is not None else []
        known = code_of(tasks[node]) if 0 <= node < len(tasks) else {}
        if self._run_id is not None and 0 <= node < len(self._slugs):
            known |= recorded_detail(self._run_id, self._slugs[node], index)
        ledger = self._values()
        return known if ledger is None else {**known, **values_in(ledger, node, index)}

    def _values(self) -> Ledger | None:
        if self._ledger is not None:
            return self._ledger
        state = self._state() if self._state is not None else None
        return state.result._ledger if state is not None and isinstance(state.result, TaskStates) else None


def values_in(ledger: Ledger, node: int, index: int) -> dict[str, Any]:
    """What a task run got and gave, by now; any thread may look, also while the run goes on."""
    run = ledger.run
    if not 0 <= node < len(run.plan.graph):
        return {}
    told: dict[str, Any] = {"inputs": _inputs_in(ledger, node, index)}
    number = _number_of(ledger, node, index)
    if number is None or not IS_FINAL[run.state[number]]:
        return told
    if number in ledger.messages:
        told["message"] = ledger.messages[number]
    if number in run.children:
        return told
    value = ledger.value(number)
    if isinstance(value, BaseException):
        return {**told, "traceback": bounded(traceback_of(value), LONGEST_TEXT)}
    return {**told, "outputs": named_reprs({"result": value})} if IS_SUCCESSFUL[run.state[number]] else told


def _number_of(ledger: Ledger, node: int, index: int) -> int | None:
    if index == UNMAPPED:
        return node
    children = ledger.run.children.get(node)
    return children.first + index if children is not None and 0 <= index < children.width else None


def _inputs_in(ledger: Ledger, node: int, index: int) -> list[dict[str, Any]]:
    """The values of the tasks above, as far as there are any; of a mapped task whole lists, of its child the elements."""
    run = ledger.run
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for one in run.plan.graph.inputs[node]:
        if one.key is None or not IS_SUCCESSFUL[run.state[one.upstream]]:
            continue
        value = _value_of(ledger, one.upstream)
        if one.is_mapped and index != UNMAPPED:
            if one.is_flattened or not isinstance(value, list | tuple) or index >= len(value):
                continue
            value = value[index]
        values[one.key], sources[one.key] = value, run.plan.names[one.upstream]
    return named_reprs(values, sources)


def _value_of(ledger: Ledger, number: int) -> Any:
    children = ledger.run.children.get(number)
    if children is None:
        return ledger.value(number)
    return [ledger.value(one) for one in range(children.first, children.first + children.width)]


def code_of(task: Task) -> dict[str, Any]:
    """A task's code and docstring, where they can be had."""
    function = vars(task).get("run") or type(task).run
    try:
        code = inspect.getsource(function)
    except (OSError, TypeError):
        code = ""
    return {"code": code[:LONGEST_TEXT], "doc": (inspect.getdoc(function) or "")[:LONGEST_TEXT]}


def medians_of(flow: Flow) -> dict[int, float]:
    """{task: how long it took in earlier runs, in seconds}, as far as the history knows."""
    from notebook_flows.workspace.durations import median_durations

    return median_durations(flow.name, list(flow.slugs.values()))
