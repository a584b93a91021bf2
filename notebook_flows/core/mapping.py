"""How an argument of a mapped task is to be taken: whole, by elements, or by the elements of its elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from notebook_flows.core import building
from notebook_flows.core.edge import Edge
from notebook_flows.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.flow import Flow


class EdgeAnnotation:
    """A mark on an argument; not a task, and no value either.

    Attributes:
        value: the argument itself.
    """

    mapped: bool | None = None
    flattened: bool = False

    def __init__(self, value: Any) -> None:
        if isinstance(value, EdgeAnnotation):
            self.mapped = self.mapped if self.mapped is not None else value.mapped
            self.flattened = self.flattened or value.flattened
            value = value.value
        self.value: Any = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class mapped(EdgeAnnotation):  # noqa: N801 - a function for its users, as in Prefect 1
    """Each child gets one element: for single arguments of a plain call."""

    mapped = True


class unmapped(EdgeAnnotation):  # noqa: N801 - as in Prefect 1
    """Every child gets the whole value."""

    mapped = False


class flatten(EdgeAnnotation):  # noqa: N801 - as in Prefect 1
    """The value is a list of lists: take one level away. Outside `map`, the task gets the flat list."""

    flattened = True


def apply_map(func: Callable[..., Any], *args: Any, flow: Flow | None = None, **kwargs: Any) -> Any:
    """Map a function that calls tasks: every task that it makes is mapped over the given arguments.

    Tasks in it that use none of the mapped arguments wait for them too, so that all have the same width. A task that is
    given twice, as in ``apply_map(f, x, unmapped(x))``, has a mark of its own in each place.

    Returns:
        What the function returns, tasks or a collection of them.
    Raises:
        NoActiveFlowError: no flow is open and none is given.
        TypeError: not a function; or an argument that has no elements.
    """
    from notebook_flows.core.flow import Flow as FlowClass
    from notebook_flows.core.giving import as_task
    from notebook_flows.core.merging import take_over_mapped
    from notebook_flows.core.parameter import Constant

    if not callable(func):
        raise TypeError(f"apply_map maps a function that calls tasks, and {func!r} is none.")
    if flow is not None and not isinstance(flow, FlowClass):
        raise TypeError(f"apply_map puts tasks into a Flow, not into {flow!r}. Give flow=... the flow itself.")
    outer = flow if flow is not None else building.open_flow.get()
    if outer is None:
        from notebook_flows.errors import NoActiveFlowError

        raise NoActiveFlowError(getattr(func, "__name__", "apply_map"))
    given: dict[Task, EdgeAnnotation] = {}
    twins: dict[Task, Task] = {}

    def stand_in(argument: Any) -> Task:
        mark = argument if isinstance(argument, EdgeAnnotation) else mapped(argument)
        if mark.mapped is None:
            mark.mapped = True
        value = mark.value
        found = value if isinstance(value, Task) else as_task(outer, value, "apply_map")
        if isinstance(found, Constant):
            check_elements(found.value, "apply_map", mark.mapped)
        if found not in outer._into:
            outer._add(found)
        before = given.get(found)
        if before is not None and (before.mapped, before.flattened) != (mark.mapped, mark.flattened):
            twin = found._clone()  # the function tells by it which of the two arguments it uses
            twin.__dict__.pop("slug", None)
            twins[twin] = found
            given[twin] = mark
            return twin
        given[found] = mark
        return found

    stand_ins = [stand_in(argument) for argument in args]
    named = {key: stand_in(argument) for key, argument in kwargs.items()}
    inner = FlowClass(f"{outer.name}.apply_map")
    inner._whole = set()
    inner._around = (*outer._around, outer._into, outer._calls, given)
    token = building.in_apply_map.set(True)
    block = building.open_block.set(None)  # a `case` around it hears of the tasks when the outer flow takes them over
    try:
        with inner:
            made = func(*stand_ins, **named)
    finally:
        building.open_block.reset(block)
        building.in_apply_map.reset(token)
    take_over_mapped(outer, inner, given, twins)
    return _without_twins(made, twins) if twins else made


def _without_twins(made: Any, twins: Mapping[Task, Task]) -> Any:
    if isinstance(made, Task):
        return twins.get(made, made)
    if type(made) is dict:
        return {key: _without_twins(one, twins) for key, one in made.items()}
    if type(made) in {list, tuple, set}:
        return type(made)(_without_twins(one, twins) for one in made)
    return made


def check_elements(value: Any, task_name: str, is_mapped: bool | None) -> None:
    """Refuse a constant that a task cannot be mapped over.

    Raises:
        TypeError: it has no elements.
    """
    if not is_mapped:
        return
    if (reason := why_unmappable(value)) is not None:
        raise TypeError(
            f"Task {task_name!r} cannot be mapped over {value!r}, which has no elements to take by number: {reason}. "
            "Give a list, or mark it: unmapped(...)."
        )


def why_unmappable(value: Any) -> str | None:
    """Why nothing can be taken from it by number, with what to map over instead; None: something can."""
    kind = type(value)
    if kind is list or kind is tuple:
        return None
    if isinstance(value, Mapping):
        return f"it is of type {kind.__name__!r}; map over list(d.items()), or over its keys or values"
    if _is_labelled(kind) and getattr(value, "ndim", 1) != 1:
        return f"it is of type {kind.__name__!r}; map over its rows: df.to_dict('records')"
    if not hasattr(value, "__getitem__") or not hasattr(kind, "__len__"):
        return f"it is {'None' if value is None else f'of type {kind.__name__!r}'}"
    return None


def element_at(value: Any, number: int) -> Any:
    """An element by its position, from 0; of a pandas Series too, whatever its labels are."""
    return value.iloc[number] if _is_labelled(type(value)) else value[number]


def _is_labelled(kind: type) -> bool:
    return hasattr(kind, "iloc")


def edge_from(mark: EdgeAnnotation, upstream: Task, downstream: Task, key: str | None, is_mapped: bool) -> Edge:
    """The edge that a marked argument means."""
    return Edge(
        upstream, downstream, key, mapped=is_mapped if mark.mapped is None else mark.mapped, flattened=mark.flattened
    )
