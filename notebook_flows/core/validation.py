"""Everything that is wrong with a flow, found in one pass, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.core.collecting import no_collection
from notebook_flows.core.graph import Graph, Input, cycles_of, is_acyclic
from notebook_flows.core.standins import settle
from notebook_flows.errors import FlowValidationError, did_you_mean

if TYPE_CHECKING:
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.signature import Signature
    from notebook_flows.core.task import Task

LONGEST_CYCLE_SHOWN = 20
FOREIGN = "Some edges refer to tasks not contained in this flow"


def compiled(flow: Flow) -> Graph:
    """The flow's graph.

    Cost: O(tasks + edges); the graph is kept until the flow changes.

    Raises:
        FlowValidationError: with every problem of the flow.
    """
    derived = flow._derived
    if derived is not None and derived.graph is not None:
        return derived.graph
    problems = settle(flow)
    with no_collection():
        graph = _checked_graph(flow, problems)
    _check_reference_tasks(flow, problems)
    if problems:
        raise FlowValidationError(flow.name, problems)
    flow._derive().graph = graph
    return graph


def _checked_graph(flow: Flow, problems: list[str]) -> Graph:
    number = {task: i for i, task in enumerate(flow._into)}
    nobody: list[int] = []  # one list for all tasks that nothing waits for: the garbage collector walks each list
    downstream = [nobody] * len(number)
    inputs: list[list[Input]] = []
    mapped_tasks: set[int] = set()
    constants = flow.constants
    new_input = tuple.__new__
    fitting: set[tuple[object, ...]] = set()  # signatures, by id, with keys that fit: most tasks are given alike
    for i, (task, edges) in enumerate(flow._into.items()):
        mine: list[Input] = []
        keys: list[str] = []
        for upstream, _, key, mapped, flattened in edges:
            j = number.get(upstream)
            if j is None:
                problems.append(
                    f"{FOREIGN}: task {task.name!r} waits for {upstream.name!r}, which is no task of this flow."
                    f"{did_you_mean(upstream.name, [t.name for t in number])}"
                )
                if key is not None:
                    keys.append(key)  # it is given, though by a stranger
                continue
            if downstream[j] is nobody:
                downstream[j] = [i]
            else:
                downstream[j].append(i)
            if mapped:
                mapped_tasks.add(i)
            mine.append(new_input(Input, (j, key, mapped, flattened)))
            if key is not None:
                keys.append(key)
        inputs.append(mine)
        if task in constants:
            keys.extend(constants[task])
        shape = (id(task._signature), *keys)
        if shape not in fitting:
            if _fits(task._signature, keys):
                fitting.add(shape)
            else:
                _check_arguments(task, keys, problems)
    graph = Graph(inputs=inputs, downstream=downstream, mapped=frozenset(mapped_tasks))
    if not is_acyclic(graph):
        tasks = list(flow._into)
        problems.extend(_told_cycle([tasks[i].name for i in cycle]) for cycle in cycles_of(graph))
    return graph


def _fits(signature: Signature, keys: list[str]) -> bool:
    given = set(keys)
    is_complete = len(given) == len(keys) and signature.required <= given
    return is_complete and (signature.takes_any_name or given <= signature.names)


def _check_arguments(task: Task, keys: list[str], problems: list[str]) -> None:
    signature = task._signature
    for key in dict.fromkeys(keys):
        times = keys.count(key)
        if times > 1:
            problems.append(
                f"Argument {key!r} of task {task.name!r} has already been assigned: it is given {times} times."
            )
        if key not in signature.names and not signature.takes_any_name:
            known = ", ".join(sorted(signature.names)) or "none"
            problems.append(
                f"Task {task.name!r} has no argument {key!r}.{did_you_mean(key, signature.names)} Its arguments: {known}."
            )
    missing = [name for name in signature.positional if name in signature.required and name not in keys]
    missing += sorted(signature.required - set(keys) - set(missing))
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        problems.append(f"Task {task.name!r} is missing the required argument{'s' * (len(missing) > 1)} {listed}.")


def _told_cycle(names: list[str]) -> str:
    if len(names) == 1:
        return f"Cycle found; flows must be acyclic! Task {names[0]!r} waits for itself."
    shown = (
        names if len(names) <= LONGEST_CYCLE_SHOWN else [*names[:10], f"... {len(names) - 15} more ...", *names[-5:]]
    )
    return f"Cycle found; flows must be acyclic! {' → '.join([*shown, names[0]])}"


def _check_reference_tasks(flow: Flow, problems: list[str]) -> None:
    problems.extend(
        f"Some reference tasks are not contained in this flow: {task.name!r}."
        f"{did_you_mean(task.name, [t.name for t in flow._into])}"
        for task in flow._reference_tasks or ()
        if task not in flow._into
    )
