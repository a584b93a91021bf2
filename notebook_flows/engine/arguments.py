"""What a task run is called with: constants, values of the tasks before it, elements for the children of mapped tasks."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_FAILED, S
from notebook_flows.core.mapping import element_at, why_unmappable
from notebook_flows.engine.call import Stored
from notebook_flows.engine.timeouts import is_for_others
from notebook_flows.engine.wording import LONGEST_MESSAGE, bounded, said

if TYPE_CHECKING:
    from notebook_flows.core.edge import Edge
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.graph import Input
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State
    from notebook_flows.core.task import Task
    from notebook_flows.engine.results import Ledger

NOTHING_GATHERED: tuple[str, ...] = ()


class UnmappableError(Exception):
    """There is nothing to map over, or too much.

    Attributes:
        state: what becomes of the mapped task.
    """

    def __init__(self, message: str, state: S) -> None:
        super().__init__(message)
        self.state = state


class Arguments:
    """Makes the arguments of each task run, from what the run has given so far.

    Args:
        run: where it stands.
        flow: whose constants these are.
        tasks: the n tasks, in the graph's order.
        ledger: the values.
    """

    def __init__(self, run: Run, flow: Flow, tasks: list[Task], ledger: Ledger) -> None:
        self._run = run
        self._flow = flow
        self._tasks = tasks
        self._ledger = ledger
        self._constants = flow.constants
        self._flat: dict[int, list[Any]] = {}

    def of_task(self, node: int, without: str | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Arguments of an unmapped task, and the names of those that are lists of children's values.

        Args:
            node: which task.
            without: an argument that is not there yet.
        """
        constants = self._constants.get(self._tasks[node])
        arguments = dict(constants) if constants else {}
        gathered = NOTHING_GATHERED
        values = self._ledger.values
        for upstream, key, _, is_flattened in self._run.plan.graph.inputs[node]:
            if key is None or key == without:
                continue
            if is_flattened:
                arguments[key] = self._flattened(upstream)
            elif upstream in self._run.children:
                arguments[key] = self._of_children(upstream)
                gathered = (*gathered, key)
            else:
                value = values[upstream]
                arguments[key] = self._ledger.value(upstream) if type(value) is Stored else value
        return arguments, gathered

    def of_child(self, node: int, index: int) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Arguments of one child of a mapped task."""
        arguments = dict(self._constants.get(self._tasks[node], ()))
        gathered = NOTHING_GATHERED
        for one in self._run.plan.graph.inputs[node]:
            key = one.key
            if key is None:
                continue
            if one.is_mapped:
                arguments[key] = self._element(one, index)
            elif one.is_flattened:
                arguments[key] = self._flattened(one.upstream)
            elif one.upstream in self._run.children:
                arguments[key] = self._of_children(one.upstream)
                gathered = (*gathered, key)
            else:
                arguments[key] = self._value(one.upstream)
        return arguments, gathered

    def _value(self, number: int) -> Any:
        """The value of a task run; what the store has is loaded once, for all who want it."""
        value = self._ledger.values[number]
        return self._ledger.value(number) if type(value) is Stored else value

    def _of_children(self, node: int) -> list[Any]:
        children = self._run.children[node]
        return [self._value(number) for number in range(children.first, children.first + children.width)]

    def _element(self, one: Input, index: int) -> Any:
        if one.upstream in self._run.children and not one.is_flattened:
            return self._value(self._run.children[one.upstream].first + index)
        elements = self._elements(one)
        return elements[index] if type(elements) is list else element_at(elements, index)

    def _elements(self, one: Input, most: int | None = None) -> Any:
        """What a mapped argument takes its elements from by number; of a flattened one, stop looking after ``most``."""
        return self._flattened(one.upstream, most) if one.is_flattened else self._ledger.value(one.upstream)

    def _flattened(self, upstream: int, most: int | None = None) -> list[Any]:
        """The upstream value, one level of lists taken away."""
        known = self._flat.get(upstream)
        if known is None:
            children = self._run.children.get(upstream)
            if children is None:
                outer = self._ledger.value(upstream)
            else:
                outer = [
                    self._ledger.value(number) for number in range(children.first, children.first + children.width)
                ]
            known = list(islice(chain.from_iterable(outer), None if most is None else most + 1))
            if most is None or len(known) <= most:
                self._flat[upstream] = known
        return known

    def width_of(self, node: int) -> tuple[int, list[int]]:
        """How many children a mapped task has, and the lengths of all that it is mapped over.

        Raises:
            UnmappableError: one of them has no elements, or all have more than the flow allows.
        """
        widths: list[int] = []
        for one in self._run.plan.graph.inputs[node]:
            if not one.is_mapped:
                continue
            children = self._run.children.get(one.upstream)
            if children is not None and not one.is_flattened:
                widths.append(children.width)
                continue
            state = self._run.state[one.upstream]
            name = self._tasks[one.upstream].name
            if IS_FAILED[state]:
                raise UnmappableError(f"There is nothing to map over: {name!r} failed.", S.UPSTREAM_FAILED)
            try:
                elements = self._elements(one, self._flow.max_map_width)
                if (reason := why_unmappable(elements)) is not None:
                    raise TypeError(reason)
                widths.append(len(elements))
            except BaseException as error:  # ``__len__`` and ``__getitem__`` are the user's
                if is_for_others(error):
                    raise
                raise UnmappableError(
                    f"At least one upstream state has an unmappable result. That of {name!r} has no elements to be "
                    f"taken by number ({bounded(said(error), LONGEST_MESSAGE)}).",
                    S.FAILED,
                ) from error
        if min(widths) > self._flow.max_map_width:
            raise UnmappableError(self._too_wide(node, min(widths)), S.FAILED)
        return min(widths), widths

    def _too_wide(self, node: int, width: int) -> str:
        most = self._flow.max_map_width
        is_counted = not any(one.is_mapped and one.is_flattened for one in self._run.plan.graph.inputs[node])
        return (
            f"Task {self._tasks[node].name!r} is mapped over {'' if is_counted else 'at least '}{width:,} elements, and "
            f"flow {self._flow.name!r} allows {most:,}. Map over batches of them, or allow more: "
            f"Flow({self._flow.name!r}, max_map_width=...)."
        )

    def upstream_states(self, number: int) -> dict[Edge, State]:
        """{edge: the State of its upstream task}, as triggers get it."""
        node, index = self._run.place_of(number)
        edges = list(self._flow._into[self._tasks[node]])
        states: dict[Edge, State] = {}
        for edge, one in zip(edges, self._run.plan.graph.inputs[node], strict=True):
            children = self._run.children.get(one.upstream)
            is_lane = one.is_mapped and not one.is_flattened and children is not None and index >= 0
            upstream = children.first + index if is_lane and children is not None else one.upstream
            states[edge] = self._ledger.state(upstream)
        return states

    def upstream_states_by_name(self, number: int) -> dict[str, State]:
        """{name of the upstream task: its State}; where two have one name, the later by its slug."""
        states: dict[str, State] = {}
        named: dict[str, Task] = {}
        for edge, state in self.upstream_states(number).items():
            task = edge.upstream_task
            is_known = named.setdefault(task.name, task) is task
            states[task.name if is_known else self._flow.slugs[task]] = state
        return states
