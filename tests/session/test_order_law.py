"""The law: task cells, run side by side in any order that the edges allow, leave what document order leaves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from any_order import cells_of, shape_of
from bench import Bench
from cells import ListSink
from hypothesis import HealthCheck, assume, event, given, note, settings, strategies as st
from programs import NOTEBOOK

from notebook_flows.analysis import connect
from notebook_flows.core.lifecycle import S
from notebook_flows.executors import ProcessExecutor
from notebook_flows.session.celltask import KernelCellTask
from notebook_flows.session.code import CellCode, prepare
from notebook_flows.session.exclusive import run_exclusive
from notebook_flows.session.landing import land
from notebook_flows.session.lanes import Lane
from notebook_flows.session.private import NeedsRealNamespace, run_private
from notebook_flows.session.values import CellValues

if TYPE_CHECKING:
    from collections.abc import Iterator

Notebook = Sequence[tuple[str, bool]]
_TIMES = float(os.environ.get("NOTEBOOK_FLOWS_EXAMPLES", "1"))
_GONE = object()
_HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def shared_values(names: dict[str, Any]) -> list[Any]:
    """Values and what is shared of them; but a function that a task has put into a list is a copy of the one that lands."""
    return shape_of(names, with_functions=False)


class Attempt:
    """One task cell, and what it is given."""

    def __init__(self, run: SideBySide, number: int) -> None:
        self.number = number
        self.code = run.codes[number]
        self.links = run.links.cells[f"k{number}"]
        self.names = run.names
        self.values, self.absent = run.given_to(number)
        self.predicted = self.links.outputs | self.links.may_outputs | self.links.deletes

    def privately(self, begun: Callable[[Any], None]) -> CellValues:
        return run_private(
            self.code,
            values=self.values,
            user_ns=self.names,
            sink=ListSink(),
            absent=self.absent,
            predicted=self.predicted,
            begun=begun,
        )

    def alone(self) -> CellValues:
        return run_exclusive(
            self.code,
            values=self.values,
            user_ns=self.names,
            sink=ListSink(),
            absent=self.absent,
            predicted=self.predicted,
        )

    def as_task(self) -> KernelCellTask:
        return KernelCellTask(
            self.code,
            user_ns=self.names,
            inputs=lambda: self.values,
            sink=ListSink,
            lane=Lane.PROCESSES,
            hands_back=self.links.mutates,
            absent=self.absent,
            predicted=self.predicted,
        )


Together = Callable[[list[Attempt]], list[CellValues | None]]
"""Runs several cells at once; None for one that has to run alone."""


class SideBySide:
    """One run of a notebook; ``choose`` says which of the tasks that could run next do, all at once."""

    def __init__(self, notebook: Notebook, choose: Callable[[list[int]], list[int]], together: Together) -> None:
        self.notebook = notebook
        self.links = connect(cells_of(notebook))
        self.codes: list[CellCode] = [
            prepare(source, key=f"k{number}", name=f"c{number}") for number, (source, _) in enumerate(notebook)
        ]
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.waves: list[list[int]] = []
        self._choose = choose
        self._together = together
        self._versions: dict[tuple[int, str], Any] = {}
        self._landed: dict[str, int] = {}
        self._pending: list[int] = []

    def run(self) -> dict[str, Any]:
        """What the names stand for at the end."""
        for number, (source, is_task) in enumerate(self.notebook):
            if is_task:
                self._pending.append(number)
                continue
            needed = self.links.needed_before(f"k{number}", [f"k{other}" for other in self._pending])
            self._run_tasks({int(key[1:]) for key in needed})
            self._run_ordinary(number, source)
        self._run_tasks(set(self._pending))
        return self.names

    def given_to(self, number: int) -> tuple[dict[str, Any], set[str]]:
        """The values that a cell takes, and the names that have been deleted above it."""
        values, absent = {}, set()
        for name, definers in self.links.cells[f"k{number}"].inputs.items():
            for key in definers:
                value = self._versions.get((int(key[1:]), name), self)
                if value is _GONE:
                    values.pop(name, None)
                    absent.add(name)
                elif value is not self:
                    values[name] = value
                    absent.discard(name)
        return values, absent

    def _run_ordinary(self, number: int, source: str) -> None:
        before = dict(self.names)
        exec(source, self.names)
        links = self.links.cells[f"k{number}"]
        for name in before.keys() | self.names.keys():
            value = self.names.get(name, _GONE)
            if value is not before.get(name, _GONE) or name in links.outputs - links.may_outputs:
                self._versions[number, name] = value
                self._landed[name] = number

    def _run_tasks(self, wanted: set[int]) -> None:
        while wanted & set(self._pending):
            waiting = {
                int(edge.downstream_key[1:])
                for edge in self.links.task_edges
                if int(edge.upstream_key[1:]) in self._pending
            }
            ready = [number for number in self._pending if number not in waiting]
            wave = self._choose(ready)
            alone = [number for number in wave if self.links.cells[f"k{number}"].alone]
            if alone:
                wave = alone[:1]
            self.waves.append(wave)
            attempts = [Attempt(self, number) for number in wave]
            made = [None] if alone else self._together(attempts)
            event(f"side by side: {len(wave)}")
            event("alone" if None in made else "privately")
            for attempt, values in zip(attempts, made, strict=True):
                self._pending.remove(attempt.number)
                self._land(attempt.number, attempt.alone() if values is None else values)

    def _land(self, number: int, made: CellValues) -> None:
        assert made.unpredicted == frozenset()
        changes = {**made.handed_back, **made.bound, **dict.fromkeys(made.deleted, _GONE)}
        late = {name for name in changes if self._landed.get(name, -1) > number}
        for name, value in changes.items():
            self._versions[number, name] = value
            self._landed[name] = max(number, self._landed.get(name, -1))
        bound = {name: value for name, value in made.bound.items() if name not in late}
        back = {name: value for name, value in made.handed_back.items() if name not in late}
        land([replace(made, bound=bound, deleted=made.deleted - late, handed_back=back)], self.names)


def in_threads(attempts: list[Attempt]) -> list[CellValues | None]:
    """All at once: none runs its first line before all are about to."""
    barrier = threading.Barrier(len(attempts), timeout=60)
    made: dict[int, CellValues] = {}
    problems: list[BaseException] = []

    def run(attempt: Attempt) -> None:
        try:
            made[attempt.number] = attempt.privately(lambda _: barrier.wait())
        except NeedsRealNamespace:
            barrier.wait()
        except BaseException as error:
            problems.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if problems:
        raise problems[0]
    return [made.get(attempt.number) for attempt in attempts]


def _told(notebook: Notebook) -> str:
    return "\n---\n".join(f"{'task' if is_task else 'cell'}: {source}" for source, is_task in notebook[1:])


def _choice(data: st.DataObject) -> Callable[[list[int]], list[int]]:
    return lambda ready: data.draw(st.permutations(ready))[: data.draw(st.sampled_from([1, 2, 3, 4, 4, 4]))]


def in_any_order(
    notebook: Notebook, data: st.DataObject, together: Together, told: Callable[[dict[str, Any]], Any]
) -> None:
    """Compare a run side by side with the cells run from the top, as far as ``told`` tells their names."""
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for source, _ in notebook:
            exec(source, names)
    except Exception:
        assume(False)
    run = SideBySide(notebook, _choice(data), together)
    note(_told(notebook))

    run.run()

    note(f"waves: {run.waves}")
    assert told(run.names) == told(names)


@settings(max_examples=max(1, round(100 * _TIMES)), deadline=None, suppress_health_check=_HEALTH)
@given(notebook=NOTEBOOK, data=st.data())
def test_threads_leave_what_document_order_leaves(notebook: Notebook, data: st.DataObject) -> None:
    in_any_order(notebook, data, in_threads, shared_values)


# -- small notebooks, in which objects are reached by names only: processes promise to keep no more -----------------------

BEGINNING = """
a, b, c, n = [1], [2, 3], [4], 1
box, kept = {}, []
def both(x): return size(x) + 1
def size(x): return len(x) + n
def grow(x): x.append(n); return x
class Count:
    def __init__(self, x): self.x = size(x)
    def more(self): self.x += n; return self
o = Count(a)
"""
PLAIN_LINES = [
    "{v} = {w} + [n]",
    "{v} = {w}",
    "{v} = [{w}, n]",
    "{v}.append(size({w}))",
    "{v} += [n]",
    "grow({v})",
    "{v} = grow({w})",
    "n = size({v})",
    "n = n + 1",
    "box['{v}'] = n",
    "box['{v}'] = {w}",
    "{v} = [o.x]",
    "o.more()",
    "n = n + 1\no.more()",
    "n = n + 2\n{v} = [size({w})]",
    "m = o.more\nm()",
    "{v} = [x * n for x in {w}[:2]]",
    "kept.append(size)\n{v} = [kept[0]({w})]",
    "def both(x): return size(x) + size({w})",
    "{v} = [both({w})]",
    "o = Count({v})",
    "def size(x): return len(x) * n + len({v})",
    "grow = lambda x: x + [size({v})]",
    "if len({v}) % 2:\n    {w} = [n]",
    "{v} = [size(x) for x in ({w}, {v})]",
    "def grow(x):\n    x.append(len({v}))\n    return x",
]


@st.composite
def plain_notebooks(draw: st.DrawFn) -> list[tuple[str, bool]]:
    """Notebooks whose objects are changed by their own names only."""
    name = st.sampled_from(["a", "b", "c"])
    line = st.builds(lambda line, v, w: line.format(v=v, w=w), st.sampled_from(PLAIN_LINES), name, name)
    source = st.lists(line, min_size=1, max_size=3).map("\n".join)
    cells = st.lists(st.tuples(source, st.sampled_from([True, True, True, False])), min_size=2, max_size=6)
    return [(BEGINNING, False), *draw(cells)]


@settings(max_examples=max(1, round(100 * _TIMES)), deadline=None, suppress_health_check=_HEALTH)
@given(notebook=plain_notebooks(), data=st.data())
def test_threads_leave_it_where_functions_meet_the_names_of_tasks(notebook: Notebook, data: st.DataObject) -> None:
    in_any_order(notebook, data, in_threads, shared_values)


@pytest.fixture(scope="module")
def processes() -> Iterator[Together]:
    with Bench(ProcessExecutor(2)) as bench:

        def together(attempts: list[Attempt]) -> list[CellValues | None]:
            tasks = [attempt.as_task() for attempt in attempts]
            outcomes = bench.outcomes(tasks)
            assert {outcome.state for outcome in outcomes} == {S.SUCCESS}, outcomes
            return [task.values_of(outcome.value) for task, outcome in zip(tasks, outcomes, strict=True)]

        yield together


def plainly(names: dict[str, Any]) -> dict[str, Any]:
    """The values of names, without what they share."""

    def told(value: Any) -> Any:
        if isinstance(value, list):
            return [told(one) for one in value]
        if isinstance(value, dict):
            return {key: told(one) for key, one in value.items()}
        return told(vars(value)) if type(value).__name__ == "Count" else getattr(value, "__name__", value)

    return {name: told(value) for name, value in names.items() if name != "__builtins__"}


@settings(max_examples=max(1, round(25 * _TIMES)), deadline=None, suppress_health_check=_HEALTH)
@given(notebook=plain_notebooks(), data=st.data())
def test_processes_leave_what_document_order_leaves(
    notebook: Notebook, data: st.DataObject, processes: Together
) -> None:
    in_any_order(notebook, data, processes, plainly)


@settings(max_examples=max(1, round(25 * _TIMES)), deadline=None, suppress_health_check=_HEALTH)
@given(notebook=plain_notebooks(), data=st.data())
def test_threads_and_processes_together_leave_it_too(
    notebook: Notebook, data: st.DataObject, processes: Together
) -> None:
    def mixed(attempts: list[Attempt]) -> list[CellValues | None]:
        here = [attempt for attempt in attempts if attempt.number % 2]
        made = dict(zip((one.number for one in here), in_threads(here), strict=True)) if here else {}
        away = [attempt for attempt in attempts if not attempt.number % 2]
        made |= dict(zip((one.number for one in away), processes(away), strict=True)) if away else {}
        return [made[attempt.number] for attempt in attempts]

    in_any_order(notebook, data, mixed, plainly)
