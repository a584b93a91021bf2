"""An event costs what its task's edges cost, whatever the size of the flow: operations are counted, not seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

import pytest
from core_runs import plan_from

from notebook_flows.core.decide import Start, decide
from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.graph import Input
from notebook_flows.core.lifecycle import S
from notebook_flows.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.plan import Plan

SMALL, LARGE = 2_000, 100_000
WATCHED = 650
"""How many tasks are watched, from the middle of the run on."""


class Unwalked(list[Any]):
    """A list as long as the flow, which nobody may walk through; single places are free."""

    walks = 0

    def _walked(self) -> None:
        type(self).walks += 1

    def __iter__(self) -> Any:
        self._walked()
        return super().__iter__()

    def __contains__(self, item: object) -> bool:
        self._walked()
        return super().__contains__(item)

    def index(self, *args: Any) -> int:
        self._walked()
        return super().index(*args)

    def count(self, item: object) -> int:
        self._walked()
        return super().count(item)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice) and len(range(*place.indices(len(self)))) > 100:
            self._walked()
        return super().__getitem__(place)


class Opcodes:
    """Counts the steps of Python's own machine inside `notebook_flows.core`, and calls of C functions."""

    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> Self:
        sys.settrace(self._entered)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _entered(self, frame: Any, event: str, arg: object) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("notebook_flows.core."):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._step

    def _step(self, frame: Any, event: str, arg: object) -> Any:
        self.steps += event == "opcode"
        return self._step


def steps_per_task(plan: Plan, end_of: Callable[[int], S], *, in_segments: bool = False) -> float:
    """Steps for each of a few hundred tasks in the middle of a run."""
    run = Run(plan)
    for name in ("state", "attempt", "waiting", "failed", "skipped"):
        setattr(run, name, Unwalked(getattr(run, name)))
    Unwalked.walks = 0
    counter = Opcodes()
    middle = len(plan.graph) // 2
    ended = watched = 0

    def happens(kind: Kind, number: int, state: S, data: dict[str, Any] | None = None) -> None:
        node, index = (RUN_ITSELF, UNMAPPED) if number == RUN_ITSELF else run.place_of(number)
        event = Event(run.seq + 1, 0, kind, node, index, 1, 1, state, data)
        if middle <= ended < middle + WATCHED:
            with counter:
                run.apply(event)
        else:
            run.apply(event)

    happens(Kind.RUN, RUN_ITSELF, S.RUNNING)
    while ended < middle + WATCHED:
        if middle <= ended:
            with counter:
                commands = decide(run, room=4 - run.in_flight, now_us=0, in_segments=in_segments)
        else:
            commands = decide(run, room=4 - run.in_flight, now_us=0, in_segments=in_segments)
        assert commands
        for command in commands:
            if isinstance(command, Start):
                for number in (command.number, *command.then):
                    happens(Kind.TASK, number, S.RUNNING)
                    happens(Kind.TASK, number, end_of(number))
                    watched += ended >= middle
                    ended += 1
            else:
                happens(Kind.TASK, command.number, command.state)  # type: ignore[union-attr]
                watched += ended >= middle
                ended += 1
    assert Unwalked.walks == 0
    return counter.steps / watched


def fan(size: int) -> Plan:
    return plan_from([[] for _ in range(size)])


def chain(size: int) -> Plan:
    return plan_from([[Input(place - 1, "x", False, False)] if place else [] for place in range(size)])


def lattice(size: int) -> Plan:
    """Rows of ten; each task waits for three of the row above."""
    return plan_from(
        [
            [Input(place - place % 10 - 10 + (place + shift) % 10, None, False, False) for shift in range(3)]
            if place >= 10
            else []
            for place in range(size)
        ]
    )


def limited(size: int) -> Plan:
    return plan_from(
        [[] for _ in range(size)], limits={place: [place % 2] for place in range(size)}, limit_sizes=[1, 2]
    )


def lucky(number: int) -> S:
    return S.SUCCESS


def unlucky_at_times(number: int) -> S:
    return (S.SUCCESS, S.SUCCESS, S.FAILED, S.SKIPPED)[number % 4]


@pytest.mark.parametrize(
    ("shape", "luck", "in_segments"),
    [
        (fan, lucky, False),
        (fan, unlucky_at_times, False),
        (chain, lucky, False),
        (chain, lucky, True),
        (lattice, lucky, False),
        (lattice, unlucky_at_times, False),
        (limited, lucky, False),
    ],
)
def test_a_task_of_a_large_flow_costs_what_one_of_a_small_flow_costs(
    shape: Callable[[int], Plan], luck: Callable[[int], S], in_segments: bool
) -> None:
    small = steps_per_task(shape(SMALL), luck, in_segments=in_segments)

    large = steps_per_task(shape(LARGE), luck, in_segments=in_segments)

    assert large <= 1.1 * small


def test_a_plain_task_costs_few_steps() -> None:
    assert steps_per_task(fan(SMALL), lucky) <= 600


def test_mapping_costs_by_width_and_not_by_what_else_is_mapped() -> None:
    """Long rows of tasks that are mapped one over the other: each expansion looks at its own edges only."""

    def steps(length: int) -> float:
        run = Run(chain_of_mapped(length))
        counter = Opcodes()
        seq = 0

        def happens(kind: Kind, node: int, index: int, state: S, data: Any = None) -> None:
            nonlocal seq
            seq += 1
            run.apply(Event(seq, 0, kind, node, index, 1, 1, state, data))

        happens(Kind.RUN, RUN_ITSELF, UNMAPPED, S.RUNNING)
        happens(Kind.TASK, 0, UNMAPPED, S.RUNNING)
        happens(Kind.TASK, 0, UNMAPPED, S.SUCCESS)
        for node in range(1, length - 100):
            happens(Kind.EXPANDED, node, UNMAPPED, S.EXPANDED, {"width": 2})
        with counter:
            for node in range(length - 100, length):
                happens(Kind.EXPANDED, node, UNMAPPED, S.EXPANDED, {"width": 2})
        return counter.steps

    assert steps(3_000) <= 1.05 * steps(300)


def chain_of_mapped(length: int) -> Plan:
    return plan_from([[Input(place - 1, "x", True, False)] if place else [] for place in range(length)])


def test_an_expansion_costs_by_its_width() -> None:
    def steps(width: int) -> int:
        run = Run(chain_of_mapped(2))
        run.apply(Event(1, 0, Kind.RUN, RUN_ITSELF, UNMAPPED, 0, 1, S.RUNNING, None))
        with Opcodes() as counter:
            run.apply(Event(2, 0, Kind.EXPANDED, 1, UNMAPPED, 0, 1, S.EXPANDED, {"width": width}))
        return counter.steps

    assert steps(10_000) <= 11 * steps(1_000)
