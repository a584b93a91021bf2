"""Task runs that never had an event of their own: the run's end, or what is told of a dead one, speaks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.core.events import RUN_ITSELF, UNMAPPED, Event, Kind
from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.core.run import left_as
from notebook_flows.store.rows import TaskRunRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Standing(NamedTuple):
    """Where all task runs of a run stand by its events.

    Attributes:
        last: {(task, index): its last event}; a pending one, numbered 0, where there is none.
        widths: {mapped task: how many children it has}.
    """

    last: Mapping[tuple[int, int], Event]
    widths: Mapping[int, int]


def standing(events: Iterable[Event], task_count: int) -> Standing:
    """Where each task run stands, those included of which nothing was said.

    Args:
        events: all of the run.
        task_count: the number of tasks in its graph.
    """
    last: dict[tuple[int, int], Event] = {}
    widths: dict[int, int] = {}
    for event in events:
        if event.kind in {Kind.TASK, Kind.EXPANDED, Kind.REOPENED} and event.node != RUN_ITSELF:
            last[event.node, event.index] = event
        if event.kind is Kind.RUN and event.data:  # the first one names the tasks whose states were given
            for node, state in event.data.get("presets", {}).items():
                last[int(node), UNMAPPED] = _nothing_said(int(node), UNMAPPED, S(state))
        if event.kind is Kind.EXPANDED and event.data:
            widths[event.node] = int(event.data.get("width", 0))
    for node in range(task_count):
        for index in (UNMAPPED, *range(widths.get(node, 0))):
            if (node, index) not in last:
                last[node, index] = _nothing_said(node, index, S.PENDING)
    return Standing(last, widths)


def _nothing_said(node: int, index: int, state: S) -> Event:
    return Event(0, 0, Kind.TASK, node, index, 0, 1, state, None)


class RunEnd(NamedTuple):
    """How a run has ended.

    Attributes:
        seq: of its last event.
        not_run: how many task runs are ``not run``, as its end tells it; None where it does not.
    """

    state: S
    message: str
    ended_us: int
    seq: int
    task_count: int
    not_run: int | None


def with_unreached(
    rows: Sequence[TaskRunRow], slugs: Sequence[str], end: RunEnd, events: Callable[[], Iterable[Event]]
) -> list[TaskRunRow]:
    """The rows of a run that has ended, and those of the task runs that it never came to: one event says it of them all.

    Args:
        rows: of the task runs that have an event, by node, index, loop and attempt.
        slugs: of the tasks.
        end: how it has ended.
        events: reads all of its events; asked only where a row is missing.
    """
    latest = {(row.node, row.index): row for row in sorted(rows, key=lambda row: row.seq)}
    if not _lacks(latest, end):
        return list(rows)
    found = {(row.node, row.index, row.loop, row.attempt): row for row in rows}
    for (node, index), event in standing(events(), end.task_count).last.items():
        if IS_FINAL[event.state]:
            continue
        state, known = left_as(event.state, end.state), latest.get((node, index))
        if known is not None:
            message = known.message or end.message
            row = replace(known, state=state, ended_us=end.ended_us, message=message, seq=end.seq)
        else:
            row = TaskRunRow(
                slug=slugs[node] if 0 <= node < len(slugs) else f"#{node}",
                node=node,
                index=index,
                attempt=0,
                loop=1,
                state=state,
                started_us=None,
                ended_us=end.ended_us,
                message=end.message,
                result=None,
                seq=end.seq,
            )
        found[node, index, row.loop, row.attempt] = row
    return [row for _, row in sorted(found.items())]


def _lacks(latest: Mapping[tuple[int, int], TaskRunRow], end: RunEnd) -> bool:
    """Whether a task run may have ended with the run, without an event of its own."""
    if end.seq == 1:  # it died before its first event was kept: its graph is not known
        return False
    if len({node for node, _ in latest}) < end.task_count:
        return True
    if not all(IS_FINAL[row.state] for row in latest.values()):
        return True
    return end.not_run is not None and end.not_run > sum(row.state is S.NOT_RUN for row in latest.values())
