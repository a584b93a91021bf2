"""Whole runs that were recorded once: whatever changes here, they still come to the same end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from write_golden import RUNS, crash, folded, read

from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run

PATHS = sorted(Path(__file__).parent.glob("*.jsonl"))
NEEDED = {
    "success", "failure", "retry", "mapped", "branches", "skipped", "looped", "paused", "cancelled",
    "flow_timed_out", "task_timed_out", "judged", "given_states", "crashed",
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_golden_run_folds_to_the_end_that_was_written_down(path: Path) -> None:
    events = read(path)

    end = folded(events)

    assert end == json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_golden_run_is_cut_off_anywhere_told_crashed_and_still_folds(path: Path) -> None:
    events = read(path)
    for length in range(1, len(events)):
        if IS_FINAL[events[length - 1].state] and events[length - 1].kind is Kind.RUN:
            continue

        cut = crash(events[:length])

        assert events[0].data is not None
        run = Run(plan_from_first_event(events[0].data))
        for event in cut:
            run.apply(event)
        assert run.run_state is S.CRASHED
        assert all(IS_FINAL[state] for state in run.state)


def test_all_kinds_of_runs_are_here_and_none_without_its_end() -> None:
    names = {path.stem for path in PATHS}

    assert names >= NEEDED
    assert names >= RUNS.keys()
    assert {path.stem for path in Path(__file__).parent.glob("*.json")} == names


def test_together_they_have_every_kind_and_nearly_every_state() -> None:
    events = [event for path in PATHS for event in read(path)]

    assert {event.kind for event in events} == set(Kind)
    assert {event.state for event in events} >= set(S) - {
        S.PENDING, S.QUEUED, S.CACHED, S.VALIDATION_FAILED,
    }  # fmt: skip
