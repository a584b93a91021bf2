"""How long a run may still take, by what its tasks took earlier."""

import pytest

from notebook_flows.views.remaining import Left, Open, left_of

CHAIN = [[], [0], [1]]
WIDE = [[], [], [], []]


def test_a_chain_takes_what_its_tasks_take_together():
    left = left_of(CHAIN, {1: Open([4.0], 0), 2: Open([], 1)}, {1: 10.0, 2: 5.0})

    assert left == Left(11.0, True, False)
    assert str(left) == "about 15 s left"


def test_what_stands_side_by_side_goes_at_the_pace_of_now():
    medians = dict.fromkeys(range(4), 10.0)

    one = left_of(WIDE, {0: Open([0.0], 0), **{task: Open([], 1) for task in (1, 2, 3)}}, medians)
    two = left_of(WIDE, {0: Open([0.0], 0), 1: Open([0.0], 0), 2: Open([], 1), 3: Open([], 1)}, medians)

    assert (one.seconds, two.seconds) == (40.0, 20.0)


def test_of_a_mapped_task_each_child_counts():
    left = left_of([[]], {0: Open([1.0, 1.0], 98)}, {0: 2.0})

    assert left.seconds == pytest.approx((98 * 2 + 2) / 2)


def test_with_tasks_that_never_ran_it_takes_at_least_so_long():
    tasks = {0: Open([], 1), 1: Open([], 1), 2: Open([], 1)}

    assert str(left_of(CHAIN, tasks, {0: 1.0, 1: 90.0})) == "at least 1 min 40 s left"
    assert left_of(CHAIN, tasks, {0: 1.0}) is None
    assert left_of(CHAIN, tasks, {}) is None


def test_what_takes_longer_than_usual_is_told_so():
    assert str(left_of([[]], {0: Open([21.0], 0)}, {0: 10.0})) == "longer than usual"
    assert str(left_of([[]], {0: Open([11.0], 0)}, {0: 10.0})) == "about 1 s left"
    assert str(left_of([[]], {0: Open([0.9], 0)}, {0: 0.1})) == "about 1 s left"
    assert str(left_of([[], [0]], {0: Open([21.0], 0), 1: Open([], 1)}, {0: 10.0, 1: 7.0})) == "about 7 s left"
    assert str(left_of([[], [0]], {0: Open([14.0], 0), 1: Open([], 1)}, {0: 0.01, 1: 0.002})) == "longer than usual"


def test_nothing_is_left_of_nothing():
    assert left_of(CHAIN, {}, {0: 1.0}) is None
