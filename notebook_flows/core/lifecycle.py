"""The states of a task run, in one table: the event's state, the API's class, papermill's status, word and glyph."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class S(IntEnum):
    """Where a task run, or a run, stands. The numbers are stored in histories: never change or reuse one."""

    PENDING = 0
    READY = 1
    QUEUED = 2
    RUNNING = 3
    RETRYING = 4
    PAUSED = 5
    LOOPED = 6
    EXPANDED = 7
    SUCCESS = 10
    CACHED = 11
    SKIPPED = 12
    MAPPED = 13
    FAILED = 20
    TIMED_OUT = 21
    UPSTREAM_FAILED = 22
    VALIDATION_FAILED = 23
    CANCELLED = 30
    CRASHED = 31
    NOT_RUN = 32


class StateFacts(NamedTuple):
    """One row of the table.

    Attributes:
        word: what people read, lower case.
        glyph: one character that tells the state without colour.
        api_class: the name of the class in `notebook_flows.core.state`.
        papermill: the `status` that papermill's metadata has for it.
        is_final: nothing more happens to this task run by itself.
        is_successful: downstream tasks may use it.
        is_failed: it failed, by itself or because of what it waits for.
    """

    word: str
    glyph: str
    api_class: str
    papermill: str
    is_final: bool
    is_successful: bool
    is_failed: bool


_ROWS: dict[S, StateFacts] = {
    S.PENDING: StateFacts("pending", "·", "Pending", "pending", False, False, False),
    S.READY: StateFacts("ready", "○", "Pending", "pending", False, False, False),
    S.QUEUED: StateFacts("queued", "◌", "Queued", "pending", False, False, False),
    S.RUNNING: StateFacts("running", "▶", "Running", "running", False, False, False),
    S.RETRYING: StateFacts("retrying", "↻", "Retrying", "running", False, False, False),
    S.PAUSED: StateFacts("paused", "‖", "Paused", "pending", False, False, False),
    S.LOOPED: StateFacts("looping", "⟳", "Looped", "running", False, False, False),
    S.EXPANDED: StateFacts("mapping", "▷", "Running", "running", False, False, False),
    S.SUCCESS: StateFacts("success", "✓", "Success", "completed", True, True, False),
    S.CACHED: StateFacts("cached", "≡", "Cached", "completed", True, True, False),
    S.SKIPPED: StateFacts("skipped", "»", "Skipped", "completed", True, True, False),
    S.MAPPED: StateFacts("mapped", "✓", "Mapped", "completed", True, True, False),
    S.FAILED: StateFacts("failed", "✗", "Failed", "failed", True, False, True),
    S.TIMED_OUT: StateFacts("timed out", "◷", "TimedOut", "failed", True, False, True),
    S.UPSTREAM_FAILED: StateFacts("upstream failed", "⊘", "TriggerFailed", "pending", True, False, True),
    S.VALIDATION_FAILED: StateFacts("validation failed", "✗", "ValidationFailed", "failed", True, False, True),
    S.CANCELLED: StateFacts("cancelled", "■", "Cancelled", "failed", True, False, True),
    S.CRASHED: StateFacts("crashed", "☠", "Crashed", "failed", True, False, True),
    S.NOT_RUN: StateFacts("not run", "-", "NotRun", "pending", True, False, True),
}


def _by_number(field: str) -> tuple[bool, ...]:
    flags = [False] * (max(S) + 1)
    for state, facts in _ROWS.items():
        flags[state] = getattr(facts, field)
    return tuple(flags)


IS_FINAL = _by_number("is_final")
IS_SUCCESSFUL = _by_number("is_successful")
IS_FAILED = _by_number("is_failed")


def facts_of(state: S) -> StateFacts:
    """The row of one state.

    >>> facts_of(S.UPSTREAM_FAILED).word
    'upstream failed'
    """
    return _ROWS[state]
