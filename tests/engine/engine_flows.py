"""Random flows of real tasks, and a plain evaluation of them beside the engine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zlib import crc32

from hypothesis import HealthCheck, settings, strategies as st

from notebook_flows import Flow, Task, context, flatten, mapped, signals, triggers

KEYS = "abc"


def laws(examples: int) -> settings:
    """How many flows a law is tried on: NOTEBOOK_FLOWS_EXAMPLES=10 tries ten times as many."""
    times = float(os.environ.get("NOTEBOOK_FLOWS_EXAMPLES", "1"))
    return settings(
        max_examples=max(1, round(examples * times)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@dataclass(frozen=True)
class Node:
    """One task.

    Attributes:
        edges: (upstream, is mapped, is flattened), at most three.
        lucks: of the task, or of its children in turn: how often it fails before it ends, and how.
        width: how many elements its value has.
    """

    edges: tuple[tuple[int, bool, bool], ...] = ()
    lucks: tuple[tuple[int, str], ...] = ((0, "Success"),)
    width: int = 2
    runs_always: bool = False
    ignores_skips: bool = False


def value_of(place: int, width: int, inputs: dict[str, Any]) -> list[list[int]]:
    """A list of lists that nobody else has: it depends on all that came in."""
    seed = crc32(told(inputs).encode())
    return [[place, seed, number] for number in range(width)]


def told(value: Any) -> str:
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, dict):
        return ",".join(f"{key}={told(one)}" for key, one in sorted(value.items()))
    if isinstance(value, list):
        return f"[{','.join(map(told, value))}]"
    return repr(value)


class Act(Task):
    """Does what its node's luck says."""

    def __init__(self, place: int, node: Node) -> None:
        retries = max(luck[0] for luck in node.lucks)
        super().__init__(
            name=f"t{place}",
            trigger=triggers.all_finished if node.runs_always else None,
            skip_on_upstream_skip=not node.ignores_skips,
            **({"max_retries": retries, "retry_delay": timedelta(0)} if retries else {}),
        )
        self.place = place
        self.node = node

    def run(self, a: Any = None, b: Any = None, c: Any = None) -> Any:
        inputs = dict(zip(KEYS, (a, b, c), strict=True))
        index = context.get("map_index") or 0
        failures, end = self.node.lucks[index % len(self.node.lucks)]
        if context["attempt"] <= failures:
            raise ConnectionError("not yet")
        if end == "Failed":
            raise ValueError(told(inputs))
        if end == "Skipped":
            raise signals.SKIP("nothing to do")
        return value_of(self.place, self.node.width, inputs)


def built(nodes: tuple[Node, ...]) -> tuple[Flow, list[Task]]:
    flow = Flow("random")
    tasks: list[Task] = []
    for place, node in enumerate(nodes):
        one = Act(place, node)
        keywords = {}
        for key, (upstream, is_mapped, is_flattened) in zip(KEYS, node.edges, strict=False):
            argument: Any = tasks[upstream]
            if is_flattened:
                argument = flatten(argument)
            keywords[key] = mapped(argument) if is_mapped else argument
        flow.add_task(one)
        flow.set_dependencies(one, keyword_tasks=keywords)
        tasks.append(one)
    return flow, tasks


@st.composite
def random_nodes(draw: st.DrawFn, *, most: int = 7) -> tuple[Node, ...]:
    nodes = []
    for place in range(draw(st.integers(1, most))):
        edge = st.tuples(st.integers(0, max(place - 1, 0)), st.booleans(), st.sampled_from([False, False, True]))
        nodes.append(
            Node(
                edges=tuple(draw(st.lists(edge, max_size=3))) if place else (),
                lucks=tuple(
                    draw(
                        st.lists(
                            st.tuples(
                                st.sampled_from([0, 0, 0, 0, 1]),
                                st.sampled_from(["Success"] * 7 + ["Failed", "Skipped"]),
                            ),
                            min_size=1,
                            max_size=2,
                        )
                    )
                ),
                width=draw(st.integers(0, 3)),
                runs_always=draw(st.sampled_from([False, False, False, True])),
                ignores_skips=draw(st.sampled_from([False, False, True])),
            )
        )
    return tuple(nodes)


# -- the plain evaluation ----------------------------------------------------------------------------------------------

End = tuple[str, Any]
"""The name of the class of the State, and the value; of a mapped task the ends of its children."""


def evaluated(nodes: tuple[Node, ...]) -> list[End]:
    """How each task ends, worked out one by one in the order of definition."""
    ends: list[End] = []
    for place, node in enumerate(nodes):
        ends.append(_evaluated(place, node, ends))
    return ends


def _evaluated(place: int, node: Node, ends: list[End]) -> End:
    lanes = [m and not f and ends[up][0] == "Mapped" for up, m, f in node.edges]
    whole = [
        state for (up, _, _), lane in zip(node.edges, lanes, strict=True) if not lane for state in _states(ends[up])
    ]
    is_mapped = any(edge[1] for edge in node.edges)
    if not is_mapped:
        verdict = _verdict(node, whole)
        return _attempted(place, node, 0, ends) if verdict is None else verdict
    verdict = _verdict(node, whole)
    if verdict is not None:
        return verdict
    widths = []
    for up, m, f in node.edges:
        if m and ends[up][0] != "Mapped" and ends[up][0] in {"Failed", "TriggerFailed"}:
            return ("TriggerFailed", None)
        if m:
            try:
                widths.append(len(ends[up][1] if not f else _flat(ends[up])))
            except TypeError:
                return ("Failed", None)
    children: list[End] = []
    for index in range(min(widths)):
        above = [ends[up][1][index][0] for (up, _, _), lane in zip(node.edges, lanes, strict=True) if lane]
        verdict = _verdict(node, [*whole, *above])
        children.append(_attempted(place, node, index, ends) if verdict is None else verdict)
    return ("Mapped", children)


def _states(end: End) -> list[str]:
    return [child[0] for child in end[1]] if end[0] == "Mapped" else [end[0]]


def _verdict(node: Node, before: list[str]) -> End | None:
    if "Skipped" in before and not node.ignores_skips:
        return ("Skipped", None)
    if not node.runs_always and {"Failed", "TriggerFailed"} & set(before):
        return ("TriggerFailed", None)
    return None


def _attempted(place: int, node: Node, index: int, ends: list[End]) -> End:
    inputs: dict[str, Any] = dict.fromkeys(KEYS)
    try:
        for key, (up, is_mapped, is_flattened) in zip(KEYS, node.edges, strict=False):
            value = _flat(ends[up]) if is_flattened else _plain(ends[up])
            inputs[key] = value[index] if is_mapped else value
    except TypeError as error:
        return ("Failed", error)
    end = node.lucks[index % len(node.lucks)][1]
    if end == "Success":
        return (end, value_of(place, node.width, inputs))
    return (end, ValueError(told(inputs)) if end == "Failed" else None)


def _plain(end: End) -> Any:
    return [child[1] for child in end[1]] if end[0] == "Mapped" else end[1]


def _flat(end: End) -> list[Any]:
    return [element for part in _plain(end) for element in part]


def ends_in(state: Any, tasks: list[Task]) -> list[End]:
    """The same of a run."""
    return [_end_of(state.result[task]) for task in tasks]


def _end_of(state: Any) -> End:
    name = type(state).__name__
    if name == "Mapped":
        return (name, [_end_of(child) for child in state.map_states])
    return (name, state.result)


def same(found: list[End], expected: list[End]) -> bool:
    """Whether states are the same, and values, and the messages of errors."""
    return [_comparable(end) for end in found] == [_comparable(end) for end in expected]


def _comparable(end: End) -> Any:
    name, value = end
    if name == "Mapped":
        return (name, [_comparable(child) for child in value])
    if name == "Failed":
        return (name, str(value) if type(value) is ValueError else None)
    return (name, value if name == "Success" else None)
