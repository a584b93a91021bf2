"""A law: going on with any run, after any edits, ends as a run from the beginning does."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from notebook_flows import Flow, task
from notebook_flows.core import signals
from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from notebook_flows.core.state import State

RUNS = 12
"""Of each seed."""
KINDS = {
    # what a task does with the number that it has worked out of its own and of what it gets
    "plain": "return n",
    "cached": "return n",
    "cannot be kept": "return Box(n)",
    "cannot be kept, and has no fingerprint": "return Box(iter([n]))",
    "skips itself": "if n % 3 == 0: raise SKIP\n    return n",
    "nothing": "return None",
    "list": "return [n, n + 1, own]",
    "gets the context": "return n",
    "is judged by a trigger": "return n",
}


class Box:
    """Something that cannot be pickled."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.number = value if isinstance(value, int) else 7

    def __reduce__(self) -> Any:
        raise TypeError


class Piece(NamedTuple):
    """A task: what it does, after which tasks it runs, which of them it gets, and a number of its own."""

    kind: str
    after: list[int]
    gets: list[int]
    own: int


def number_of(value: Any) -> int:
    """What a task makes of what it gets."""
    if isinstance(value, list):
        return sum(map(number_of, value))
    return value.number if isinstance(value, Box) else value or 0


def sees_all(states: Any) -> bool:
    """A trigger of the user's, which looks at what the tasks before have given."""
    return all(state.is_successful() and number_of(state.result) >= 0 for state in states.values())


def pieces(luck: Random) -> list[Piece]:
    """Any flow."""
    made: list[Piece] = []
    for place in range(luck.randint(3, 9)):
        after = luck.sample(range(place), min(place, luck.randint(0, 3)))
        gets = [one for one in after if luck.random() < 0.7]
        made.append(Piece(luck.choice(list(KINDS)), after, gets, luck.randint(1, 5)))
    return made


def built(made: list[Piece], failing: frozenset[int]) -> tuple[Flow, list[Any]]:
    """The flow, in which some tasks fail."""
    tasks: list[Any] = []
    with Flow("law") as flow:
        for place, piece in enumerate(made):
            names: dict[str, Any] = {"Box": Box, "SKIP": signals.SKIP, "number_of": number_of}
            given = [f"x{one}=None" for one in piece.gets] + ["context=None"] * (piece.kind == "gets the context")
            worked_out = "".join(f" + {2 + one} * number_of(x{one})" for one in piece.gets)
            fails = "raise ValueError" if place in failing else "pass"
            exec(
                f"def f({', '.join(given)}):\n    own = {piece.own}\n    n = own{worked_out}\n    {fails}\n"
                f"    {KINDS[piece.kind]}",
                names,
            )
            more = {"trigger": sees_all} if piece.kind == "is judged by a trigger" else {}
            one = task(
                names["f"], name=f"t{place}", cache=piece.kind == "cached", skip_on_upstream_skip=place % 2 == 0, **more
            )(**{f"x{upstream}": tasks[upstream] for upstream in piece.gets})
            for upstream in set(piece.after) - set(piece.gets):
                one.set_upstream(tasks[upstream])
            tasks.append(one)
    return flow, tasks


def end_of(state: State, one: Any) -> Any:
    """How a task has ended; None: what it gave was kept nowhere, and nobody needed it."""
    try:
        end = state.result[one]
        value = number_of(end.result) if end.is_successful() else None
    except StoreError:
        return None
    return "skipped" if end.is_skipped() else ("successful", value) if end.is_successful() else "failed"


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_is_gone_on_with_ends_as_one_from_the_beginning(
    seed: int, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    luck = Random(seed)
    for _ in range(RUNS):
        made = pieces(luck)
        failing = frozenset(luck.sample(range(len(made)), luck.randint(0, 2)))
        built(made, failing)[0].run(keep_results=True)
        for _ in range(2):
            made = [one._replace(own=luck.randint(1, 5)) if luck.random() < 0.25 else one for one in made]
            failing = frozenset(one for one in range(len(made)) if luck.random() < 0.05)
            executor = luck.choice(["local", "threads:2"])
            flow, tasks = built(made, failing)

            state = flow.run(resume="latest", executor=executor)

            found = [end_of(state, one) for one in tasks]
            with monkeypatch.context() as inner:
                inner.setenv("NOTEBOOK_FLOWS_CACHE", "off")
                flow, tasks = built(made, failing)
                state = flow.run(history=False)
            wanted = [end_of(state, one) for one in tasks]
            differ = [place for place, one in enumerate(found) if one is not None and one != wanted[place]]
            assert not differ, (made, failing, found, wanted)
