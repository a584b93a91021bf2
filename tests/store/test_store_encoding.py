"""However a run's events are cut into batches, the history and its projections say the same."""

from __future__ import annotations

import sqlite3

from hypothesis import example, given, settings, strategies as st
from store_bench import info

from notebook_flows.core.events import Event, Kind
from notebook_flows.core.lifecycle import S
from notebook_flows.store import memory, schema
from notebook_flows.store.checking import problems_of
from notebook_flows.store.encoding import decode, encode, encode_body, lightened, whole
from notebook_flows.store.locks import this_process
from notebook_flows.store.writing import COUNTS, insert_run, stored_bodies, write_batch

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
details = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "message": st.text(),
        "result": st.dictionaries(st.text(max_size=3), json_values, max_size=2),
        "x": json_values,
    },
)

hits = st.fixed_dictionaries({"result": st.fixed_dictionaries({"cached": st.text()}), "message": st.text()})
almost_hits = hits | st.fixed_dictionaries(
    {"result": st.dictionaries(st.sampled_from(["cached", "x"]), json_values), "message": json_values},
    optional={"x": st.none()},
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[int]]:
    events = []
    for seq in range(1, draw(st.integers(2, 25))):
        kind = draw(st.sampled_from([Kind.TASK] * 6 + [Kind.RUN, Kind.EXPANDED, Kind.VERDICT]))
        is_plain = draw(st.booleans())
        if kind is Kind.TASK and draw(st.booleans()):
            paused = st.tuples(st.just(S.PAUSED), details)
            state, data = draw(paused if not (seq // 2) % 2 else st.tuples(st.just(S.CACHED), hits))
            events.append(Event(seq, seq * 7, kind, 4 + seq // 4, draw(st.integers(-1, 0)), 0, 1, state, data))
            continue
        events.append(
            Event(
                seq,
                seq * 7,
                kind,
                -1 if kind is Kind.RUN else draw(st.integers(0, 3)),
                -1 if is_plain else draw(st.integers(-1, 1)),
                1 if is_plain else draw(st.integers(0, 2)),
                1 if is_plain else draw(st.integers(1, 2)),
                draw(st.sampled_from(S)),
                None if is_plain else draw(details),
            )
        )
    return events, sorted(draw(st.sets(st.integers(1, len(events)), max_size=5)) | {len(events)})


ONE_HIT = {"result": {"cached": ""}, "message": ""}
HITS_IN_ALL_WORD_ORDERS = [
    Event(1, 7, Kind.RUN, -1, -1, 1, 1, S.PENDING, None),
    Event(2, 14, Kind.TASK, 4, 0, 0, 1, S.CACHED, ONE_HIT),
    Event(3, 21, Kind.TASK, 4, 0, 0, 1, S.CACHED, dict(reversed(ONE_HIT.items()))),
]


@given(histories())
@example((HITS_IN_ALL_WORD_ORDERS, [2, 3]))
@settings(deadline=None, max_examples=100)
def test_batches_may_be_cut_anywhere(history: tuple[list[Event], list[int]]) -> None:
    events, cuts = history
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    facts = info(slugs=list("abcdefghijkl"))
    run_no = insert_run(connection, facts, this_process(), 1)
    kept = memory._Kept(facts, 1)
    kept.add(events)

    start = 0
    for cut in cuts:
        write_batch(connection, run_no, 1, encode(events[start:cut]))
        start = cut

    assert decode(stored_bodies(connection, run_no, 1, len(events))) == events
    assert list(problems_of(connection)) == []
    assert dict(connection.execute(COUNTS, (run_no,))) == memory._run_row(kept).counts
    state, started_us, ended_us = connection.execute("SELECT state, started_us, ended_us FROM run").fetchone()
    row = memory._run_row(kept)
    assert (state, started_us, ended_us) == (row.state, row.started_us, row.ended_us)
    connection.close()


@given(
    st.builds(
        Event,
        st.integers(1, 9),
        st.integers(0, 2**60),
        st.sampled_from(Kind),
        st.integers(-1, 9),
        st.integers(-1, 9),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(S),
        st.none() | st.dictionaries(st.text(), json_values),
    )
)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    body = encode_body(event)

    (back,) = decode([(event.seq, body)])

    assert back == event
    assert type(back.kind) is Kind
    assert type(back.state) is S
    assert body.isascii()


@given(
    st.builds(
        Event,
        st.just(1),
        st.integers(0, 2**60),
        st.sampled_from([Kind.TASK, Kind.TASK, Kind.VERDICT]),
        st.integers(0, 9),
        st.integers(-1, 9),
        st.integers(0, 1),
        st.integers(1, 2),
        st.sampled_from([S.CACHED, S.CACHED, S.SUCCESS]),
        hits | almost_hits,
    )
)
def test_an_event_that_was_lightened_is_written_as_if_it_were_whole(event: Event) -> None:
    light = lightened(event)

    written = encode([light], 1)

    ((_, body),) = written.large or [(1, written.chunks[0][1][0])]
    assert whole(1, light) == event
    assert body == encode_body(event)


def test_rows_in_groups_say_what_rows_one_by_one_say() -> None:
    facts = info(slugs=[f"t{node}" for node in range(250)])
    events = [
        Event(
            node + 1, 7, Kind.TASK, node, -1, 0, 1, S.CACHED, {"result": {"cached": f"k{node}"}, "message": "Früher."}
        )
        for node in range(250)
    ]
    written = []

    for cuts in (range(0, 250, 250), range(250)):
        connection = sqlite3.connect(":memory:", isolation_level=None)
        schema.create(connection)
        run_no = insert_run(connection, facts, this_process(), 1)
        width = 250 // len(cuts)
        for cut in cuts:
            write_batch(connection, run_no, 1, encode(events[cut : cut + width]))
        written.append(connection.execute("SELECT * FROM task_run").fetchall())
        connection.close()

    assert written[0] == written[1]
    assert len(written[0]) == 250
    assert written[0][7][-2:] == ("Früher.", '{"cached":"k7"}')


def test_the_two_events_of_a_plain_task_are_small() -> None:
    begun, ended = Event(1, 1_700_000_000_000_000, Kind.TASK, 4, -1, 1, 1, S.RUNNING, None), S.SUCCESS

    assert encode_body(begun) == "[1700000000000000,4,3]"
    assert encode_body(begun._replace(state=ended)) == "[1700000000000000,4,10]"
