"""What the commands that look at the history share: which run is meant, and how it stands."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.times import iso
from notebook_flows.core.lifecycle import IS_FINAL, S, facts_of
from notebook_flows.errors import NoSuchRun, StoreCorrupt, StoreError, StoreUnavailable, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

    from notebook_flows.core.run import Run
    from notebook_flows.store.eventlog import StoredEventLog
    from notebook_flows.store.memory import MemoryEventLog
    from notebook_flows.store.rows import RunRow, TaskRunRow

    AnyLog = StoredEventLog | MemoryEventLog

LATEST = "latest"
MOST_COMPLETED = 30
MOST_CHILDREN = 1_000
"""``latest`` is no run that a task of another has begun, and no cell by hand, as long as not more came after it."""
SHORT_ID = 8


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest runs, for the shell."""
    from click.shell_completion import CompletionItem

    from notebook_flows.errors import FlowError
    from notebook_flows.workspace import event_log

    try:
        rows = event_log().runs(limit=MOST_COMPLETED)
    except FlowError:
        return []
    found = [CompletionItem(row.run_id[:SHORT_ID], help=f"{row.flow} {facts_of(row.state).word}") for row in rows]
    return [item for item in [*found, CompletionItem(LATEST)] if str(item.value).startswith(incomplete)]


def may_be_latest(row: RunRow) -> bool:
    """Whether ``latest`` can mean a run: it is no part of another, and no cell by hand."""
    return row.parent_run_id is None and not row.is_by_hand


def run_named(log: AnyLog, text: str) -> RunRow:
    """The run that is meant.

    Raises:
        NoSuchRun: there is none, or several begin like this.
    """
    if text.lower() == LATEST:
        rows = log.runs(limit=MOST_CHILDREN)
        if not rows:
            raise NoSuchRun("There are no runs yet.")
        newest = next(filter(may_be_latest, rows), rows[0])
        return log.run(newest.run_id)
    return log.run(text)


def run_to_ask(log: AnyLog, text: str) -> RunRow:
    """The run of which something is asked: ``latest`` is the newest of those that go on, if any does."""
    if text.lower() == LATEST:
        for row in log.runs(limit=MOST_CHILDREN):
            if row.goes_on and may_be_latest(row):
                return row
    return run_named(log, text)


def look_for_dead(log: AnyLog) -> None:
    """Have runs without a process told crashed, if the history can be written: who looks on need not be able to."""
    with suppress(StoreUnavailable):
        log.sweep()


def graph_of(log: AnyLog, run_id: str) -> Mapping[str, Any]:
    """The graph of a run, from its first event.

    Raises:
        StoreError: it has no event yet, or has ended without one.
    """
    graph = first_graph(log, run_id)
    if graph is None:
        raise StoreError(_why_nothing(log.run(run_id)))
    return graph


def first_graph(log: AnyLog, run_id: str) -> Mapping[str, Any] | None:
    """The same; None: it has no event yet."""
    events = log.read(run_id, limit=1)
    found: Mapping[str, Any] | None = (events[0].data or {}).get("graph") if events else None
    return found


def _why_nothing(row: RunRow) -> str:
    if row.goes_on:
        return f"Run {row.run_id[:SHORT_ID]} of {row.flow!r} has recorded nothing yet."
    ended = (
        f"Run {row.run_id[:SHORT_ID]} of {row.flow!r} has recorded nothing before it ended: {facts_of(row.state).word}."
    )
    return f"{ended} {row.message}".rstrip()


def folded(log: AnyLog, run_id: str) -> Run:
    """Where a recorded run stands by its events.

    Raises:
        StoreCorrupt: they do not follow from one another.
    """
    from notebook_flows.core.plan import plan_from_first_event
    from notebook_flows.core.run import OutOfOrderError, Run

    events = log.read(run_id)
    run = Run(plan_from_first_event((events[0].data or {}) if events else {}))
    try:
        for event in events:
            run.apply(event)
    except OutOfOrderError as error:
        raise damaged(run_id, error) from error
    return run


def damaged(run_id: str, error: Exception) -> StoreCorrupt:
    """What to tell of a run whose events cannot have been recorded like this."""
    return StoreCorrupt(
        f"Run {run_id[:SHORT_ID]} is damaged: {error}. `notebook-flows store check` tells all that is wrong with the history."
    )


def durations_of(attempts: list[TaskRunRow]) -> dict[int, float]:
    """{task: seconds}: of its last attempt, or from its first child's start to its last child's end."""
    spans: dict[int, tuple[int, int]] = {}
    for row in attempts:
        if row.started_us is None or row.ended_us is None:
            continue
        begin, end = spans.get(row.node, (row.started_us, row.ended_us))
        is_child = row.index >= 0
        spans[row.node] = (
            (min(begin, row.started_us), max(end, row.ended_us)) if is_child else (row.started_us, row.ended_us)
        )
    return {node: max(end - begin, 0) / 1e6 for node, (begin, end) in spans.items()}


def seconds_of(row: RunRow) -> float | None:
    """How long a run took, or has taken until now; None if it has not begun."""
    if row.started_us is None:
        return None
    end_us = row.ended_us if row.ended_us is not None else time.time_ns() // 1000
    return max(end_us - row.started_us, 0) / 1e6


def counts_of(row: RunRow) -> dict[S, int]:
    """How many task runs are in each state; in a run that has ended, only those that have an end of their own."""
    return {state: count for state, count in row.counts.items() if row.ended_us is None or IS_FINAL[state]}


def state_named(text: str) -> S | None:
    """The state that a word of ours, or a class name of the API, names.

    >>> state_named("upstream-failed").name, state_named("TimedOut").name
    ('UPSTREAM_FAILED', 'TIMED_OUT')
    """
    key = text.lower().replace("-", "").replace("_", "").replace(" ", "")
    for state in S:
        facts = facts_of(state)
        if key in {facts.word.replace(" ", ""), facts.api_class.lower(), state.name.lower().replace("_", "")}:
            return state
    return None


def state_option(text: str) -> S:
    """The state that an option names.

    Raises:
        click.BadParameter: it names none.
    """
    found = state_named(text)
    if found is None:
        hint = did_you_mean(text, [facts_of(state).word for state in S])
        raise click.BadParameter(f"there is no state {text!r}.{hint}")
    return found


def complete_state(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The states in which a run can be, for the shell."""
    from click.shell_completion import CompletionItem

    states = (S.RUNNING, S.SUCCESS, S.FAILED, S.TIMED_OUT, S.CANCELLED, S.CRASHED, S.PAUSED)
    words = [facts_of(state).word.replace(" ", "-") for state in states]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def as_json(row: RunRow) -> dict[str, Any]:
    """A run, for programs: times in ISO 8601 and UTC, durations in seconds."""
    return {
        "run_id": row.run_id,
        "flow": row.flow,
        "name": row.name,
        "state": facts_of(row.state).word,
        "message": row.message,
        "created": iso(row.created_us),
        "started": iso(row.started_us),
        "ended": iso(row.ended_us),
        "scheduled": iso(row.scheduled_us),
        "duration_s": seconds_of(row),
        "executor": row.executor,
        "parameters": dict(row.parameters),
        "task_count": row.task_count,
        "counts": {facts_of(state).word: count for state, count in counts_of(row).items()},
        "parent_run_id": row.parent_run_id,
        "environment": dict(row.environment),
    }


def echo_json(value: Any) -> None:
    """Print JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
