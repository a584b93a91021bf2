"""What the history knows of one task run, for those who look at its picture: what it has logged, attached and raised."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import UNMAPPED
from notebook_flows.errors import FlowError
from notebook_flows.widget.attached import told_artifacts
from notebook_flows.widget.detail import LONGEST_TEXT, MOST_LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.store.eventlog import StoredEventLog
    from notebook_flows.store.memory import MemoryEventLog

    AnyLog = StoredEventLog | MemoryEventLog

PIECE = 5_000
MOST_PIECES = 40
"""Of what was logged after this many pieces nothing is told: somebody waits."""


def recorded_detail(run_id: str, slug: str, index: int) -> dict[str, Any]:
    """What the history that the settings name knows of a task run.

    Args:
        run_id: of the run; one that no history knows has nothing to tell.
        slug: the task's.
        index: the child's number below a mapped task, or -1: all of them.
    """
    from notebook_flows.workspace import event_log

    try:
        return detail_in(event_log(), run_id, slug, index)
    except FlowError:  # no history is kept, or it cannot be read: the rest is told all the same
        return {}


def recorded_artifacts(run_id: str, slug: str) -> list[dict[str, Any]]:
    """What a task run has attached by the history that the settings name."""
    from notebook_flows.workspace import event_log

    try:
        return attached_by(event_log(), run_id, slug, UNMAPPED)
    except FlowError:  # as above
        return []


def detail_in(log: AnyLog, run_id: str, slug: str, index: int) -> dict[str, Any]:
    """The same, from a history.

    Raises:
        FlowError: it cannot be read, or does not know the run.
    """
    return {
        "logs": logged_by(log, run_id, slug, index),
        "artifacts": attached_by(log, run_id, slug, index),
    }


def logged_by(log: AnyLog, run_id: str, slug: str, index: int) -> list[str]:
    """The last lines that a task run has logged or printed."""
    found: deque[str] = deque(maxlen=MOST_LINES)
    after = 0
    for _ in range(MOST_PIECES):
        rows = log.log_lines(run_id, task=slug, after=after, limit=PIECE)
        for row in rows:
            if index in {UNMAPPED, row.index}:
                found.extend(row.message.splitlines() or [""])
        if len(rows) < PIECE:
            break
        after = rows[-1].number
    return _fitting(found)


def _fitting(lines: Sequence[str]) -> list[str]:
    room, kept = LONGEST_TEXT, []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]


def attached_by(log: AnyLog, run_id: str, slug: str, index: int) -> list[dict[str, Any]]:
    """What a task run has attached, with its content as far as pages show it; of a mapped task what its children have."""
    from notebook_flows.workspace.attachments import content_of
    from notebook_flows.workspace.earlier import artifacts_of

    rows = [one for one in artifacts_of(log, run_id, slug) if index in {UNMAPPED, one.index}]
    return told_artifacts(rows, lambda row: content_of(log, row), run_id=run_id)
