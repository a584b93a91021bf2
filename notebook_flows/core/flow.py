"""A flow: tasks, and what they wait for."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, KeysView, Mapping, MutableSet, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from notebook_flows.core import building, doors, merging
from notebook_flows.core.context import context
from notebook_flows.core.edge import Edge
from notebook_flows.core.giving import as_task, give, must_be_list, wait_for_all
from notebook_flows.core.graph import Graph, order_of
from notebook_flows.core.members import EdgeSet, TaskSet
from notebook_flows.core.options import at_least_one, failure_handler, seconds_of
from notebook_flows.core.parameter import Constant, Parameter
from notebook_flows.core.slugs import slugs_of
from notebook_flows.core.standins import settle
from notebook_flows.core.task import Task
from notebook_flows.core.terminals import deciding
from notebook_flows.core.validation import compiled

if TYPE_CHECKING:
    from contextvars import Token
    from datetime import datetime, timedelta

    from notebook_flows.core.state import State

MOST_CHILDREN = 1_000_000
"""Of a mapped task, unless its flow says otherwise."""
Handler = Callable[[Any, "State", "State"], "State | None"]
_edge = tuple.__new__
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
        self.state_handlers = [*(state_handlers or ()), *([failure_handler(on_failure)] if on_failure else [])]
        self.terminal_state_handler = terminal_state_handler
        self.timeout = None if timeout is None else seconds_of(timeout, f"timeout of flow {name!r}")
        self.fail_fast = fail_fast
        if tag_limits is not None and not isinstance(tag_limits, Mapping):
            raise TypeError(f"tag_limits of flow {name!r} are a dict, such as {{'db': 2}}, not {tag_limits!r}.")
        self.tag_limits = {
            tag: at_least_one(limit, f"tag limit {tag!r} of flow {name!r}") for tag, limit in (tag_limits or {}).items()
        }
        self.max_map_width = at_least_one(max_map_width, f"max_map_width of flow {name!r}")
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
        self._derived = None
        for key, value in arguments.items():
            if isinstance(value, Task) and value is not task and value in self._into:
                self._into[task][_edge(Edge, (value, task, key, mapped, False))] = None
            else:
                give(self, task, key, value, mapped)
        if upstream_tasks is not None:
            wait_for_all(self, task, upstream_tasks, mapped)

    def _set_constant(self, task: Task, key: str, value: Any) -> None:
        given = self.constants.get(task)
        if given is None:
            self.constants[task] = {key: value}
        else:
            given[key] = value
        self._derived = None

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

    def _connect(self, upstream: Task, downstream: Task, key: str | None = None, mapped: bool = False) -> None:
        self._insert(Edge(upstream, downstream, key, mapped))

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
            must_be_list(upstream_tasks, "Upstream")
        if downstream_tasks is not None:
            must_be_list(downstream_tasks, "Downstream")
        if keyword_tasks is not None and not isinstance(keyword_tasks, Mapping):
            raise TypeError(f"keyword_tasks are a dict, such as {{'x': task}}, not {keyword_tasks!r}.")
        subject = task if isinstance(task, str) else as_task(self, task)
        if isinstance(subject, Task) and subject not in self._into:
            self._add(subject)
            self._stand_ins[subject] = None
        if mapped and isinstance(subject, Task):
            subject.is_mapped = True
        wait_for_all(self, subject, upstream_tasks or (), mapped)
        for after in downstream_tasks or ():
            if isinstance(subject, str) or isinstance(after, str):
                self._named.append((subject, after, False))
                self._derived = None
            else:
                self._connect(subject, as_task(self, after))
        if keyword_tasks and isinstance(subject, str):
            raise TypeError(f"keyword_tasks need the task itself, not its name {subject!r}.")
        for key, value in (keyword_tasks or {}).items():
            assert isinstance(subject, Task)
            give(self, subject, key, value, mapped)
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
        merging.take_over(self, flow, merge_parameters=merge_parameters, merge_reference_tasks=merge_reference_tasks)
        if validate:
            self.validate()

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:
        """Put another task, or a constant, in the place of one.

        Raises:
            ValueError: the old task is not in the flow, or the new one would wait for itself; nothing is changed then.
            FlowValidationError: the flow could not run with it; nothing is changed.
        """
        merging.put_in_place(self, old, new, validate=validate)

    def _become(self, changed: Flow) -> None:
        """Take over the tasks and edges of a changed copy, all at once, for another thread may be reading."""
        now = changed.__dict__
        self.__dict__.update({key: now[key] for key in _WRITTEN}, _derived=changed._derived)

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

    # -- what is in it -------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> MutableSet[Task]:
        """Its tasks, in the order in which they were added."""
        return TaskSet(self)

    @tasks.setter
    def tasks(self, tasks: Iterable[Task]) -> None:
        wanted = dict.fromkeys(tasks)
        view = TaskSet(self)
        for task in [task for task in view if task not in wanted]:
            view.discard(task)
        for task in wanted:
            view.add(task)

    @property
    def edges(self) -> MutableSet[Edge]:
        """Its edges, in the order of the tasks that wait."""
        return EdgeSet(self)

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
        derived.slugs = slugs_of(self._into)
        return derived.slugs

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
        outgoing = self._outgoing()
        tasks = list(self._into)
        number_of = {task: number for number, task in enumerate(tasks)}
        downstream = ([number_of[edge.downstream_task] for edge in outgoing[task]] for task in tasks)
        return dict.fromkeys(tasks[number] for number in deciding(tasks, downstream)).keys()

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
                ``flow_run_id``; ``history``, False to leave no trace; ``keep_results``, True to keep the result of each
                task; ``resume``, the id of a run that did, or "latest", to go on with.
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


class _Derived:
    """What follows from a flow's tasks and edges, worked out when first asked for; dropped at every change."""

    __slots__ = ("graph", "outgoing", "slugs")

    def __init__(self) -> None:
        self.graph: Graph | None = None
        self.outgoing: dict[Task, dict[Edge, None]] | None = None
        self.slugs: dict[Task, str] | None = None
