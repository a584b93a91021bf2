"""What one run is to do: a graph, plus how its tasks are to be treated."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from notebook_flows.core.graph import Graph, Input
from notebook_flows.core.lifecycle import S
from notebook_flows.core.task import FunctionTask
from notebook_flows.core.terminals import deciding
from notebook_flows.core.triggers import Counts, Trigger, Verdict, all_successful
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.task import Task

_NO_GRAPH: Mapping[str, Any] = {"names": (), "slugs": (), "edges": {"from": (), "to": (), "keys": (), "flags": {}}}
LONGEST_SEGMENT = 64
NO_FOLLOWER = -1
LONGEST_RUN_ID = 64


def checked_run_id(text: Any) -> str:
    """The id of a run, if it can be one; it becomes part of file names and addresses.

    >>> checked_run_id("nightly-2021.01.31")
    'nightly-2021.01.31'

    Raises:
        ParameterError: it is no text of 1 to 64 letters, digits, ``.``, ``_`` and ``-``, or begins with a dot.
    """
    is_fit = isinstance(text, str) and 0 < len(text) <= LONGEST_RUN_ID and text.isascii() and text[0] != "."
    if not is_fit or not text.translate(_PUNCTUATION).isalnum():
        raise ParameterError(
            f"flow_run_id is {text!r}; it must be a text of 1 to {LONGEST_RUN_ID} letters, digits, '.', '_' and '-', "
            "and not begin with a dot."
        )
    return str(text)


_PUNCTUATION = str.maketrans("._-", "000")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How the n tasks of a graph are to be run.

    Attributes:
        graph: the tasks and edges.
        names: of the tasks, for people.
        complaints: what the triggers say when they do not allow a task to run.
        lanes: {mapped task: {task mapped over its children: by how many edges}}: children follow children one by one.
        judges: of each task with a trigger other than ``all_successful``, the counting trigger; None where user code
            has to judge.
        plain: of each task, whether an attempt is nothing but a call of its function.
        ignores_skips: tasks that run although a task before them was skipped.
        mapped: tasks that run once for each element.
        followers: of each task, the one task that may follow it at once on the same worker, or ``NO_FOLLOWER``.
        presets: tasks that do not run, and how they stand.
        resumed: tasks that a person has told to go on.
        references: the tasks that decide how the run ends.
        limits: {task: the limits that it counts for}.
        limit_sizes: how many may run at once, for each limit.
        fail_fast: start nothing new after a failure, but the clean-ups.
        cleanups: the tasks that clean up after a resource; needed where ``fail_fast`` is.
    """

    graph: Graph
    names: Sequence[str] = ()
    judges: Mapping[int, Callable[[Counts], Verdict] | None] = field(default_factory=dict)
    complaints: Mapping[int, str] = field(default_factory=dict)
    plain: Sequence[bool] = ()
    ignores_skips: frozenset[int] = frozenset()
    mapped: frozenset[int] = frozenset()
    lanes: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    followers: Sequence[int] = ()
    presets: Mapping[int, S] = field(default_factory=dict)
    resumed: frozenset[int] = frozenset()
    references: Sequence[int] = ()
    limits: Mapping[int, Sequence[int]] = field(default_factory=dict)
    limit_sizes: Sequence[int] = ()
    fail_fast: bool = False
    cleanups: frozenset[int] = frozenset()


def planned(
    flow: Flow,
    graph: Graph,
    tasks: Sequence[Task],
    *,
    presets: Mapping[int, S],
    resumed: frozenset[int],
    kept: frozenset[int] = frozenset(),
) -> Plan:
    """The plan of a whole flow.

    Args:
        flow: whose tasks these are.
        graph: of the flow.
        tasks: its n tasks, in the graph's order.
        presets: tasks that do not run, and how they stand.
        resumed: tasks that a person has told to go on.
        kept: tasks whose results are kept for other runs.
    """
    judges: dict[int, Callable[[Counts], Verdict] | None] = {}
    complaints: dict[int, str] = {}
    ignores_skips: set[int] = set()
    plain: list[bool] = []
    limits: dict[int, list[int]] = {}
    limit_sizes = list(flow.tag_limits.values())
    tags = {tag: number for number, tag in enumerate(flow.tag_limits)}
    all_plain = flow.result is None
    for number, task in enumerate(tasks):
        if task.trigger is not all_successful:
            trigger = task.trigger
            judges[number] = trigger.judge if isinstance(trigger, Trigger) else None
            complaints[number] = getattr(trigger, "complaint", "")
        if not task.skip_on_upstream_skip:
            ignores_skips.add(number)
        if number in graph.mapped and task.map_limit is not None:
            limits.setdefault(number, []).append(len(limit_sizes))
            limit_sizes.append(task.map_limit)
        if tags and task.tags:
            limits.setdefault(number, []).extend(tags[tag] for tag in sorted(task.tags) if tag in tags)
        plain.append(all_plain and number not in kept and is_plain(task))
    number_of = {task: number for number, task in enumerate(tasks)} if flow._reference_tasks else {}
    references: Sequence[int]
    if flow._reference_tasks:
        references = [number_of[task] for task in flow.reference_tasks()]
    else:
        references = deciding(tasks, graph.downstream)
    return Plan(
        graph=graph,
        names=[task.name for task in tasks],
        judges=judges,
        complaints=complaints,
        ignores_skips=frozenset(ignores_skips),
        plain=plain,
        mapped=graph.mapped,
        lanes=lanes_of(graph, graph.mapped),
        # in a segment, tasks would go on after a failure elsewhere
        followers=[NO_FOLLOWER] * len(tasks) if flow.fail_fast else _followers(tasks, graph, plain, limits),
        presets=presets,
        resumed=resumed,
        references=references,
        limits={number: found for number, found in limits.items() if found},
        limit_sizes=limit_sizes,
        fail_fast=flow.fail_fast,
        cleanups=_cleanups(tasks) if flow.fail_fast else frozenset(),
    )


def lanes_of(graph: Graph, mapped: Iterable[int]) -> dict[int, dict[int, int]]:
    """Which mapped tasks' children are followed, one by one, by the children of which others."""
    lanes: dict[int, dict[int, int]] = {}
    inside = set(mapped)
    for number in sorted(inside):
        for one in graph.inputs[number]:
            if one.is_mapped and not one.is_flattened and one.upstream in inside:
                after = lanes.setdefault(one.upstream, {})
                after[number] = after.get(number, 0) + 1
    return lanes


def _cleanups(tasks: Sequence[Task]) -> frozenset[int]:
    from notebook_flows.core.resource import ResourceCleanupTask

    return frozenset(number for number, task in enumerate(tasks) if isinstance(task, ResourceCleanupTask))


_NOT_PLAIN = frozenset({"state_handlers", "timeout", "log_stdout", "target", "cache_for", "task_run_name", "result"})
"""The options of a task that make an attempt more than a call of its function."""


def is_plain(task: Task) -> bool:
    """Whether an attempt is nothing but a call of the task's function."""
    signature = task._signature
    if type(task) is FunctionTask and _NOT_PLAIN.isdisjoint(task.__dict__):
        return not (signature.wants_context or signature.is_async)
    return not (
        task.state_handlers
        or task.timeout
        or task.log_stdout
        or task.target
        or task.cache_for
        or task.task_run_name
        or task.result is not None
        or signature.wants_context
        or signature.is_async
    )


def _followers(tasks: Sequence[Task], graph: Graph, plain: Sequence[bool], limits: Mapping[int, Any]) -> list[int]:
    followers = [NO_FOLLOWER] * len(tasks)
    if True not in plain:
        return followers
    for number, after in enumerate(graph.downstream):
        if len(after) != 1 or number in graph.mapped or tasks[number]._is_parameter:
            continue  # parameters never leave the calling process
        follower = after[0]
        inputs = graph.inputs[follower]
        if len(inputs) != 1 or inputs[0].is_flattened or follower in graph.mapped or follower in limits:
            continue
        is_async = tasks[number]._signature.is_async
        if plain[follower] and not is_async and tasks[follower].trigger is all_successful:
            followers[number] = follower
    return followers


def graph_as_json(graph: Graph, names: Sequence[str], slugs: Sequence[str], plan: Plan) -> dict[str, Any]:
    """The graph as a run's first event carries it: names, slugs, and the edges as columns.

    ``edges`` has ``from`` and ``to``, two numbers for each edge; ``keys``, the argument's name or null; and ``flags``
    for the few that have any, by the edge's place: 1 for mapped plus 2 for flattened. Columns, because 100,000 little
    lists would cost more than the run.
    """
    edges = list(chain.from_iterable(graph.inputs))
    upstream, keys, mapped, flattened = zip(*edges, strict=True) if edges else ((), (), (), ())
    is_plain_graph = True not in mapped and True not in flattened
    flags = (
        {}
        if is_plain_graph
        else {str(place): one[2] + 2 * one[3] for place, one in enumerate(edges) if one[2] or one[3]}
    )
    known: dict[str, Any] = {
        "names": list(names),
        "slugs": list(slugs),
        "edges": {
            "from": list(upstream),
            "to": [number for number, inputs in enumerate(graph.inputs) for _ in inputs],
            "keys": list(keys),
            "flags": flags,
        },
    }
    if plan.mapped:
        known["mapped"] = sorted(plan.mapped)
    if plan.ignores_skips:
        known["ignores_skips"] = sorted(plan.ignores_skips)
    return known


def graph_from_json(known: Mapping[str, Any]) -> Graph:
    """The graph that `graph_as_json` has written."""
    size = len(known["slugs"])
    inputs: list[list[Input]] = [[] for _ in range(size)]
    downstream: list[list[int]] = [[] for _ in range(size)]
    edges = known["edges"]
    for place, (upstream, number, key) in enumerate(zip(edges["from"], edges["to"], edges["keys"], strict=True)):
        flags = edges["flags"].get(str(place), 0)
        inputs[number].append(Input(upstream, key, bool(flags & 1), bool(flags & 2)))
        downstream[upstream].append(number)
    return Graph(inputs=inputs, downstream=downstream, mapped=frozenset(known.get("mapped", ())))


def plan_from_first_event(data: Mapping[str, Any]) -> Plan:
    """The plan behind a recorded run, as far as its events need one: to fold them, not to go on with the run.

    Args:
        data: what the run's first event carries. One without a graph is of a run that was lost before its first
            event was recorded: nothing is known of its tasks.
    """
    known = data.get("graph") or _NO_GRAPH
    graph = graph_from_json(known)
    return Plan(
        graph=graph,
        names=known["names"],
        ignores_skips=frozenset(known.get("ignores_skips", ())),
        mapped=graph.mapped,
        lanes=lanes_of(graph, graph.mapped),
        presets={int(number): S(state) for number, state in data.get("presets", {}).items()},
    )
