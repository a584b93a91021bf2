"""A task: a function, or a class with ``run``, and how it is to be run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from notebook_flows.core import doors
from notebook_flows.core.building import flow_for, in_apply_map, open_flow, open_tags
from notebook_flows.core.options import (
    NO_RETRIES,
    NO_RETRY,
    as_tags,
    at_least_one,
    failure_handler,
    fit,
    retries_of,
    seconds_of,
    type_of_delay,
)
from notebook_flows.core.signature import Signature, check_signature, fitted, signature_of
from notebook_flows.core.triggers import Trigger, all_successful
from notebook_flows.errors import TaskCallError

if TYPE_CHECKING:
    from datetime import timedelta

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.retry import RetryPolicy
    from notebook_flows.core.state import State

type_of_trigger = Trigger | Callable[[Mapping[Any, Any]], bool]


class Task:
    """One step of a flow. Derive from it and write ``run``, or put ``@task`` on a function.

    Args:
        name: what people read; the class's name unless given.
        slug: a name that is unique in the flow; made from the name and the tags unless given.
        tags: words to find it by, and to limit how many run at once.
        max_retries: tries after the first; needs ``retry_delay``.
        retry_delay: the rest before each retry: a timedelta, seconds, or a list of them, whose last holds on.
        retry_on: only these exceptions are worth a retry.
        retry_jitter: the share by which luck may lengthen a rest.
        timeout: seconds, or a timedelta, that one try may take.
        trigger: whether it may run, judged from how the tasks before it ended.
        skip_on_upstream_skip: skip it when any task before it was skipped.
        cache_for: how long a result may be used again, while this process lives.
        cache_validator: whether a cached result still holds.
        cache_key: tasks with one key share their cached results; the name unless given.
        checkpoint: False: never write the result.
        result: where the result is written.
        target: a file name; while the file exists the task is not run, and its content is the result.
        state_handlers: called as ``handler(task, old_state, new_state)`` at each change, in order; may return
            another state.
        on_failure: called as ``on_failure(task, state)`` when it fails.
        log_stdout: what it prints goes to its log.
        task_run_name: a name for each of its runs: a template of the context's keys, or a function of them.
        nout: how many values it returns, for ``a, b = task()``.
        map_limit: how many of its children may run at once, when mapped.
        cache: its result may be taken from any earlier run in which its code and inputs were the same, for ever or for
            a timedelta; for tasks that do nothing but make their result.
        version: declared by you; another one makes earlier results unfit.
    Attributes:
        auto_generated: made by notebook_flows, such as the list in ``total([a, b])``.
    """

    name: str
    slug: str | None = None
    tags: set[str] | frozenset[str] = frozenset()
    max_retries: int = 0
    retry_delay: timedelta | Sequence[timedelta] | None = None
    retry_on: tuple[type[BaseException], ...] | None = None
    retry_policy: RetryPolicy = NO_RETRY
    timeout: float | None = None
    trigger: type_of_trigger = all_successful
    skip_on_upstream_skip: bool = True
    cache_for: timedelta | None = None
    cache_validator: Callable[..., bool] | None = None
    cache_key: str | None = None
    checkpoint: bool | None = None
    result: Any = None
    target: str | Callable[..., str] | None = None
    state_handlers: Sequence[Callable[[Any, State, State], State | None]] = ()
    log_stdout: bool = False
    task_run_name: str | Callable[..., str] | None = None
    nout: int | None = None
    map_limit: int | None = None
    cache: bool | timedelta = False
    version: str | None = None
    auto_generated: bool = False
    is_mapped: bool = False

    _signature: Signature
    _origin: Task | None = None
    _is_parameter: ClassVar[bool] = False
    _joins_blocks: ClassVar[bool] = True

    def __init__(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int | None = None,
        retry_delay: type_of_delay | None = None,
        timeout: float | timedelta | None = None,
        trigger: type_of_trigger | None = None,
        skip_on_upstream_skip: bool = True,
        cache_for: timedelta | None = None,
        cache_validator: Callable[..., bool] | None = None,
        cache_key: str | None = None,
        checkpoint: bool | None = None,
        state_handlers: Sequence[Callable[[Any, State, State], State | None]] | None = None,
        on_failure: Callable[[Any, State], Any] | None = None,
        log_stdout: bool = False,
        result: Any = None,
        target: str | Callable[..., str] | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        *,
        retry_jitter: float = 0.0,
        map_limit: int | None = None,
        cache: bool | timedelta = False,
        version: str | int | None = None,
    ) -> None:
        self.name = name or type(self).__name__
        if slug is not None:
            self.slug = slug
        if all_tags := open_tags.get().union(() if tags is None else as_tags(tags, self.name)):
            self.tags = set(all_tags)
        self._set_retries(max_retries, retry_delay, retry_on, retry_jitter)
        if timeout is not None:
            self.timeout = seconds_of(timeout, f"timeout of task {self.name!r}")
        if trigger is not None:
            self.trigger = fit("trigger", trigger, self.name)
        if not skip_on_upstream_skip:
            self.skip_on_upstream_skip = False
        self._set_cache(cache_for, cache_validator, cache_key)
        if cache is not False:
            self.cache = fit("cache", cache, self.name)
        if version is not None:
            self.version = fit("version", version, self.name)
        handlers = [] if state_handlers is None else [*fit("state_handlers", state_handlers, self.name)]
        if on_failure is not None:
            handlers.append(failure_handler(fit("on_failure", on_failure, self.name)))
        if handlers:
            self.state_handlers = handlers
        for attribute, value in (
            ("checkpoint", checkpoint),
            ("result", result),
            ("target", target),
            ("task_run_name", task_run_name),
            ("map_limit", None if map_limit is None else at_least_one(map_limit, f"map_limit of task {self.name!r}")),
        ):
            if value is not None:
                setattr(self, attribute, fit(attribute, value, self.name))
        if log_stdout:
            self.log_stdout = True
        self._signature = signature_of(self.run)
        size = nout if nout is not None else self._signature.tuple_size
        if size is not None:
            if type(size) is not int or size < 0:
                raise ValueError(f"nout of task {self.name!r} is a number of values, 0 or more, not {size!r}.")
            self.nout = size
        flow = open_flow.get()
        if flow is not None:
            flow._created[self] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__:
            check_signature(cls.__dict__["run"])  # a wrong one fails where the class is written

    def _set_retries(
        self,
        max_retries: int | None,
        retry_delay: type_of_delay | None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None,
        jitter: float,
    ) -> None:
        if max_retries is None and retry_delay is None and retry_on is None and not jitter:
            return
        retries = retries_of(self.name, max_retries, retry_delay, retry_on, jitter)
        if retries is not NO_RETRIES:
            self.max_retries, self.retry_delay, self.retry_on, self.retry_policy = retries

    def _set_cache(self, cache_for: timedelta | None, validator: Callable[..., bool] | None, key: str | None) -> None:
        if cache_for is None and validator is not None and getattr(validator, "__name__", "") != "never_use":
            warnings.warn(
                f"Task {self.name!r} has a cache_validator but no cache_for, so nothing is cached.", stacklevel=4
            )
        if cache_for is not None:
            self.cache_for = fit("cache_for", cache_for, self.name)
        if validator is not None:
            self.cache_validator = fit("cache_validator", validator, self.name)
        if key is not None:
            self.cache_key = fit("cache_key", key, self.name)

    if TYPE_CHECKING:  # any arguments, so that tasks may have their own

        def run(self, *args: Any, **kwargs: Any) -> Any:
            """What the task does; its arguments are the task's inputs."""
    else:

        def run(self):  # noqa: ANN201 - typed above
            """What the task does; its arguments are the task's inputs."""

    # -- calls ---------------------------------------------------------------------------------------------------------

    def __call__(
        self,
        *args: Any,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """Add a copy of this task to the open flow, with these arguments.

        Raises:
            NoActiveFlowError: no flow is open and none is given.
            TaskCallError: the arguments do not fit the function.
        """
        into = open_flow.get() if flow is None else None
        if into is None:
            into = _flow_for(self, flow)
        new = self._clone()
        new._origin = self._origin or self
        if task_args is not None or self.slug is not None:
            new._change({} if task_args is None else task_args)
        new._enter(into, args, kwargs, mapped, upstream_tasks)
        return new

    def bind(
        self,
        *args: Any,
        mapped: bool = False,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """Add this very task, not a copy, to the open flow, with these arguments."""
        self._enter(_flow_for(self, flow), args, kwargs, mapped, upstream_tasks)
        return self

    def _enter(
        self,
        flow: Flow,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        mapped: bool,
        upstream_tasks: Iterable[Any] | None,
    ) -> None:
        try:
            arguments = fitted(self._signature, args, kwargs)
        except TypeError as error:
            raise TaskCallError(self.name, flow.name, str(error)) from None
        more_tags = open_tags.get()
        if more_tags:
            self.tags = {*self.tags, *more_tags}
        if mapped:
            self.is_mapped = True
        flow._add_call(self, arguments, upstream_tasks, mapped)

    def map(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Add a copy that runs once for each element of its arguments; `unmapped` ones go to every child whole.

        Raises:
            ValueError: inside `apply_map`, which maps already.
            TypeError: a constant that has no elements.
        """
        if in_apply_map.get():
            raise ValueError(
                f"Task {self.name!r} cannot be mapped inside `apply_map`, which maps it already. Call it plainly."
            )
        if not args and not kwargs and not upstream_tasks:
            raise TaskCallError(self.name, None, "map needs at least one argument to map over.")
        call = Task.__call__
        return call(self, *args, mapped=True, task_args=task_args, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def pipe(self, _next: Task, /, **kwargs: Any) -> Task:
        """``a.pipe(b, k=v)`` is ``b(a, k=v)``, to be read from left to right."""
        return _next(self, **kwargs)

    # -- copies --------------------------------------------------------------------------------------------------------

    def _clone(self) -> Self:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def copy(self, **task_args: Any) -> Self:
        """Another task like this one, with these attributes changed and nothing before or after it."""
        flow = open_flow.get()
        if flow is not None and self in flow._into and (flow._into[self] or flow.edges_from(self)):
            warnings.warn(
                f"Task {self.name!r} is copied, which has edges in flow {flow.name!r}; the copy has none of them.",
                stacklevel=2,
            )
        new = self._clone()
        new._origin = None
        new._change(task_args)
        if flow is not None:
            flow._created.pop(self, None)  # it was of use: the copy is what counts now
            flow._created[new] = None
        return new

    def _change(self, task_args: Mapping[str, Any]) -> None:
        if not isinstance(task_args, Mapping):
            raise TypeError(
                f"task_args of task {self.name!r} are a dict, such as {{'name': 'load'}}, not {task_args!r}."
            )
        for attribute, value in task_args.items():
            if not isinstance(attribute, str):
                raise TypeError(f"task_args of task {self.name!r} name its attributes; {attribute!r} is no name.")
            if attribute.startswith("_") or not hasattr(self, attribute):
                raise AttributeError(f"Task {self.name!r} has no attribute {attribute!r} to be set by task_args.")
            if attribute == "tags":  # the tags of a copy are added to those it has
                self.tags = {*self.tags, *as_tags(value, self.name)}
            else:
                setattr(self, attribute, value if value is None else fit(attribute, value, self.name))
        if self.slug is not None and "slug" not in task_args:
            self.slug = f"{self.slug}-copy"
        if {"max_retries", "retry_delay", "retry_on"} & task_args.keys():
            self._set_retries(self.max_retries, self.retry_delay, self.retry_on, self.retry_policy.jitter)
            if not self.max_retries:
                self.retry_policy = NO_RETRY
        if "timeout" in task_args and self.timeout is not None:
            self.timeout = seconds_of(self.timeout, f"timeout of task {self.name!r}")
        if "map_limit" in task_args and self.map_limit is not None:
            at_least_one(self.map_limit, f"map_limit of task {self.name!r}")

    # -- order ---------------------------------------------------------------------------------------------------------

    def set_dependencies(
        self,
        flow: Flow | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> Self:
        """Say what this task waits for, what waits for it, and what its arguments are."""
        _flow_for(self, flow).set_dependencies(
            self,
            upstream_tasks=upstream_tasks,
            downstream_tasks=downstream_tasks,
            keyword_tasks=keyword_tasks,
            mapped=mapped,
            validate=validate,
        )
        return self

    def set_upstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Wait for another task; with ``key``, get its value as that argument."""
        if key is not None:
            return self.set_dependencies(flow=flow, mapped=mapped, keyword_tasks={key: task})
        return self.set_dependencies(flow=flow, mapped=mapped, upstream_tasks=[task])

    def set_downstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Let another task wait for this one; with ``key``, it gets this one's value as that argument."""
        into = _flow_for(self, flow)
        if key is not None:
            into.set_dependencies(task, mapped=mapped, keyword_tasks={key: self})
        else:
            into.set_dependencies(task, mapped=mapped, upstream_tasks=[self])
        return self

    # -- what it asks for and gives ------------------------------------------------------------------------------------

    def inputs(self) -> dict[str, dict[str, Any]]:
        """{argument: {"type": its annotation, "required": whether it has no default}}."""
        import inspect

        return {
            name: {
                "type": Any if p.annotation is p.empty else p.annotation,
                "required": name in self._signature.required,
            }
            for name, p in inspect.signature(self.run).parameters.items()
            if p.kind is not p.VAR_KEYWORD
        }

    def outputs(self) -> Any:
        """The annotation of what it returns; Any without one."""
        return getattr(self.run, "__annotations__", {}).get("return", Any)

    @cached_property  # and no property, so that a task's own __init__ may set another
    def logger(self) -> Any:
        """The logger whose lines are kept with the run; that of `context.logger`."""
        return doors.task_logger()

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: not the task that this one is a copy of."""
        return {key: value for key, value in self.__dict__.items() if key != "_origin"}

    # -- operators: each makes a task that does it when the flow runs --------------------------------------------------

    def __iter__(self) -> Iterator[Task]:
        if self.nout is None:
            raise TypeError(
                f"Task is not iterable: how many values {self.name!r} returns is known only when it has run. "
                "Say it: @task(nout=2), or annotate it to return tuple[A, B]."
            )
        return iter([self[number] for number in range(self.nout)])

    def __getitem__(self, key: Any) -> Task:
        from notebook_flows.core.operators import GetItem

        named = key.name if isinstance(key, Task) else repr(key)
        return GetItem(name=f"{self.name}[{named}]").bind(self, key)

    def is_equal(self, other: Any) -> Task:
        """A task that is True if both values are equal; ``==`` itself compares tasks."""
        return self._operate("Equal", self, other)

    def is_not_equal(self, other: Any) -> Task:
        """A task that is True if the values differ."""
        return self._operate("NotEqual", self, other)

    def not_(self) -> Task:
        """A task that is True if the value is not."""
        return self._operate("Not", self)

    def or_(self, other: Any) -> Task:
        """A task with ``a or b``; ``|`` itself makes order."""
        return self._operate("Or", self, other)

    def _operate(self, operator: str, *operands: Any) -> Task:
        from notebook_flows.core import operators

        made: Task = getattr(operators, operator)()
        return made.bind(*operands)

    def __add__(self, other: Any) -> Task:
        return self._operate("Add", self, other)

    def __radd__(self, other: Any) -> Task:
        return self._operate("Add", other, self)

    def __sub__(self, other: Any) -> Task:
        return self._operate("Sub", self, other)

    def __rsub__(self, other: Any) -> Task:
        return self._operate("Sub", other, self)

    def __mul__(self, other: Any) -> Task:
        return self._operate("Mul", self, other)

    def __rmul__(self, other: Any) -> Task:
        return self._operate("Mul", other, self)

    def __truediv__(self, other: Any) -> Task:
        return self._operate("Div", self, other)

    def __rtruediv__(self, other: Any) -> Task:
        return self._operate("Div", other, self)

    def __floordiv__(self, other: Any) -> Task:
        return self._operate("FloorDiv", self, other)

    def __rfloordiv__(self, other: Any) -> Task:
        return self._operate("FloorDiv", other, self)

    def __mod__(self, other: Any) -> Task:
        return self._operate("Mod", self, other)

    def __rmod__(self, other: Any) -> Task:
        return self._operate("Mod", other, self)

    def __pow__(self, other: Any) -> Task:
        return self._operate("Pow", self, other)

    def __rpow__(self, other: Any) -> Task:
        return self._operate("Pow", other, self)

    def __and__(self, other: Any) -> Task:
        return self._operate("And", self, other)

    def __rand__(self, other: Any) -> Task:
        return self._operate("And", other, self)

    def __gt__(self, other: Any) -> Task:
        return self._operate("GreaterThan", self, other)

    def __ge__(self, other: Any) -> Task:
        return self._operate("GreaterThanOrEqual", self, other)

    def __lt__(self, other: Any) -> Task:
        return self._operate("LessThan", self, other)

    def __le__(self, other: Any) -> Task:
        return self._operate("LessThanOrEqual", self, other)

    def __or__(self, other: Any) -> Any:
        """``a | b``: b waits for a; the value is b."""
        self.set_dependencies(downstream_tasks=[other])
        return other

    def __ror__(self, other: Any) -> Self:
        self.set_dependencies(upstream_tasks=[other])
        return self


class FunctionTask(Task):
    """A task around a function; what ``@task`` makes."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **kwargs: Any) -> None:
        if not callable(fn):
            raise TypeError(f"A task is made of a function, not of {fn!r}.")
        self.run = fn  # type: ignore[method-assign] # the function is the task's run, with its own signature
        self.__doc__ = fn.__doc__
        super().__init__(name=name or getattr(fn, "__name__", type(fn).__name__), **kwargs)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        raise AttributeError(
            f"Task {self.name!r} has no attribute {attribute!r}. While the flow is built its value is not known yet; "
            f"to read an attribute of the value use `GetAttr()({self.name}, {attribute!r})`."
        )


@overload
def task(fn: Callable[..., Any], /) -> FunctionTask: ...
@overload
def task(fn: None = None, /, **task_options: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...
def task(fn: Callable[..., Any] | None = None, /, **task_options: Any) -> Any:
    """Make a task of a function; options are those of `Task`.

    >>> @task
    ... def double(x):
    ...     return 2 * x
    >>> double.run(21)
    42
    """
    if fn is None:
        return lambda function: FunctionTask(function, **task_options)
    return FunctionTask(fn, **task_options)


def defaults_from_attrs(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For ``run`` of a class: these arguments default to the attributes of the same names."""

    def decorate(run: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(run)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            for name in names:
                if kwargs.get(name) is None:
                    kwargs[name] = getattr(self, name)
            return run(self, *args, **kwargs)

        return wrapper

    return decorate


def _flow_for(task: Task, flow: Flow | None) -> Flow:
    if flow is not None and not hasattr(flow, "_add_call"):
        raise TypeError(f"Task {task.name!r} is put into a Flow, not into {flow!r}. Give flow=... the flow itself.")
    return flow_for(task, flow)
