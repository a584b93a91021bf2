"""The one table of states: its numbers are stored in histories, so they are frozen here."""

from __future__ import annotations

import pytest

from notebook_flows.core import state as api
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, IS_SUCCESSFUL, S, facts_of

FROZEN = {
    0: "PENDING", 1: "READY", 2: "QUEUED", 3: "RUNNING", 4: "RETRYING", 5: "PAUSED", 6: "LOOPED", 7: "EXPANDED",
    10: "SUCCESS", 11: "CACHED", 12: "SKIPPED", 13: "MAPPED",
    20: "FAILED", 21: "TIMED_OUT", 22: "UPSTREAM_FAILED", 23: "VALIDATION_FAILED",
    30: "CANCELLED", 31: "CRASHED", 32: "NOT_RUN",
}  # fmt: skip


def test_numbers_in_histories_mean_for_ever_what_they_mean_now() -> None:
    """A new state gets a new number: add it here. Never change a line."""
    assert {int(state): state.name for state in S} == FROZEN


def test_words_in_histories_mean_for_ever_what_they_mean_now() -> None:
    assert {kind.name: kind.value for kind in Kind} == {
        "RUN": "run",
        "TASK": "task",
        "EXPANDED": "expanded",
        "VERDICT": "verdict",
        "ARTIFACT": "artifact",
        "REOPENED": "reopened",
    }


@pytest.mark.parametrize("state", S)
def test_a_state_is_in_the_table_with_all_its_facts(state: S) -> None:
    facts = facts_of(state)

    assert (IS_FINAL[state], IS_SUCCESSFUL[state], IS_FAILED[state]) == (
        facts.is_final,
        facts.is_successful,
        facts.is_failed,
    )
    assert facts.word == facts.word.lower()
    assert len(facts.glyph) == 1
    assert facts.papermill in {"pending", "running", "completed", "failed"}


@pytest.mark.parametrize("state", S)
def test_what_is_final_is_a_success_or_a_failure_and_nothing_else_is(state: S) -> None:
    assert IS_FINAL[state] == (IS_SUCCESSFUL[state] != IS_FAILED[state])
    assert not (IS_SUCCESSFUL[state] and IS_FAILED[state])


def test_words_tell_states_apart() -> None:
    words = [facts_of(state).word for state in S]

    assert len(set(words)) == len(words)


def test_glyphs_tell_apart_what_looks_different() -> None:
    """Success and mapped, failed and validation failed, mean the same at a glance."""
    by_glyph: dict[str, set[S]] = {}
    for state in S:
        by_glyph.setdefault(facts_of(state).glyph, set()).add(state)

    shared = {frozenset(states) for states in by_glyph.values() if len(states) > 1}

    assert shared == {frozenset({S.SUCCESS, S.MAPPED}), frozenset({S.FAILED, S.VALIDATION_FAILED})}


@pytest.mark.parametrize("state", S)
def test_the_class_of_a_state_says_what_the_table_says(state: S) -> None:
    found = api.class_of(state)()

    assert type(found).__name__ == facts_of(state).api_class
    assert found.is_successful() == IS_SUCCESSFUL[state]
    assert found.is_finished() == (IS_FINAL[state] or state is S.LOOPED)
    assert found.is_failed() <= IS_FAILED[state]


@pytest.mark.parametrize("state", [state for state in S if state not in {S.READY, S.EXPANDED}])
def test_there_and_back_again(state: S) -> None:
    assert api.event_state_of(api.class_of(state)()) is state
