"""Branches: `case`, `switch`, `ifelse`, and `merge`, which brings them together again."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from notebook_flows.core import building, signals, triggers
from notebook_flows.core.context import context
from notebook_flows.core.gates import put_behind
from notebook_flows.core.task import Task
from notebook_flows.errors import did_you_mean

if TYPE_CHECKING:
    from contextvars import Token

    from notebook_flows.core.flow import Flow


class CompareValue(Task):
    """Goes on if the value is the expected one, else skips, and with it the branch behind it."""

    auto_generated = True

    def __init__(self, value: Any, **kwargs: Any) -> None:
        self.value = value
        kwargs.setdefault("name", f"CompareValue: {value!r}")
        super().__init__(**kwargs)

    def run(self, value: Any) -> None:
        """Compare; raises SKIP where they differ."""
        if value != self.value:
            raise signals.SKIP(f'Provided value "{value}" did not match "{self.value}"')


class Bool(Task):
    """``bool(value)``, which `ifelse` branches on."""

    auto_generated = True

    def run(self, value: Any) -> bool:
        """Convert it."""
        return bool(value)


class Merge(Task):
    """The first value, in the order given, of a branch that ran."""

    auto_generated = True

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get("skip_on_upstream_skip"):
            raise ValueError("A merge comes after skipped branches, so `skip_on_upstream_skip` must be False for it.")
        kwargs["skip_on_upstream_skip"] = False
        kwargs.setdefault("trigger", triggers.not_all_skipped)
        super().__init__(**kwargs)

    def run(self, **branches: Any) -> Any:
        """Take the first that is not None."""
        by_number = sorted(branches.items(), key=lambda pair: int(pair[0].removeprefix("task_")))
        return next((value for _, value in by_number if value is not None), None)


class case:  # noqa: N801 - reads as a statement: with case(...)
    """Tasks made inside the block run only if the task's value is this one.

    Args:
        task: whose value decides.
        value: which value to go on with; not a task.
    """

    def __init__(self, task: Task, value: Any) -> None:
        if isinstance(value, Task):
            raise TypeError(f"case({task!r}, {value!r}): the value to compare with cannot be a task.")
        self.task = task
        self.value = value
        self._made: dict[Task, Flow] = {}
        self._token: Token[building.Block | None] | None = None
        self._outer: building.Block | None = None

    def add_task(self, task: Task, flow: Flow) -> None:
        """A task was made in the block."""
        self._made[task] = flow

    def __enter__(self) -> Self:
        self._outer = building.open_block.get()
        self._token = building.open_block.set(self)
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        assert self._token is not None
        building.open_block.reset(self._token)
        if error_type is not None or not self._made:
            return
        flow = next(iter(self._made.values()))
        condition = CompareValue(self.value, name=f"case({self.value})").bind(value=self.task, flow=flow)
        put_behind(flow, condition, self._made)
        if self._outer is not None:
            for task in self._made:
                self._outer.add_task(task, flow)


def switch(condition: Task, cases: Mapping[Any, Task], mapped: bool = False) -> None:
    """Of these branches run the one whose key is the condition's value; the others are skipped."""
    if not isinstance(condition, Task):
        raise TypeError(f"switch decides by the value of a task, and {condition!r} is none.")
    if not isinstance(cases, Mapping):
        raise TypeError(f"The cases of a switch are a dict, such as {{'a': task_a, 'b': task_b}}, not {cases!r}.")
    flow = building.flow_for(condition, None)
    for value, branch in cases.items():
        compare = CompareValue(value, name=f"CompareValue: {value!r}").bind(value=condition, mapped=mapped)
        flow.set_dependencies(branch, upstream_tasks=[compare], mapped=mapped)


def ifelse(
    condition: Task, true_task: Task | None = None, false_task: Task | None = None, mapped: bool = False
) -> None:
    """Run one task if the condition is true, the other if it is not; either may be None."""
    as_bool = Bool().bind(condition, mapped=mapped)
    branches = {value: task for value, task in ((True, true_task), (False, false_task)) if task is not None}
    switch(as_bool, branches, mapped=mapped)


def merge(*tasks: Any, flow: Flow | None = None, mapped: bool = False, **kwargs: Any) -> Task:
    """The value of the first of these branches, in the order given, that ran and gave something.

    Args:
        *tasks: the last tasks of the branches.
        flow: the open one unless given.
        mapped: merge element by element.
        **kwargs: options of the task, such as ``name`` and ``checkpoint``.
    Raises:
        ValueError: ``skip_on_upstream_skip=True``.
        TypeError: an option that tasks do not have.
    """
    options = inspect.signature(Task.__init__).parameters.keys() - {"self"}
    if unknown := [name for name in kwargs if name not in options]:
        raise TypeError(
            f"A merge has no option {unknown[0]!r}.{did_you_mean(unknown[0], options)} "
            "The tasks to merge are given by position: merge(a, b)."
        )
    return Merge(**kwargs).bind(
        mapped=mapped, flow=flow, **{f"task_{number}": task for number, task in enumerate(tasks, 1)}
    )


class FilterTask(Task):
    """The list without None and without exceptions; or by a function of one's own.

    Args:
        filter_func: keeps an element if it is true of it.
        log_func: makes of the kept ones a line for the log.
    """

    def __init__(self, filter_func: Any = None, log_func: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("skip_on_upstream_skip", False)
        kwargs.setdefault("trigger", triggers.all_finished)
        self.filter_func = filter_func or _worth_keeping
        self.log_func = log_func
        super().__init__(**kwargs)

    def run(self, task_results: list[Any]) -> list[Any]:
        """Filter it."""
        kept = [one for one in task_results if self.filter_func(one)]
        if self.log_func is not None and (logger := context.get("logger")) is not None:
            logger.info(self.log_func(kept))
        return kept


def _worth_keeping(value: Any) -> bool:
    return value is not None and not isinstance(value, BaseException)
