"""Several runs of notebooks at once: a flow of notebook tasks, and one table at the end."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli import screen
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.flow_run import (
    cancel_asked,
    commands_for_more,
    drawn,
    kept_in_history,
    told_warnings,
    wait_for_notebooks,
)
from notebook_flows.cli.jobs import jobs_from
from notebook_flows.cli.loading import shown
from notebook_flows.cli.progress import view_for
from notebook_flows.cli.report import write_report
from notebook_flows.cli.stopping import Stops
from notebook_flows.cli.summary import ending_of, tell_ending
from notebook_flows.cli.watch import Watch
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import FlowError
from notebook_flows.notebook.names import address_of
from notebook_flows.views.treelines import Inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.jobs import Job
    from notebook_flows.cli.loading import Target
    from notebook_flows.cli.notebook_wishes import NotebookWishes
    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.notebooktask import NotebookTask

_NAMED = re.compile(r"(?:.*\.ipynb|\d+ notebooks)(?:, \d+ runs)?")


def run_batch_of(
    targets: Sequence[Target],
    grid: Sequence[Mapping[str, Any]],
    wishes: Wishes,
    more: NotebookWishes,
    *,
    at_once: int,
) -> Exit:
    """Run each notebook with each combination of the grid, some at once; how they ended, taken together.

    Raises:
        FlowError: nothing ran: a notebook, a parameter, a kernel or an output is wrong.
    """
    from notebook_flows.core.flow import Flow
    from notebook_flows.executors import ThreadExecutor
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.workspace import run_flow

    jobs = jobs_from(targets, grid, wishes.parameters, more)
    run_id = uuid.uuid4().hex
    flow = Flow(_name_of(targets, jobs), timeout=wishes.timeout_s)
    tasks = [_task_of(job, wishes, more) for job in jobs]
    for task in tasks:
        flow.add_task(task)
    watch = Watch()
    view = view_for(
        watch, flow.name, is_quiet=wishes.is_quiet, medians=lambda: _medians(jobs), unit="notebook", leaves_tree=False
    )
    watch.views.append(view)
    stops = Stops(is_asked=cancel_asked(run_id, wishes.history), says=view.say_stopping)
    results: Any = {}
    try:
        with told_warnings(), KernelPool() as pool, stops, view:
            for number, task in enumerate(tasks):
                task.pool = pool
                task.observers = (_CellsDone(watch, number),)
            pool.warm(jobs[0].kernel)
            try:
                state = run_flow(
                    flow,
                    executor=ThreadExecutor(min(at_once, len(jobs))),
                    flow_run_id=run_id,
                    history=wishes.history,
                    observers=[stops, watch],
                )
                results = state.result
            finally:
                wait_for_notebooks()
    except KeyboardInterrupt:
        stops.reason = stops.reason or Exit.INTERRUPTED
    ends = [_end_of(job, task, results[task] if results else None) for job, task in zip(jobs, tasks, strict=True)]
    _write_reports(ends, more)
    _tell(ends, watch, flow, run_id, wishes)
    screen.flush_stdout()
    return stops.reason if stops.reason is not None else exit_of_all([end.state for end in ends], watch.state)


def exit_of_all(states: Sequence[S], whole: S) -> Exit:
    """The exit code of several runs: 0 if all went well, their own if all that did not ended alike, else 1.

    >>> exit_of_all([S.SUCCESS, S.CRASHED, S.CRASHED], S.FAILED).name, exit_of_all([S.FAILED, S.CRASHED], S.FAILED).name
    ('CRASHED', 'FAILED')
    """
    if whole in {S.TIMED_OUT, S.CANCELLED, S.CRASHED}:
        return exit_of_state(whole)
    codes = {exit_of_state(state) for state in states} - {Exit.SUCCESS}
    if not codes:
        return exit_of_state(whole)
    return codes.pop() if len(codes) == 1 else Exit.FAILED


def _task_of(job: Job, wishes: Wishes, more: NotebookWishes) -> NotebookTask:
    from notebook_flows.notebooktask import NotebookTask

    retries: dict[str, Any] = {"max_retries": more.retries, "retry_delay": more.retry_delay_s} if more.retries else {}
    return NotebookTask(
        job.path,
        job.parameters,
        str(job.output).replace("{", "{{").replace("}", "}}"),
        more.kernel,
        cwd=more.cwd,
        cell_timeout=more.cell_timeout_s,
        strict_shell=more.strict_shell,
        selection=more.selection,
        history=wishes.history,
        keep_results=wishes.keeps_results,
        name=job.name,
        **retries,
    )


def _name_of(targets: Sequence[Target], jobs: Sequence[Job]) -> str:
    what = targets[0].path.name if len(targets) == 1 else f"{len(targets)} notebooks"
    return f"{what}, {len(jobs)} runs" if len(jobs) > len(targets) else what


def is_batch(flow: str) -> bool:
    """Whether a run's flow was named here: its tasks are notebooks.

    >>> [is_batch(one) for one in ("etl.ipynb, 3 runs", "etl.ipynb", "2 notebooks, 4 runs", "etl")]
    [True, True, True, False]
    """
    return _NAMED.fullmatch(flow) is not None


def _medians(jobs: Sequence[Job]) -> dict[int, float]:
    """{job's number: how long its notebook took in earlier runs}."""
    from notebook_flows.workspace.durations import median_of_runs

    took = {name: median_of_runs(name) for name in {Path(job.path).stem for job in jobs}}
    found = {number: took[Path(job.path).stem] for number, job in enumerate(jobs)}
    return {number: seconds for number, seconds in found.items() if seconds is not None}


class _CellsDone:
    """Tells, while a notebook runs, how far it is."""

    def __init__(self, watch: Watch, task: int) -> None:
        self._watch = watch
        self._task = task

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """Something has happened in the notebook."""
        total = len(run.state)
        done = total - run.unfinished - run.counts[S.NOT_RUN]
        self._watch.inside[self._task] = Inside(done, total, "cells")


# -- after -------------------------------------------------------------------------------------------------------------


class End(NamedTuple):
    """How one run ended.

    Attributes:
        state: NOT_RUN where it did not begin.
        reason: one sentence; empty for a success.
        run_id: of its run; empty where there is none.
    """

    job: Job
    state: S
    reason: str
    run_id: str


def _end_of(job: Job, task: NotebookTask, state: Any) -> End:
    from notebook_flows.core.state import event_state_of
    from notebook_flows.notebooktask import NotebookResult, NotebookRunError

    run_id = task.run_ids[-1] if task.run_ids else ""
    if state is None:
        return End(job, S.CANCELLED if run_id else S.NOT_RUN, "", run_id)
    found = state.result
    if isinstance(found, NotebookResult):
        return End(job, S.SUCCESS, "", found.run_id)
    if isinstance(found, NotebookRunError):
        return End(job, found.state, found.reason, found.run_id)
    return End(job, event_state_of(state), str(found) if isinstance(found, FlowError) else state.message or "", run_id)


def _write_reports(ends: Sequence[End], more: NotebookWishes) -> None:
    for end in ends:
        if end.job.report is not None and end.run_id:
            write_report(end.job.output, end.job.report, hides_input=more.hides_input, run_id=end.run_id)


def _tell(ends: Sequence[End], watch: Watch, flow: Flow, run_id: str, wishes: Wishes) -> None:
    """One line for each run, then how all of them ended."""
    from notebook_flows.views.diagram import diagram_of

    if watch.run is None:
        return
    picture = drawn(watch, wishes.picture, lambda widths: diagram_of(flow, widths))
    if wishes.is_quiet and watch.state is S.SUCCESS:
        return
    console = screen.stderr()
    screen.print_table(console, _table(ends, watch, console.encoding))
    console.print()
    kept = {**picture, **kept_in_history(run_id, wishes.history)}
    more = commands_for_more(run_id, watch, wishes.history)[-1:]
    failed = next((end for end in ends if end.run_id and end.state is not S.SUCCESS), None)
    if failed is not None and more:
        more = [f"notebook-flows logs {failed.run_id[:8]}", *more]
    counts = Counter(end.state for end in ends)  # a task says only that its notebook has failed, not how
    tell_ending(console, ending_of(watch, flow.name, kept, more)._replace(counts=counts, failed=(), failed_count=0))


def _table(ends: Sequence[End], watch: Watch, encoding: str) -> Any:
    from rich.table import Table

    from notebook_flows.views.text import printable, told_duration

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title, options in (
        ("Notebook", {"overflow": "fold"}),
        ("State", {"no_wrap": True}),
        ("Took", {"no_wrap": True, "justify": "right"}),
        ("Run", {"no_wrap": True, "style": "cyan"}),
        ("Output", {"overflow": "fold"}),
    ):
        table.add_column(title, **options)
    with_reason = any(end.reason for end in ends)
    if with_reason:
        table.add_column("Why", overflow="fold")
    for number, end in enumerate(ends):
        seconds = watch.seconds_of(number)
        cells: list[Any] = [
            screen.carried(printable(end.job.name), encoding),
            screen.word(end.state, encoding),
            "" if seconds is None else told_duration(seconds),
            end.run_id[:8],
            screen.carried(address_of(end.job.output) or shown(end.job.output.absolute()), encoding)
            if end.run_id
            else "",
        ]
        cells += [screen.carried(printable(end.reason), encoding)] if with_reason else []
        table.add_row(*cells)
    return table
