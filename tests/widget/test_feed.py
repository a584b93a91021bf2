"""Whatever is lost or told twice on its way, a page that asks comes to where the run is; and few batches are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st
from reader import Reader
from write_golden import read

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.widget.board import MOST_LISTED, Board
from notebook_flows.widget.feed import ANEW_EVERY_S, EVERY_S, FLOOD, FLOODED_EVERY_S, SHARE, Feed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.jsonl"))
RUNS = {path.stem: read(path) for path in GOLDEN}
FACTS = {"id": "r", "name": "run"}


def run_of(events: Sequence[Event]) -> Run:
    assert events[0].data is not None
    run = Run(plan_from_first_event(events[0].data))
    for event in events:
        run.apply(event)
    return run


def size_of(events: Sequence[Event]) -> int:
    assert events[0].data is not None
    return len(events[0].data["graph"]["names"])


def wired(message: dict[str, Any]) -> dict[str, Any]:
    """As it comes out of the other end of the wire."""
    return json.loads(json.dumps(message, allow_nan=False))


@pytest.mark.parametrize("name", RUNS)
def test_a_page_that_gets_all_batches_follows_a_golden_run(name: str) -> None:
    events = RUNS[name]
    feed, reader = Feed(Board(size_of(events)), FACTS), Reader(size_of(events))

    for length, event in enumerate(events, 1):
        feed.tell([event])
        message = feed.take(0.0, 0)
        assert message is not None
        reader.hear(wired(message))

        assert reader.agrees_with(run_of(events[:length]))
    assert not reader.asks


@given(name=st.sampled_from(sorted(RUNS)), luck=st.randoms(use_true_random=False))
def test_a_page_that_asks_for_what_it_has_lost_ends_where_the_run_ends(name: str, luck: random.Random) -> None:
    events = RUNS[name]
    feed, reader = Feed(Board(size_of(events)), FACTS), Reader(size_of(events))
    left = list(events)
    now_s = 0.0

    while left:
        count = luck.randint(1, 6)
        feed.tell(left[:count])
        left = left[count:]
        now_s += luck.choice([EVERY_S, EVERY_S, ANEW_EVERY_S])
        message = feed.take(now_s, 0) if luck.random() < 0.8 else None
        for _ in range(luck.choice([0, 1, 1, 2]) if message is not None else 0):  # lost, heard, heard twice
            assert message is not None
            reader.hear(wired(message))
        if reader.asks and luck.random() < 0.5:
            feed.resync()
    feed.resync()  # what is lost at the very end is told when the page looks again
    last = feed.take(now_s, 0)
    assert last is not None
    reader.hear(wired(last))

    assert reader.agrees_with(run_of(events))


@pytest.mark.parametrize("name", RUNS)
def test_the_end_of_a_run_is_told_in_full(name: str) -> None:
    events = RUNS[name]
    feed, late = Feed(Board(size_of(events)), FACTS), Reader(size_of(events))
    feed.tell(events[:-1])
    feed.take(0.0, 0)

    feed.tell(events[-1:])
    message = feed.take(1.0, 0)

    assert message is not None
    late.hear(wired(message))
    assert late.agrees_with(run_of(events))


def long_run(count: int, *, width: int = 0) -> list[Event]:
    """Tasks that begin and end; the first one is mapped if it has a width."""
    names = [f"t{number}" for number in range(count)]
    edges: dict[str, Any] = {"from": [], "to": [], "keys": [], "flags": {}}
    first = {"graph": {"names": names, "slugs": names, "edges": edges, **({"mapped": [0]} if width else {})}}
    rows: list[tuple[Kind, int, int, int, S, Any]] = [(Kind.RUN, RUN_ITSELF, UNMAPPED, 0, S.RUNNING, first)]
    if width:
        rows.append((Kind.EXPANDED, 0, UNMAPPED, 0, S.EXPANDED, {"width": width}))
    task_runs = [(0, index) for index in range(width)] + [(number, UNMAPPED) for number in range(bool(width), count)]
    for node, index in task_runs:
        rows.append((Kind.TASK, node, index, 1, S.RUNNING, None))
        message = {"message": "went wrong"} if index == 7 else None
        rows.append((Kind.TASK, node, index, 1, S.FAILED if message else S.SUCCESS, message))
    return [
        Event(seq, seq * 1000, kind, node, index, attempt, 1, state, told)
        for seq, (kind, node, index, attempt, state, told) in enumerate(rows, 1)
    ]


def test_a_flood_of_events_is_told_as_where_the_run_stands_four_times_a_second() -> None:
    events = long_run(FLOOD)
    feed, reader = Feed(Board(FLOOD), FACTS), Reader(FLOOD)
    feed.tell(events[:1])
    feed.take(0.0, 0)

    feed.tell(events[1:])
    message = feed.take(1.0, 0)

    assert message is not None
    assert message["type"] == "snapshot"
    assert feed.due_s() == 1.0 + FLOODED_EVERY_S
    reader.hear(wired(message))
    assert reader.agrees_with(run_of(events))


def test_no_more_than_twenty_batches_are_told_in_a_second() -> None:
    events = long_run(1000)
    feed = Feed(Board(1000), FACTS)
    now_s, told_at = 0.0, []

    for event in events:
        feed.tell([event])
        now_s += 0.001
        if now_s >= feed.due_s() and feed.take(now_s, 0) is not None:
            told_at.append(now_s)

    assert max(sum(one <= other < one + 1 for other in told_at) for one in told_at) <= 20


def test_telling_takes_no_more_than_its_share_of_the_time() -> None:
    feed = Feed(Board(1), FACTS)
    feed.take(10.0, 0)

    feed.cost(0.1)

    assert feed.due_s() == 10.0 + 0.1 * SHARE


def test_nothing_is_told_where_nothing_has_happened() -> None:
    feed = Feed(Board(1), FACTS)
    feed.take(0.0, 0)

    assert feed.take(1.0, 0) is None
    assert not feed.has_news


def test_everything_is_told_anew_now_and_then() -> None:
    events = long_run(40)
    feed = Feed(Board(40), FACTS)
    feed.tell(events[:1])
    feed.take(0.0, 0)

    kinds = []
    for place, at_s in enumerate((1.0, 2.0, ANEW_EVERY_S + 1, ANEW_EVERY_S + 2), 1):
        feed.tell(events[place : place + 1])
        message = feed.take(at_s, 0)
        assert message is not None
        kinds.append(message["type"])

    assert kinds == ["events", "events", "snapshot", "events"]


def test_ten_thousand_children_are_told_as_one_text_and_those_that_are_not_well() -> None:
    width = 10_000
    events = long_run(1, width=width)
    feed, reader = Feed(Board(1), FACTS), Reader(1)
    feed.tell(events)

    message = feed.take(0.0, 0)

    assert message is not None
    told = wired(message)
    reader.hear(told)
    assert reader.agrees_with(run_of(events), folded=frozenset({0}))
    assert width > MOST_LISTED
    assert told["columns"]["index"] == [UNMAPPED, 7]
    assert len(json.dumps(told)) < 2 * width


def test_a_batch_of_another_run_on_the_same_channel_goes_on_counting() -> None:
    first = Feed(Board(1), FACTS)
    first.take(0.0, 0)

    second = Feed(Board(1), FACTS, batch=first.batch)
    message = second.take(1.0, 0)

    assert message is not None
    assert message["batch"] == 2
