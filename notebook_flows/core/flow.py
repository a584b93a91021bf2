"""A flow: tasks, and what they wait for."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, KeysView, Mapping, MutableSet, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, overload

from notebook_flows.core import building, doors
from notebook_flows.core.collect import ATOMS, gatherer, holders, holds_task, refuse_iterator
from notebook_flows.core.context import context
from notebook_flows.core.edge import Edge
from notebook_flows.core.graph import Graph, order_of
from notebook_flows.core.mapping import EdgeAnnotation, _check_elements, edge_from
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.core.standins import settle
from notebook_flows.core.task import Task, _at_least_one, _failure_handler, _seconds
from notebook_flows.core.validation import compiled

if TYPE_CHECKING:
    from contextvars import Token
    from datetime import datetime, timedelta

    from notebook_flows.core.state import State

MOST_CHILDREN = 1_000_000
"""Of a mapped task, unless its flow says otherwise."""
Handler = Callable[[Any, "State", "State"], "State | None"]
_WRITTEN = (
    "constants",
    "_into",
    "_calls",
    "_stand_ins",
    "_slug_owner",
    "_named",
    "_gated",
    "_reference_tasks",
)
"""The attributes of a flow that are what was written: its tasks, its edges, and what is still to be settled."""


class Schedule(Protocol):
    """When a flow is due; `notebook_flows.schedule` has some."""

    def next(self, n: int, after: datetime | None = None) -> list[datetime]:
        """The next n times after a moment."""


class Flow:
    """A pipeline: tasks, and which of them waits for which.

    Args:
        name: what people read; not empty.
        schedule: when `run` is due.
        executor: where its tasks run, unless `run` says otherwise; the calling process and thread by default.
        run_config: kept for code written for Prefect 1; nothing reads it.
        storage: the same.
        tasks: to begin with.
        edges: to begin with.
        reference_tasks: those whose states decide how the flow ends; the terminal ones unless given.
        state_handlers: called as ``handler(flow, old_state, new_state)``; may return another state.
        on_failure: called as ``on_failure(flow, state)`` when the flow fails.
        validate: look for problems right away.
        result: the default for its tasks' ``result``.
        terminal_state_handler: called as ``handler(flow, state, {reference tasks})`` at the end; may return a state.
        timeout: seconds, or a timedelta, that a whole run may take.
        fail_fast: start nothing new once any task has failed.
        tag_limits: {tag: how many tasks with it may run at once}.
        max_map_width: how many children a mapped task may have; one that would have more fails. Each takes some 300
            bytes while the flow runs.
    Raises:
        ValueError: an empty name; a timeout that is not positive and finite; a limit under 1.
        TypeError: state_handlers is no list; a timeout or a limit is no number.
    """

    def __init__(
        self,
        name: str,
        schedule: Schedule | None = None,
        executor: Any = None,
        run_config: Any = None,
        storage: Any = None,
        tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None,
        reference_tasks: Iterable[Task] | None = None,
        state_handlers: Sequence[Handler] | None = None,
        on_failure: Callable[[Any, State], Any] | None = None,
        validate: bool | None = None,
        result: Any = None,
        terminal_state_handler: Callable[..., State | None] | None = None,
        *,
        timeout: float | timedelta | None = None,
        fail_fast: bool = False,
        tag_limits: Mapping[str, int] | None = None,
        max_map_width: int = MOST_CHILDREN,
    ) -> None:
        if not name or not isinstance(name, str):
            raise ValueError(f"A flow needs a name, not {name!r}.")
        if state_handlers is not None and not isinstance(state_handlers, Sequence):
            raise TypeError(f"state_handlers of flow {name!r} must be a list, even for a single one.")
        self.name = name
        self.schedule = schedule
        self.executor = executor
        self.run_config = run_config
        self.storage = storage
        self.result = result
        self.state_handlers = [*(state_handlers or ()), *([_failure_handler(on_failure)] if on_failure else [])]
        self.terminal_state_handler = terminal_state_handler
        self.timeout = None if timeout is None else _seconds(timeout, f"timeout of flow {name!r}")
        self.fail_fast = fail_fast
        if tag_limits is not None and not isinstance(tag_limits, Mapping):
            raise TypeError(f"tag_limits of flow {name!r} are a dict, such as {{'db': 2}}, not {tag_limits!r}.")
        self.tag_limits = {
            tag: _at_least_one(limit, f"tag limit {tag!r} of flow {name!r}")
            for tag, limit in (tag_limits or {}).items()
        }
        self.max_map_width = _at_least_one(max_map_width, f"max_map_width of flow {name!r}")
        self.constants: dict[Task, dict[str, Any]] = {}
        self._into: dict[Task, dict[Edge, None]] = {}
        self._derived: _Derived | None = None
        self._slug_owner: dict[str, Task] = {}
        self._calls: dict[Task, list[Task]] = {}
        self._stand_ins: dict[Task, None] = {}
        self._named: list[tuple[Task | str, Task | str, bool]] = []
        self._gated: dict[Task, list[tuple[Task, tuple[Task, ...]]]] = {}
        self._created: dict[Task, None] = {}
        self._reference_tasks: list[Task] | None = None
        self._open: list[tuple[Token[Flow | None], Any]] = []
        self._whole: set[Edge] | None = None  # inside `apply_map`: the edges that are marked unmapped
        self._around: tuple[Container[Task], ...] = ()  # inside `apply_map`: the tasks outside of it
        for task in tasks or ():
            self.add_task(task)
        for edge in edges or ():
            self.add_edge(*edge)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)
        if validate:
            self.validate()

    # -- writing it ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        layer = context(flow=self)
        layer.__enter__()
        self._open.append((building.open_flow.set(self), layer))
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        token, layer = self._open.pop()
        building.open_flow.reset(token)
        layer.__exit__()
        unused = [task for task in self._created if task not in self._into]
        self._created.clear()
        if error_type is not None:
            return
        settle(self)
        unused = [task for task in unused if not isinstance(task, Constant) and task not in self._calls]
        if unused:
            listed = ", ".join(dict.fromkeys(task.name for task in unused))
            warnings.warn(
                f"Tasks were created but not added to the flow {self.name!r}: {listed}. "
                "Call them inside the `with` block, or add them with flow.add_task(...).",
                stacklevel=2,
            )

    def add_task(self, task: Task) -> Task:
        """Add a task, without any edge; adding it again changes nothing.

        Raises:
            TypeError: not a task.
            ValueError: another task of the flow has its slug.
        """
        if not isinstance(task, Task):
            raise TypeError(f"Flow {self.name!r} takes tasks, not {task!r} ({type(task).__name__}).")
        if task not in self._into:
            self._add(task)
        self._stand_ins.pop(task, None)
        return task

    def _add(self, task: Task) -> None:
        slug = task.slug
        if slug is not None:
            owner = self._slug_owner.setdefault(slug, task)
            if owner is not task:
                if owner in self._into:
                    raise ValueError(f'A task with the slug "{slug}" already exists in this flow.')
                self._slug_owner[slug] = task
        self._into[task] = {}
        self._derived = None
        block = building.open_block.get()
        if block is not None and task._joins_blocks:
            block.add_task(task, self)

    def _add_call(
        self, task: Task, arguments: Mapping[str, Any], upstream_tasks: Iterable[Any] | None, mapped: bool
    ) -> None:
        if task not in self._into:
            self._add(task)
        elif self._stand_ins:
            self._stand_ins.pop(task, None)
        origin = task._origin
        if origin is not None:
            calls = self._calls.get(origin)
            if calls is None:
                self._calls[origin] = [task]
            else:
                calls.append(task)
        for key, value in arguments.items():
            self._give(task, key, value, mapped)
        if upstream_tasks is not None:
            self._wait_for_all(task, upstream_tasks, mapped)

    def _give(self, task: Task, key: str, value: Any, mapped: bool) -> None:
        """Let a task have a value, or another task's, as an argument."""
        if isinstance(value, Task):
            if value is task:
                Edge(value, task, key)  # raises: an edge to itself
            self._insert(tuple.__new__(Edge, (value, task, key, mapped, False)))
            return
        kind = type(value)
        if kind in ATOMS and not mapped:
            self._set_constant(task, key, value)
            return
        is_marked = isinstance(value, EdgeAnnotation)
        inner = value.value if is_marked else value
        is_mapped = mapped if not is_marked or value.mapped is None else value.mapped
        is_flattened = is_marked and value.flattened
        if holds_task(inner):
            upstream = self._as_task(inner, task.name)
        elif is_mapped or is_flattened:
            _check_elements(inner, task.name, is_mapped)
            upstream = Constant(inner)
        else:
            refuse_iterator(inner, task.name, self.name)
            self._set_constant(task, key, inner)
            return
        edge = Edge(upstream, task, key, is_mapped, is_flattened)
        self._insert(edge)
        if is_marked and value.mapped is False and self._whole is not None:
            self._whole.add(edge)

    def _set_constant(self, task: Task, key: str, value: Any) -> None:
        given = self.constants.get(task)
        if given is None:
            self.constants[task] = {key: value}
        else:
            given[key] = value
        self._derived = None

    def _as_task(self, value: Any, asked_by: str = "List") -> Task:
        """The task that gives this value: itself, one that gathers a collection of tasks, or a constant.

        Raises:
            TaskCallError: a collection that cannot be gathered; it names the task that asked.
        """
        if isinstance(value, EdgeAnnotation):
            value = value.value
        if isinstance(value, Task):
            return value
        return self._gathered(value, asked_by) if holds_task(value) else Constant(value)

    def _gathered(self, value: Any, asked_by: str) -> Task:
        """The task that gathers a collection; those for the collections in it are added too, without recursion."""
        holding = holders(value, asked_by, self.name)
        made: dict[int, Task] = {}
        alive: list[Any] = []  # what was made here must live as long as its id counts
        path: list[tuple[Task, Iterator[tuple[str, Any]]]] = []

        def enter(collection: Any) -> Task:
            gather, arguments = gatherer(collection, asked_by, self.name)
            if not {"keys", "values", "value"}.isdisjoint(arguments):
                alive.append(arguments)
                for one in arguments.values():
                    inside = one if type(one) is list else [*one, *one.values()]
                    if any(isinstance(part, Task) or id(part) in holding for part in inside):
                        holding.add(id(one))
            self._add(gather)
            made[id(collection)] = gather
            path.append((gather, iter(arguments.items())))
            return gather

        first = enter(value)
        while path:
            gather, arguments = path[-1]
            for key, part in arguments:
                if id(part) not in holding:
                    self._give(gather, key, part, False)
                    continue
                is_new = id(part) not in made
                upstream = enter(part) if is_new else made[id(part)]
                self._connect(upstream, gather, key)
                if is_new:
                    break
            else:
                path.pop()
        return first

    def _insert(self, edge: Edge) -> None:
        upstream, downstream = edge[0], edge[1]
        into = self._into
        if upstream not in into:
            self._add(upstream)
            self._stand_ins[upstream] = None
        if downstream not in into:
            self._add(downstream)
            self._stand_ins[downstream] = None
        into[downstream][edge] = None
        self._derived = None

    def _put_behind(self, gate: Task, made: Iterable[Task], besides: frozenset[Task] = frozenset()) -> None:
        """Let those tasks of a block that wait for none of it wait for its gate.

        An original in the block may stand for a call outside of it, which is not the block's. If that call is known,
        the original counts as outside; if it is still to come, `settle` needs what is noted here.
        """
        inside = dict.fromkeys(task for task in made if task in self._into and not self._is_elsewhere(task))
        for task in inside:
            above = {edge.upstream_task for edge in self._into[task]}
            if not above & besides and not any(self._member(upstream) in inside for upstream in above):
                self._connect(gate, task)
        behind: dict[Task, list[Task]] = {task: [] for task in inside if task in self._stand_ins}
        for task in inside if behind else ():
            for original in dict.fromkeys(edge[0] for edge in self._into[task] if edge[0] in behind):
                behind[original].append(task)
        for original, tasks in behind.items():
            self._gated.setdefault(original, []).append((gate, tuple(tasks)))

    def _is_elsewhere(self, task: Task) -> bool:
        return task in self._stand_ins and (bool(self._calls.get(task)) or any(task in one for one in self._around))

    def _connect(self, upstream: Task, downstream: Task, key: str | None = None, mapped: bool = False) -> None:
        self._insert(Edge(upstream, downstream, key, mapped))

    def _wait_for_all(self, task: Task | str, upstream_tasks: Iterable[Any], mapped: bool) -> None:
        _must_be_list(upstream_tasks, "Upstream")
        for upstream in upstream_tasks:
            if isinstance(upstream, str) or isinstance(task, str):
                self._named.append((upstream, task, mapped))
                self._derived = None
                continue
            mark = upstream if isinstance(upstream, EdgeAnnotation) else EdgeAnnotation(upstream)
            if mapped and not isinstance(mark.value, Task) and not holds_task(mark.value):
                _check_elements(mark.value, task.name, mark.mapped is not False)
            edge = edge_from(mark, self._as_task(mark.value, task.name), task, None, mapped)
            self._insert(edge)
            if mark.mapped is False and self._whole is not None:
                self._whole.add(edge)

    def set_dependencies(
        self,
        task: Any,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> None:
        """Say what a task waits for, what waits for it, and what its arguments are.

        A task that was called once in this flow stands for its call, here and wherever tasks are named. Upstream and
        downstream tasks may also be given by name or slug.

        Args:
            task: the task; other values become constants.
            upstream_tasks: what it waits for.
            downstream_tasks: what waits for it; never mapped.
            keyword_tasks: {argument: a task, whose value it gets, or a constant}.
            mapped: it runs once for each element of its upstream values.
            validate: look for problems right away.
        """
        if upstream_tasks is not None:
            _must_be_list(upstream_tasks, "Upstream")
        if downstream_tasks is not None:
            _must_be_list(downstream_tasks, "Downstream")
        if keyword_tasks is not None and not isinstance(keyword_tasks, Mapping):
            raise TypeError(f"keyword_tasks are a dict, such as {{'x': task}}, not {keyword_tasks!r}.")
        subject = task if isinstance(task, str) else self._as_task(task)
        if isinstance(subject, Task) and subject not in self._into:
            self._add(subject)
            self._stand_ins[subject] = None
        if mapped and isinstance(subject, Task):
            subject.is_mapped = True
        self._wait_for_all(subject, upstream_tasks or (), mapped)
        for after in downstream_tasks or ():
            if isinstance(subject, str) or isinstance(after, str):
                self._named.append((subject, after, False))
                self._derived = None
            else:
                self._connect(subject, self._as_task(after))
        if keyword_tasks and isinstance(subject, str):
            raise TypeError(f"keyword_tasks need the task itself, not its name {subject!r}.")
        for key, value in (keyword_tasks or {}).items():
            assert isinstance(subject, Task)
            self._give(subject, key, value, mapped)
        if validate:
            self.validate()

    def add_edge(
        self,
        upstream_task: Task,
        downstream_task: Task,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
        validate: bool | None = None,
    ) -> Edge:
        """Let one task wait for another; with ``key``, get its value as that argument.

        Raises:
            ValueError: into a parameter; from a task to itself; or, with ``validate``, the key is taken.
            TypeError: with ``validate``, the task has no such argument.
        """
        for end in (upstream_task, downstream_task):
            if not isinstance(end, Task):
                raise TypeError(
                    f"An edge of flow {self.name!r} connects two tasks, and {end!r} is none. To name tasks, or to give "
                    "values, use flow.set_dependencies(...)."
                )
        if isinstance(downstream_task, Parameter):
            raise ValueError(  # noqa: TRY004 - as in Prefect 1
                f"Parameters can not have upstream dependencies, and {downstream_task.name!r} is one."
            )
        edge = Edge(upstream_task, downstream_task, key, mapped, flattened)
        if validate and key is not None:
            into = self._into.get(downstream_task, {})
            if key in self.constants.get(downstream_task, {}) or any(e.key == key and e != edge for e in into):
                raise ValueError(f'Argument "{key}" of task {downstream_task.name!r} has already been assigned.')
            signature = downstream_task._signature
            if key not in signature.names and not signature.takes_any_name:
                raise TypeError(f"Task {downstream_task.name!r} has no argument {key!r}.")
        self._insert(edge)
        if validate:
            self.validate()
        return edge

    def chain(self, *tasks: Task, validate: bool | None = None) -> list[Edge]:
        """Let each of these tasks wait for the one before it."""
        return [self.add_edge(a, b, validate=validate) for a, b in itertools.pairwise(tasks)]

    def update(
        self,
        flow: Flow,
        merge_parameters: bool = False,
        validate: bool | None = None,
        merge_reference_tasks: bool = False,
    ) -> None:
        """Take over another flow's tasks, edges and constants.

        Args:
            flow: the other one; it stays as it is.
            merge_parameters: a parameter that both have, by name, becomes one.
            validate: look for problems right away.
            merge_reference_tasks: the other one's reference tasks decide too.
        """
        if not isinstance(flow, Flow):
            raise TypeError(f"Flow {self.name!r} can be updated with another Flow, not with {flow!r}.")
        same: dict[Task, Task] = {}
        if merge_parameters:
            mine = {p.name: p for p in self.parameters()}
            same = {p: mine[p.name] for p in flow.parameters() if p.name in mine}
        references = list(self.reference_tasks()) if merge_reference_tasks else None
        flow = flow.copy()
        settle(flow)
        for task in flow._into:
            if task in same:
                continue
            if task not in flow._stand_ins:
                self.add_task(task)
            elif task not in self._into:
                self._add(task)
                self._stand_ins[task] = None
        for edge in flow.edges:
            ends = (
                same.get(edge.upstream_task, edge.upstream_task),
                same.get(edge.downstream_task, edge.downstream_task),
            )
            self._insert(Edge(*ends, edge.key, edge.mapped, edge.flattened))
        for task, given in flow.constants.items():
            for key, value in given.items():
                self._set_constant(task, key, value)
        for origin, calls in flow._calls.items():
            mine_too = self._calls.setdefault(origin, [])
            mine_too.extend(call for call in calls if call not in mine_too)
        self._take_over_unsettled(flow, same)
        if references is not None:
            theirs = (same.get(task, task) for task in flow.reference_tasks())
            self.set_reference_tasks(dict.fromkeys([*references, *theirs]))
        if validate:
            self.validate()

    def _take_over_unsettled(self, other: Flow, same: Mapping[Task, Task]) -> None:
        """Take over the names that another flow waits for, and what its blocks know of its stand-ins."""
        for upstream, downstream, mapped in other._named:
            above = upstream if isinstance(upstream, str) else same.get(upstream, upstream)
            below = downstream if isinstance(downstream, str) else same.get(downstream, downstream)
            self._named.append((above, below, mapped))
        for original, gates in other._gated.items():
            self._gated.setdefault(original, []).extend(gates)
        self._derived = None

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:
        """Put another task, or a constant, in the place of one.

        Raises:
            ValueError: the old task is not in the flow, or the new one would wait for itself; nothing is changed then.
            FlowValidationError: the flow could not run with it; nothing is changed.
        """
        settle(self)
        changed = self.copy()
        block = building.open_block.get()
        token = building.open_block.set(None)  # the block hears of what is new when it is certain
        try:
            changed._replace(changed._must_have(old), new)
            if validate:
                changed.validate()
        finally:
            building.open_block.reset(token)
        fresh = [task for task in changed._into if task not in self._into]
        self._become(changed)
        for task in fresh:
            if block is not None and task._joins_blocks:
                block.add_task(task, self)

    def _become(self, changed: Flow) -> None:
        """Take over the tasks and edges of a changed copy, all at once, for another thread may be reading."""
        now = changed.__dict__
        self.__dict__.update({key: now[key] for key in _WRITTEN}, _derived=changed._derived)

    def _replace(self, old: Task, new: Any) -> None:
        fresh = self._as_task(new)
        edges = [*self.edges_to(old), *self.edges_from(old)]
        place = list(self._into).index(old)
        for edge in edges:
            self._into[edge.downstream_task].pop(edge, None)
        del self._into[old]
        self._slug_owner.pop(old.slug or "", None)
        if fresh not in self._into:
            self._add(fresh)
        for edge in edges:
            upstream = fresh if edge.upstream_task is old else edge.upstream_task
            downstream = fresh if edge.downstream_task is old else edge.downstream_task
            self._insert(Edge(upstream, downstream, edge.key, edge.mapped, edge.flattened))
        if old in self.constants:
            self.constants[fresh] = {**self.constants.pop(old), **self.constants.get(fresh, {})}
        order = [task for task in self._into if task is not fresh]
        order.insert(place, fresh)
        self._into = {task: self._into[task] for task in order}
        if self._reference_tasks is not None:
            self._reference_tasks = [fresh if task is old else task for task in self._reference_tasks]
        if old._origin in self._calls:
            calls = self._calls[old._origin]
            calls[:] = dict.fromkeys(fresh if call is old else call for call in calls)
        self._derived = None

    def copy(self) -> Flow:
        """A flow of its own with the same tasks."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)  # all at once: from here on, another thread may settle the flow itself
        new.constants = {task: dict(given) for task, given in new.constants.items()}
        new._into = {task: dict(edges) for task, edges in new._into.items()}
        new._calls = {origin: list(calls) for origin, calls in new._calls.items()}
        new._stand_ins = dict(new._stand_ins)
        new._slug_owner = dict(new._slug_owner)
        new._named = list(new._named)
        new._gated = {original: list(gates) for original, gates in new._gated.items()}
        new._created = {}
        new._reference_tasks = None if new._reference_tasks is None else list(new._reference_tasks)
        new.state_handlers = list(new.state_handlers)
        new._open = []
        new._derived = None
        return new

    def _take_over_mapped(self, inner: Flow, given: Mapping[Task, EdgeAnnotation], twins: Mapping[Task, Task]) -> None:
        """Take over what a function made inside `apply_map`, mapped.

        Values of tasks from outside that the function did not get as arguments are mapped over too, as in Prefect 1,
        unless they are marked `unmapped`; parameters and constants stay whole, and so does what is only waited for.
        Twins stand for an argument that was given more than once, each with a mark of its own.
        """
        made = dict.fromkeys(
            task for task in inner._into if task not in given and task not in self._into and task not in self._calls
        )
        for task in made:
            self._add(task)
            if task in inner._stand_ins:
                self._stand_ins[task] = None
        steps = dict.fromkeys(task for task in made if not isinstance(task, (Constant, Parameter)))
        for task in steps:
            task.is_mapped = True
            above = list(inner._into[task])
            for edge in above:
                upstream = edge.upstream_task
                mark = given.get(upstream)
                if edge in (inner._whole or ()):
                    is_mapped = False
                elif mark is not None:
                    is_mapped = bool(mark.mapped)
                elif isinstance(upstream, (Constant, Parameter)):
                    is_mapped = edge.mapped
                else:
                    is_mapped = upstream in made or edge.key is not None
                flattened = edge.flattened or (mark is not None and mark.flattened)
                self._insert(Edge(twins.get(upstream, upstream), task, edge.key, is_mapped, flattened))
            if not any(edge.upstream_task in steps for edge in above):
                used = {edge.upstream_task for edge in above}
                for argument, mark in given.items():
                    if argument not in used:
                        self._insert(Edge(twins.get(argument, argument), task, None, bool(mark.mapped), mark.flattened))
        for task, constants in inner.constants.items():
            for key, value in constants.items():
                self._set_constant(task, key, value)
        for origin, calls in inner._calls.items():
            self._calls.setdefault(origin, []).extend(calls)
        self._take_over_unsettled(inner, twins)

    # -- what is in it -------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> MutableSet[Task]:
        """Its tasks, in the order in which they were added."""
        return _TaskSet(self)

    @tasks.setter
    def tasks(self, tasks: Iterable[Task]) -> None:
        wanted = dict.fromkeys(tasks)
        view = _TaskSet(self)
        for task in [task for task in view if task not in wanted]:
            view.discard(task)
        for task in wanted:
            view.add(task)

    @property
    def edges(self) -> MutableSet[Edge]:
        """Its edges, in the order of the tasks that wait."""
        return _EdgeSet(self)

    @edges.setter
    def edges(self, edges: Iterable[Edge]) -> None:
        for into in self._into.values():
            into.clear()
        for edge in edges:
            self._insert(edge)
        self._derived = None

    @property
    def slugs(self) -> dict[Task, str]:
        """{task: the name by which histories know it}, unique in the flow, the same whenever it is built alike."""
        derived = self._derive()
        if derived.slugs is not None:
            return derived.slugs
        taken = {task.slug for task in self._into if task.slug is not None}
        counts: dict[str, int] = {}
        slugs: dict[Task, str] = {}
        for task in self._into:
            slug = task.slug
            if slug is None:
                base = task.name if not task.tags else "-".join([task.name, *sorted(task.tags)])
                number = counts.get(base, 0) + 1
                slug = f"{base}-{number}"
                while slug in taken:
                    number += 1
                    slug = f"{base}-{number}"
                counts[base] = number
            slugs[task] = slug
        derived.slugs = slugs
        return slugs

    def _derive(self) -> _Derived:
        derived = self._derived
        if derived is None:
            derived = self._derived = _Derived()
        return derived

    def _outgoing(self) -> dict[Task, dict[Edge, None]]:
        derived = self._derive()
        if derived.outgoing is None:
            outgoing: dict[Task, dict[Edge, None]] = {task: {} for task in self._into}
            for into in self._into.values():
                for edge in into:
                    outgoing.setdefault(edge[0], {})[edge] = None
            derived.outgoing = outgoing
        return derived.outgoing

    def _must_have(self, task: Task) -> Task:
        """The task itself, or the one call that it stands for."""
        member = self._member(task)
        if member not in self._into:
            name = getattr(task, "name", task)
            raise ValueError(f"Task {name!r} was not found in Flow {self.name!r}.")
        return member

    def edges_to(self, task: Task) -> KeysView[Edge]:
        """What it waits for."""
        return self._into[self._must_have(task)].keys()

    def edges_from(self, task: Task) -> KeysView[Edge]:
        """What waits for it."""
        return self._outgoing()[self._must_have(task)].keys()

    def all_upstream_edges(self) -> dict[Task, KeysView[Edge]]:
        """{task: what it waits for}."""
        return {task: edges.keys() for task, edges in self._into.items()}

    def all_downstream_edges(self) -> dict[Task, KeysView[Edge]]:
        """{task: what waits for it}."""
        outgoing = self._outgoing()
        return {task: outgoing[task].keys() for task in self._into}

    def upstream_tasks(self, task: Task) -> KeysView[Task]:
        """The tasks it waits for."""
        return dict.fromkeys(edge.upstream_task for edge in self.edges_to(task)).keys()

    def downstream_tasks(self, task: Task) -> KeysView[Task]:
        """The tasks that wait for it."""
        return dict.fromkeys(edge.downstream_task for edge in self.edges_from(task)).keys()

    def root_tasks(self) -> KeysView[Task]:
        """Tasks that wait for nothing."""
        return dict.fromkeys(task for task, into in self._into.items() if not into).keys()

    def terminal_tasks(self) -> KeysView[Task]:
        """Tasks that nothing waits for."""
        outgoing = self._outgoing()
        return dict.fromkeys(task for task in self._into if not outgoing[task]).keys()

    def parameters(self) -> KeysView[Parameter]:
        """Its parameters."""
        return dict.fromkeys(task for task in self._into if isinstance(task, Parameter)).keys()

    def reference_tasks(self) -> KeysView[Task]:
        """The tasks whose states decide how the flow ends: those that were set, else the terminal ones."""
        settle(self)
        if self._reference_tasks:
            return dict.fromkeys(self._reference_tasks).keys()
        from notebook_flows.core.resource import ResourceCleanupTask, ResourceInitTask, ResourceSetupTask

        helpers = (ResourceInitTask, ResourceSetupTask, ResourceCleanupTask)
        outgoing = self._outgoing()
        return dict.fromkeys(
            task
            for task in self._into
            if not isinstance(task, helpers)
            and all(isinstance(edge.downstream_task, ResourceCleanupTask) for edge in outgoing[task])
        ).keys()

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """Let these tasks decide how the flow ends; none: the terminal ones again.

        Raises:
            ValueError: one of them is not in the flow.
        """
        chosen = []
        for task in tasks:
            known = task in self._into or task in self._calls
            if not known:
                raise ValueError(
                    f"Reference tasks must be part of the flow, and {getattr(task, 'name', task)!r} is not in {self.name!r}."
                )
            chosen.append(self._member(task))
        self._reference_tasks = list(dict.fromkeys(chosen))
        self._derived = None

    def _member(self, task: Task) -> Task:
        """The task itself, or the one call that it stands for."""
        if task in self._into and task not in self._stand_ins:
            return task
        calls = self._calls.get(task, ())
        return calls[0] if len(calls) == 1 else task

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type | None = None,
    ) -> list[Task]:
        """Tasks that meet all of the given conditions; all of the tags must be there."""
        wanted = set(tags or ())
        slugs = self.slugs if slug is not None else {}
        return [
            task
            for task in self._into
            if (name is None or task.name == name)
            and (slug is None or slugs[task] == slug)
            and wanted <= set(task.tags)
            and (task_type is None or isinstance(task, task_type))
        ]

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """Its tasks, each after those it waits for; among several that could be next, in the order of definition.

        Args:
            root_tasks: only these and what comes after them.
        Raises:
            FlowValidationError: a cycle, or any other problem.
        """
        graph = compiled(self)
        tasks = list(self._into)
        order = order_of(graph)
        if root_tasks is None:
            return tuple(tasks[number] for number in order)
        wanted: set[int] = set()
        number_of = {task: number for number, task in enumerate(tasks)}
        for task in root_tasks:
            wanted.add(number_of[self._must_have(task)])
        kept = []
        for number in order:
            if number in wanted:
                kept.append(tasks[number])
                wanted.update(graph.downstream[number])
        return tuple(kept)

    def __iter__(self) -> Iterator[Task]:
        yield from self.sorted_tasks()

    def __len__(self) -> int:
        return len(self._into)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, task: object) -> bool:
        return task in self._into

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flow):
            return NotImplemented
        return (self.name, self.tasks, self.edges, self.constants) == (
            other.name,
            other.tasks,
            other.edges,
            other.constants,
        ) and set(self.reference_tasks()) == set(other.reference_tasks())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f'<Flow: name="{self.name}">'

    # -- running it ----------------------------------------------------------------------------------------------------

    def validate(self) -> None:
        """Look for everything that would keep the flow from running.

        Cost: O(tasks + edges).

        Raises:
            FlowValidationError: all problems at once: cycles with their paths, edges to tasks that are not in the
                flow, unknown, doubled and missing arguments, foreign reference tasks, names that no task has, and
                tasks called several times where one call is meant.
        """
        compiled(self)

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_on_schedule: bool | None = None,
        runner_cls: Any = None,
        **kwargs: Any,
    ) -> State:
        """Run it in this process, to its end.

        Args:
            parameters: {name: value}; they can also be given as keyword arguments.
            run_on_schedule: wait for each time of the schedule and run then; by default, if there is a schedule.
            runner_cls: kept for code written for Prefect 1; must be None.
            **kwargs: parameters by name, and: ``executor``; ``task_states`` {task: a State to begin with, whose task
                does not run if it is final}; ``context``, more keys for `notebook_flows.context`; ``flow_run_name``;
                ``flow_run_id``; ``history``, False to leave no trace.
        Returns:
            The flow's State; its ``result`` is {task: State}, and ``state.result[task].result`` is a task's value.
        Raises:
            FlowValidationError: the flow cannot run.
            ParameterError: a parameter is unknown, or one that is required is missing.
            KeyboardInterrupt: somebody pressed Ctrl-C; everything until then is in the history.
        """
        if building.open_flow.get() is self:
            raise RuntimeError(f"Flow {self.name!r} is still being written: call `flow.run()` after the `with` block.")
        return doors.run_flow(
            self, parameters=parameters, run_on_schedule=run_on_schedule, runner_cls=runner_cls, **kwargs
        )

    def visualize(
        self,
        flow_state: State | None = None,
        filename: str | None = None,
        format: str | None = None,  # noqa: A002 - as in Prefect 1
        horizontal: bool = False,
    ) -> Any:
        """Draw it, coloured by state where one is given.

        Args:
            flow_state: what `run` returned.
            filename: write the picture there; the ending is added.
            format: "svg", "png", "pdf" or "dot"; told by the file name unless given.
            horizontal: from left to right.
        Returns:
            The picture; in a notebook it shows itself.
        """
        return doors.draw_flow(self, flow_state=flow_state, filename=filename, format=format, horizontal=horizontal)

    def to_graphviz(self, flow_state: State | None = None, horizontal: bool = False) -> Any:
        """The picture as a `graphviz.Digraph`, to be changed by hand."""
        return self.visualize(flow_state, horizontal=horizontal).digraph

    def diagnostics(self, include_secret_names: bool = False) -> str:
        """What to send along with a bug report, as JSON: versions, settings and the flow's shape; no values."""
        return doors.diagnose(self, include_secret_names=include_secret_names)


def _must_be_list(tasks: Any, which: str) -> None:
    if isinstance(tasks, (str, Task)) or not isinstance(tasks, Iterable):
        raise TypeError(f"{which} tasks are given as a list: [{tasks!r}].")


class _Derived:
    """What follows from a flow's tasks and edges, worked out when first asked for; dropped at every change."""

    __slots__ = ("graph", "outgoing", "slugs")

    def __init__(self) -> None:
        self.graph: Graph | None = None
        self.outgoing: dict[Task, dict[Edge, None]] | None = None
        self.slugs: dict[Task, str] | None = None


class _TaskSet(MutableSet[Task]):
    """The tasks of a flow as a set that keeps its order; changing it changes the flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:
        return set(it)

    def __contains__(self, task: object) -> bool:
        return task in self._flow._into

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._flow._into))

    def __len__(self) -> int:
        return len(self._flow._into)

    def add(self, value: Task) -> None:
        self._flow.add_task(value)

    def discard(self, value: Task) -> None:
        self._flow._into.pop(value, None)
        self._flow._stand_ins.pop(value, None)
        self._flow.constants.pop(value, None)
        calls = self._flow._calls.get(value._origin) if value._origin is not None else None
        if calls and value in calls:
            calls.remove(value)
        self._flow._derived = None

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"


class _EdgeSet(MutableSet[Edge]):
    """The edges of a flow as a set that keeps its order; changing it changes the flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> set[Any]:
        return set(it)

    def __contains__(self, edge: object) -> bool:
        return isinstance(edge, Edge) and edge in self._flow._into.get(edge.downstream_task, ())

    def __iter__(self) -> Iterator[Edge]:
        for into in list(self._flow._into.values()):
            yield from list(into)

    def __len__(self) -> int:
        return sum(len(into) for into in self._flow._into.values())

    def add(self, value: Edge) -> None:
        self._flow._insert(value)

    def discard(self, value: Edge) -> None:
        self._flow._into.get(value.downstream_task, {}).pop(value, None)
        self._flow._derived = None

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"


@overload
def flow(fn: Callable[..., Any], /) -> Flow: ...
@overload
def flow(fn: None = None, /, *, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], Flow]: ...
def flow(fn: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Make a `Flow` of a function that calls tasks; its arguments become the flow's parameters.

    The function runs once, now, to write the flow; each argument is a `Parameter`, with its default.

    Raises:
        ValueError: the function takes ``*args`` or ``**kwargs``, for which a flow has no parameters.
    """

    def build(function: Callable[..., Any]) -> Flow:
        import inspect
        import typing

        built = Flow(name or function.__name__, **options)
        built.__doc__ = function.__doc__
        try:
            hints = typing.get_type_hints(function)
        except Exception:  # a hint may name what exists only for type checkers; then it says nothing here
            hints = {}
        with built:
            given = {}
            for p in inspect.signature(function).parameters.values():
                if p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD}:
                    raise ValueError(f"Flow {built.name!r}: {p} has no name that a run could set. Name each parameter.")
                given[p.name] = Parameter(p.name) if p.default is p.empty else Parameter(p.name, default=p.default)
                given[p.name].annotation = hints.get(p.name)
                built.add_task(given[p.name])
            bound = inspect.signature(function).bind_partial()
            bound.arguments.update(given)
            function(*bound.args, **bound.kwargs)
        return built

    return build if fn is None else build(fn)
