"""Runs told in the names of their tasks: a plan in a few words, what has happened, and what follows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

from notebook_flows.core.decide import End, Expand, Judge, Mark, Start, decide
from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.graph import Graph, Input
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import NO_FOLLOWER, Plan, lanes_of
from notebook_flows.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from notebook_flows.core.triggers import Trigger

HOUR_US = 3_600_000_000


def laws(examples: int) -> settings:
    """How many flows a law is tried on: NOTEBOOK_FLOWS_EXAMPLES=10 tries ten times as many."""
    times = float(os.environ.get("NOTEBOOK_FLOWS_EXAMPLES", "1"))
    return settings(
        max_examples=max(1, round(examples * times)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass
class T:
    """One task of a plan: what it waits for, and how it is treated."""

    after: str = ""
    over: str = ""
    flat_over: str = ""
    trigger: Trigger | None = None
    own_trigger: bool = False
    ignores_skips: bool = False
    limits: Sequence[str] = field(default_factory=tuple)


def plan_of(
    *,
    limits: Mapping[str, int] | None = None,
    fail_fast: bool = False,
    references: str | None = None,
    presets: Mapping[str, S] | None = None,
    resumed: str = "",
    cleanups: str = "",
    **tasks: str | T,
) -> Plan:
    """A plan; each task is given by the names that it waits for, or as a `T`.

    >>> len(plan_of(load="", clean="load", report="load clean").graph)
    3
    """
    names = list(tasks)
    number = {name: place for place, name in enumerate(names)}
    nodes = [T(after=one) if isinstance(one, str) else one for one in tasks.values()]
    inputs = [
        [
            *(Input(number[one], one, False, False) for one in node.after.split()),
            *(Input(number[one], one, True, False) for one in node.over.split()),
            *(Input(number[one], one, True, True) for one in node.flat_over.split()),
        ]
        for node in nodes
    ]
    sizes = limits or {}
    limit_number = {name: place for place, name in enumerate(sizes)}
    return plan_from(
        inputs,
        names=names,
        judges={
            place: None if node.own_trigger else node.trigger.judge
            for place, node in enumerate(nodes)
            if node.own_trigger or node.trigger is not None
        },
        complaints={place: node.trigger.complaint for place, node in enumerate(nodes) if node.trigger is not None},
        ignores_skips=frozenset(place for place, node in enumerate(nodes) if node.ignores_skips),
        limits={place: [limit_number[one] for one in node.limits] for place, node in enumerate(nodes) if node.limits},
        limit_sizes=list(sizes.values()),
        presets={number[name]: state for name, state in (presets or {}).items()},
        resumed=frozenset(number[name] for name in resumed.split()),
        references=None if references is None else [number[name] for name in references.split()],
        fail_fast=fail_fast,
        cleanups=frozenset(number[name] for name in cleanups.split()),
    )


def plan_from(inputs: Sequence[Sequence[Input]], *, references: Sequence[int] | None = None, **more: Any) -> Plan:
    """A plan from the edges of its graph; what follows from them is worked out."""
    downstream: list[list[int]] = [[] for _ in inputs]
    for place, edges in enumerate(inputs):
        for one in edges:
            downstream[one.upstream].append(place)
    graph = Graph(inputs=inputs, downstream=downstream)
    mapped = frozenset(place for place, edges in enumerate(inputs) if any(one.is_mapped for one in edges))
    limits = more.get("limits", {})
    judges = more.get("judges", {})
    followers = [NO_FOLLOWER] * len(inputs)
    for place, after in enumerate(downstream):
        if len(after) == 1 and place not in mapped and len(inputs[after[0]]) == 1:
            follower = after[0]
            if follower not in mapped and follower not in limits and follower not in judges:
                followers[place] = follower
    return Plan(
        graph=graph,
        mapped=mapped,
        lanes=lanes_of(graph, mapped),
        followers=followers,
        references=[place for place, after in enumerate(downstream) if not after] if references is None else references,
        **more,
    )


# -- what happens ------------------------------------------------------------------------------------------------------


class Happening(tuple[Any, ...]):
    """(who, state, data): one thing that happens to a task run, or to ``run``."""

    __slots__ = ()


def is_now(who: str, state: S, **data: Any) -> Happening:
    return Happening((who, state, data or None))


def running(*names: str) -> list[Happening]:
    return [is_now(name, S.RUNNING) for name in names]


def ended(state: S, *names: str) -> list[Happening]:
    return [one for name in names for one in (is_now(name, S.RUNNING), is_now(name, state))]


def done(*names: str) -> list[Happening]:
    return ended(S.SUCCESS, *names)


def failed(*names: str) -> list[Happening]:
    return ended(S.FAILED, *names)


def skipped(*names: str) -> list[Happening]:
    return ended(S.SKIPPED, *names)


def retrying(name: str, *, due_us: int) -> list[Happening]:
    return [is_now(name, S.RUNNING), is_now(name, S.RETRYING, due_us=due_us)]


def expanded(name: str, width: int) -> list[Happening]:
    return [Happening((name, Kind.EXPANDED, {"width": width}))]


def allowed(name: str) -> list[Happening]:
    return [Happening((name, Kind.VERDICT, {"may_run": True}))]


def attached(name: str, key: str, title: str = "") -> list[Happening]:
    return [Happening((name, Kind.ARTIFACT, {"key": key, "title": title}))]


def stopping(state: S) -> list[Happening]:
    return [is_now("run", S.RUNNING, stopping=int(state))]


def run_after(plan: Plan, *happenings: Happening | tuple[str, S]) -> Run:
    """The run, begun, after these have happened. ``(name, S.QUEUED)`` means that it has been told to start."""
    run = Run(plan)
    happens(run, is_now("run", S.RUNNING), *happenings)
    return run


def happens(run: Run, *happenings: Happening | tuple[str, S]) -> list[Event]:
    """Let these happen to a run, and give their events."""
    events = []
    for who, what, *rest in happenings:
        if what is S.QUEUED:
            run.queue(number_of(run, who))
            continue
        event = event_for(run, who, what, rest[0] if rest else None)
        run.apply(event)
        events.append(event)
    return events


def event_for(run: Run, who: str, what: S | Kind, data: Mapping[str, Any] | None = None) -> Event:
    """The next event of a run."""
    seq = run.seq + 1
    if who == "run":
        assert isinstance(what, S)
        return Event(seq, seq, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, what, data)
    number = number_of(run, who)
    node, index = run.place_of(number)
    if isinstance(what, Kind):
        return Event(seq, seq, what, node, index, 0, 1, S.EXPANDED if what is Kind.EXPANDED else S.READY, data)
    attempt = run.attempt[number] + (what is S.RUNNING)
    return Event(seq, seq, Kind.TASK, node, index, attempt, run.loops.get(number, 0) + 1, what, data)


def number_of(run: Run, name: str) -> int:
    """The number of a task run: ``clean``, or ``clean[2]`` for a child."""
    match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", name)
    assert match
    node = list(run.plan.names).index(match[1])
    return node if match[2] is None else run.number_of(node, int(match[2]))


def name_of(run: Run, number: int) -> str:
    node, index = run.place_of(number)
    return run.plan.names[node] if index == UNMAPPED else f"{run.plan.names[node]}[{index}]"


def state_of(run: Run, name: str) -> S:
    return run.state[number_of(run, name)]


# -- what follows ------------------------------------------------------------------------------------------------------


def start(name: str, *then: str) -> tuple[Any, ...]:
    return ("start", name, *then)


def starts(*names: str) -> list[tuple[Any, ...]]:
    return [start(name) for name in names]


def mark(name: str, state: S, reason: str = "") -> tuple[Any, ...]:
    return ("mark", name, state, reason)


def judge(name: str) -> tuple[Any, ...]:
    return ("judge", name)


def expand(name: str) -> tuple[Any, ...]:
    return ("expand", name)


def end(state: S, reason: str = "") -> tuple[Any, ...]:
    return ("end", state, reason)


def decided(run: Run, *, room: int = 100, now_us: int = 0, in_segments: bool = False) -> list[tuple[Any, ...]]:
    """What follows, told in names."""
    return list(named(run, decide(run, room=room, now_us=now_us, in_segments=in_segments)))


def named(run: Run, commands: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
    for command in commands:
        if isinstance(command, Start):
            yield start(name_of(run, command.number), *(name_of(run, one) for one in command.then))
        elif isinstance(command, Mark):
            yield mark(name_of(run, command.number), command.state, command.reason)
        elif isinstance(command, Judge):
            yield judge(name_of(run, command.number))
        elif isinstance(command, Expand):
            yield expand(name_of(run, command.node))
        else:
            assert isinstance(command, End)
            yield end(command.state, command.reason)
