"""Going on with a run that has ended: what it has recorded, with the results that are needed, is not run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from notebook_flows.core.lifecycle import IS_SUCCESSFUL, S
from notebook_flows.core.triggers import Trigger
from notebook_flows.engine.call import Stored
from notebook_flows.engine.ports import Taken
from notebook_flows.errors import FlowError, ParameterError, StoreError
from notebook_flows.workspace.inputs import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import KnownResults
    from notebook_flows.store.keeping import ResultStore
    from notebook_flows.store.rows import RunRow, TaskRunRow
    from notebook_flows.workspace.inputs import InputPrints

LATEST = "latest"
_WITHOUT_VALUE = frozenset({S.SKIPPED, S.MAPPED, S.EXPANDED})
SHORT_ID = 8


class ResumeError(FlowError):
    """A run that cannot be gone on with; says why."""


class Recorded(NamedTuple):
    """How a task run of the earlier run ended.

    Attributes:
        result: the reference to its result; None: none was kept.
    """

    state: S
    result: Mapping[str, Any] | None
    took_us: int


class Source(NamedTuple):
    """The run that is gone on with."""

    run: RunRow
    recorded: Mapping[tuple[str, int], Recorded]


class _NotKept:
    """Stands for a value that was not kept, and that nobody needs."""

    def __init__(self, task: str, why: str) -> None:
        self.task, self.why = task, why

    def load(self, reference: Mapping[str, Any], inline: bytes | None = None) -> Any:
        """There is none.

        Raises:
            StoreError: always.
        """
        raise StoreError(f"The result of task {self.task!r} was not kept{f': {self.why}' if self.why else '.'}")


def resumable(
    history: Any, wanted: str, name: str, *, newest: Callable[[], str], this: Literal["flow", "notebook"]
) -> RunRow:
    """The run that is to be gone on with.

    Args:
        history: where it is.
        wanted: its id, the beginning of it, or ``latest``.
        name: of the flow or the notebook that goes on with it.
        newest: gives the id of the newest; asked for ``latest`` only.
        this: what it is that goes on.

    Raises:
        ResumeError: there is none, it is another one's, or it still runs.
        NoSuchRun: no run has this id.
    """
    if not hasattr(history, "task_runs"):
        raise ResumeError("The history is switched off, so there is no run to go on with.")
    history.sweep()  # what has died since this process first looked can be gone on with
    row: RunRow = history.run(newest() if wanted.lower() == LATEST else wanted)
    short_id = row.run_id[:SHORT_ID]
    if row.flow != name:
        whose = f"flow {row.flow!r}" if this == "flow" else repr(row.flow)
        raise ResumeError(f"Run {short_id} is one of {whose}, and this {this} is {name!r}.")
    if row.goes_on:
        raise ResumeError(f"Run {short_id} still runs. `notebook-flows cancel {short_id}` ends it.")
    return row


def source_of(history: Any, flow: Flow, wanted: str) -> Source:
    """What a run has recorded.

    Args:
        history: where it is.
        flow: that is to go on with it.
        wanted: its id, the beginning of it, or ``latest``: the newest of this flow.

    Raises:
        ResumeError: there is none, it is another flow's, or it still runs.
        NoSuchRun: no run has this id.
    """
    row = resumable(history, wanted, flow.name, newest=lambda: _newest(history, flow.name), this="flow")
    recorded: dict[tuple[str, int], Recorded] = {}
    for one in history.task_runs(row.run_id):  # by loop and attempt: the last counts
        recorded[one.slug, one.index] = _recorded(one)
    return Source(row, recorded)


def _newest(history: Any, flow: str) -> str:
    newest = history.runs(flow=flow, limit=1)
    if not newest:
        raise ResumeError(f"Flow {flow!r} has no run to go on with.")
    return str(newest[0].run_id)


def _recorded(row: TaskRunRow) -> Recorded:
    took_us = (row.ended_us or 0) - row.started_us if row.started_us is not None and row.ended_us is not None else 0
    return Recorded(row.state, row.result, max(took_us, 0))


def parameters_of(source: Source, flow: Flow, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the earlier run, unless they are given now.

    Raises:
        ParameterError: the history does not hold the value of one, which has to be given again.
    """
    found = dict(given)
    missing: list[str] = []
    known = {parameter.name for parameter in flow.parameters()}
    for name, value in source.run.parameters.items():
        if name in found or name not in known:
            continue
        if isinstance(value, dict) and value.keys() in ({"secret"}, {"repr", "type"}):
            missing.append(name)
        else:
            found[name] = value
    if missing:
        raise ParameterError(
            f"The history does not hold the values of these parameters of run {source.run.run_id[:SHORT_ID]}: "
            f"{', '.join(missing)}. Give them again."
        )
    return found


class Resumed:
    """Says which task runs need not run again.

    Args:
        source: what the earlier run has recorded.
        run: the run that goes on.
        tasks: the n tasks.
        slugs: of them.
        prints: makes keys and knows contents.
        known: where small contents are.
        store: loads results.
        changed: the parameters that have other values now.
    """

    def __init__(
        self,
        source: Source,
        run: Run,
        tasks: Sequence[Task],
        slugs: Sequence[str],
        prints: InputPrints,
        known: KnownResults,
        store: ResultStore,
        changed: frozenset[str],
    ) -> None:
        self._source = source
        self._run = run
        self._tasks = tasks
        self._slugs = slugs
        self._prints = prints
        self._known = known
        self._store = store
        self._by_slug: dict[str, list[Recorded]] = {}
        for (slug, _), one in source.recorded.items():
            self._by_slug.setdefault(slug, []).append(one)
        self._changed = {node for node, task in enumerate(tasks) if task._is_parameter and task.name in changed}
        self._anew: set[int] = set(self._changed)
        self._changed_code: dict[int, bool] = {}
        self._needed = self._needed_values()

    def ran(self, number: int) -> None:
        """Hear that a task run was run again."""
        self._anew.add(number)

    def find(self, number: int, node: int, index: int, key: str | None) -> Taken | None:
        """The recorded end of a task run, if it still holds."""
        before = self._source.recorded.get((self._slugs[node], index))
        if before is None or not IS_SUCCESSFUL[before.state] or isinstance(self._tasks[node], RESOURCES):
            return None
        result = before.result
        found = None
        if result is not None and "cached" in result:  # it was taken from the cache then
            found = self._known.find(result["cached"])
            if found is None:
                return None
            result = {**found.reference, "key": result["cached"]}
        was_made_of = None if result is None else result.get("key")
        if key is not None and was_made_of is not None:
            if key != was_made_of:
                return None
        elif self._is_changed(self._slugs[node], node) or self._has_other_inputs(node, index):
            return None
        data: dict[str, Any] = {"cached": {"run": self._source.run.run_id, "saved_us": before.took_us}}
        said = said_of(self._source.run.run_id, before.took_us)
        if before.state is S.SKIPPED:
            return Taken(S.SKIPPED, None, said, data if result is None else {**data, "result": result})
        if result is None or "sha256" not in result:
            if node in self._needed:
                return None
            if result is not None:
                data["result"] = result
            why = "" if result is None else str(result.get("why", ""))
            return Taken(S.CACHED, Stored({}, None, _NotKept(self._tasks[node].name, why)), said, data)
        inline = None
        if result["in"] == "history":
            inline = found.inline if found is not None else self._known.content(result["sha256"])
        if inline is None and (result["in"] == "history" or not self._store.has(result)):
            return None  # its content is gone: it has to be made again
        data["result"] = result
        return Taken(S.CACHED, Stored(result, inline, self._store), said, data)

    def _has_other_inputs(self, node: int, index: int) -> bool:
        """Whether something before it was run again, and has not given what it gave then."""
        return any(
            self._is_other(one) for upstream in self._run.plan.graph.inputs[node] for one in self._runs_of(upstream[0])
        )

    def _runs_of(self, node: int) -> range:
        children = self._run.children.get(node)
        return range(node, node + 1) if children is None else range(children.first, children.first + children.width)

    def _is_other(self, number: int) -> bool:
        if number not in self._anew:
            return False
        node, index = self._run.place_of(number)
        before = self._source.recorded.get((self._slugs[node], index))
        if before is None or before.result is None:
            return True
        return "content" not in before.result or before.result["content"] != self._prints.content.get(number)

    def _needed_values(self) -> set[int]:
        """The tasks whose values may be needed by one that may run: whoever has no recorded end, or comes after such."""
        graph = self._run.plan.graph
        done = {
            node
            for node, slug in enumerate(self._slugs)
            if node not in self._changed
            and all(IS_SUCCESSFUL[one.state] for one in self._ends_of(slug))
            and not self._is_changed(slug, node)
        }
        may_run: set[int] = set()
        needed: set[int] = set()
        reading = [node for node in range(len(graph)) if self._is_judged(node)]  # before it is known whether they run
        waiting = [node for node in range(len(graph)) if node not in done]
        while waiting or reading:
            if waiting:
                node = waiting.pop()
                if node not in may_run:
                    may_run.add(node)
                    waiting.extend(graph.downstream[node])
                    reading.append(node)
                continue
            for upstream in self._reads(reading.pop()):
                if upstream in needed:
                    continue
                needed.add(upstream)
                if self._has_lost(upstream):  # it runs again for its value, and needs values itself
                    reading.append(upstream)
                    waiting.extend(node for node in graph.downstream[upstream] if not self._had_key(node))
        return needed

    def _had_key(self, node: int) -> bool:
        """Whether it will be known that it was given the same again: it had a key, and all is there that makes one."""
        ends = self._ends_of(self._slugs[node])
        has_key = all("key" in (one.result or ()) or "cached" in (one.result or ()) for one in ends)
        return has_key and not any(self._has_lost(upstream) for upstream in self._reads(node))

    def _is_judged(self, node: int) -> bool:
        """Whether a trigger of the user's looks at the states before it, and at their results."""
        return not isinstance(self._tasks[node].trigger, Trigger)

    def _reads(self, node: int) -> list[int]:
        """The tasks whose values a task gets: its arguments; all before it where it, or a trigger of the user's, sees their states."""
        task = self._tasks[node]
        sees_all = self._is_judged(node) or task._signature.wants_context
        return [one.upstream for one in self._run.plan.graph.inputs[node] if sees_all or one.key is not None]

    def _ends_of(self, slug: str) -> list[Recorded]:
        return self._by_slug.get(slug) or [Recorded(S.PENDING, None, 0)]

    def _has_lost(self, node: int) -> bool:
        return any(
            one.state not in _WITHOUT_VALUE
            and (one.result is None or ("sha256" not in one.result and "cached" not in one.result))
            for one in self._ends_of(self._slugs[node])
        )

    def _is_changed(self, slug: str, node: int) -> bool:
        """Whether its code is another one now; if that cannot be told, it counts as the same."""
        known = self._changed_code.get(node)
        if known is None:
            known = self._changed_code[node] = self._has_other_code(slug, node)
        return known

    def _has_other_code(self, slug: str, node: int) -> bool:
        try:
            code = self._prints.code(node)
        except Exception:  # Unhashable; and what a value of the user's own raises when it is looked at
            return False
        for one in self._by_slug.get(slug, []):
            result = one.result
            if result is not None and "cached" in result:
                found = self._known.find(result["cached"])
                result = {"code": ""} if found is None else found.reference
            if result is not None and result.get("code", code) != code:
                return True
        return False


def said_of(run_id: str, took_us: int) -> str:
    """Where a result is from, and what it has saved.

    >>> said_of("0123456789abcdef", 41_200_000)
    'From run 01234567, saved 41 s.'
    """
    seconds = took_us / 1e6
    saved = f", saved {seconds:.0f} s" if seconds >= 10 else f", saved {seconds:.1f} s" if seconds >= 0.1 else ""
    return f"From run {run_id[:SHORT_ID]}{saved}."
