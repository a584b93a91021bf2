"""How long to rest before the next try."""

from __future__ import annotations

from datetime import timedelta

import pytest
from core_runs import laws
from hypothesis import given, strategies as st

from notebook_flows.core.retry import RetryPolicy, exponential_backoff

seconds = st.integers(0, 10_000).map(lambda n: timedelta(seconds=n))
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 20),
    delays=st.lists(seconds, min_size=1, max_size=5).map(tuple),
    jitter=st.floats(0, 2),
)
lucks = st.floats(0, 1)


@laws(50)
@given(policies, lucks)
def test_there_is_a_rest_after_each_try_but_the_last(policy: RetryPolicy, luck: float) -> None:
    rests = [policy.delay_after(attempt, luck=luck) for attempt in range(1, policy.attempts + 3)]

    assert [rest is not None for rest in rests] == [True] * (policy.attempts - 1) + [False] * 3


@laws(50)
@given(policies, lucks, st.integers(1, 19))
def test_luck_lengthens_a_rest_by_no_more_than_its_share(policy: RetryPolicy, luck: float, attempt: int) -> None:
    shortest = policy.delay_after(attempt, luck=0)
    rest = policy.delay_after(attempt, luck=luck)

    if rest is not None and shortest is not None:
        assert shortest <= rest <= shortest * (1 + policy.jitter) + timedelta(microseconds=1)


@pytest.mark.parametrize(("attempt", "rest_s"), [(1, 1), (2, 5), (3, 5), (9, 5), (10, None), (11, None)])
def test_the_last_rest_stands_for_all_further_ones(attempt: int, rest_s: int | None) -> None:
    policy = RetryPolicy(attempts=10, delays=(timedelta(seconds=1), timedelta(seconds=5)))

    assert policy.delay_after(attempt, luck=0.7) == (None if rest_s is None else timedelta(seconds=rest_s))


def test_without_jitter_luck_changes_nothing() -> None:
    policy = RetryPolicy(attempts=2, delays=(timedelta(seconds=3),))

    assert policy.delay_after(1, luck=0) == policy.delay_after(1, luck=1) == timedelta(seconds=3)


@laws(50)
@given(st.integers(1, 100), st.floats(1, 4), st.integers(0, 30), st.integers(1, 10_000))
def test_backing_off_never_shrinks_and_never_passes_the_longest(
    first: int, factor: float, retries: int, longest: int
) -> None:
    rests = exponential_backoff(
        timedelta(seconds=first), factor=factor, retries=retries, longest=timedelta(seconds=longest)
    )

    assert len(rests) == retries
    assert list(rests) == sorted(rests)
    assert all(rest <= timedelta(seconds=longest) for rest in rests)
