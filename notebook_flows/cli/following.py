"""Looking on at a run that goes on in another process, by reading what it records."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from notebook_flows.cli import screen
from notebook_flows.cli.batch import is_batch
from notebook_flows.cli.children import begun_by, place_of
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.flow_run import commands_for_more
from notebook_flows.cli.history import SHORT_ID, counts_of, graph_of, look_for_dead
from notebook_flows.cli.progress import view_for
from notebook_flows.cli.summary import ending_of, tell_ending
from notebook_flows.cli.watch import Watch
from notebook_flows.core.events import UNMAPPED
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.plan import plan_from_first_event
from notebook_flows.core.run import Run
from notebook_flows.errors import StoreError
from notebook_flows.notebook.cells import asides
from notebook_flows.store.rows import is_of_notebook
from notebook_flows.views.treelines import Inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow

LOOK_EVERY_S = 0.25
CHILDREN_EVERY = 4
"""At each so manieth look the runs inside are looked at, too."""
SWEEP_EVERY = 8
"""At each so manieth look it is made sure that the run has not lost its process."""
PIECE = 5_000


def follow(log: AnyLog, row: RunRow) -> Exit:
    """Show how a run goes until it has ended or is paused; how it ended.

    Ctrl-C ends the looking on; the run goes on.
    """
    from notebook_flows.workspace.durations import median_durations

    is_notebook = is_of_notebook(row)
    watch = Watch(asides(_names(log, row)) if is_notebook else ())
    view = view_for(
        watch,
        row.flow,
        is_quiet=False,
        medians=lambda: median_durations(row.flow, row.slugs),
        unit="cell" if is_notebook else "notebook" if is_batch(row.flow) else "task",
    )
    watch.views.append(view)
    following = Following(log, row.run_id, watch)
    try:
        with view:
            while not following.look():
                time.sleep(LOOK_EVERY_S)  # another process writes, and tells nobody
    except KeyboardInterrupt:
        _say_left(row)
        return Exit.INTERRUPTED
    more = commands_for_more(row.run_id, watch, None)
    tell_ending(screen.stderr(), ending_of(watch, row.flow, {"Run": row.run_id}, more))
    return exit_of_state(log.run(row.run_id).state)


def _names(log: AnyLog, row: RunRow) -> Sequence[str]:
    try:
        names: Sequence[str] = graph_of(log, row.run_id)["names"]
    except StoreError:  # it has only just begun
        return ()
    return names


def _say_left(row: RunRow) -> None:
    """Say that the run goes on, and how to stop it."""
    short = row.run_id[:SHORT_ID]
    screen.stderr().print(f"Run {short} of {row.flow!r} goes on. To stop it: notebook-flows cancel {short}")


class Following:
    """Folds a run's events as they are recorded.

    Args:
        log: the history.
        run_id: of the run.
        watch: is told of them.
    """

    def __init__(self, log: AnyLog, run_id: str, watch: Watch) -> None:
        self.watch = watch
        self._log = log
        self._run_id = run_id
        self._run: Run | None = None
        self._looks = 0

    def look(self) -> bool:
        """Read what is new; whether nothing more will come."""
        if self._looks % SWEEP_EVERY == 0:
            look_for_dead(self._log)
        row = self._log.run(self._run_id)  # before reading: what comes in between is read
        while events := self._log.read(self._run_id, after=0 if self._run is None else self._run.seq, limit=PIECE):
            if self._run is None:
                self._run = Run(plan_from_first_event(events[0].data or {}))
            for event in events:
                self._run.apply(event)
            self.watch(self._run, events)
        if self._looks % CHILDREN_EVERY == 0 or row.ended_us is not None:
            self._look_inside(row)
        self._looks += 1
        return not row.goes_on

    def _look_inside(self, row: RunRow) -> None:
        """How far the runs are that tasks of this one have begun."""
        for child in begun_by(self._log, row):
            node, index = place_of(child)
            if node >= 0 and index == UNMAPPED:
                counts = counts_of(child).items()
                done = sum(count for state, count in counts if IS_FINAL[state] and state is not S.NOT_RUN)
                what = "cells" if is_of_notebook(child) else "tasks"
                self.watch.inside[node] = Inside(done, max(child.task_count, done), what)
