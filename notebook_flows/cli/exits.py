"""The exit codes: one table, for people, shells and schedulers."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import IS_SUCCESSFUL, S
from notebook_flows.errors import ExecutorError, NoSuchRun, StoreError, UnknownExecutor

if TYPE_CHECKING:
    from notebook_flows.errors import FlowError


class Exit(IntEnum):
    """How a command ended. Scripts rely on the numbers: never change or reuse one."""

    SUCCESS = 0
    """What was asked for is done; of a run: it succeeded."""
    FAILED = 1
    """The run failed. Of ``doctor``: something is broken."""
    USAGE = 2
    """Nothing ran: the command, the file, the flow or a parameter is wrong."""
    CRASHED = 3
    """The run lost its process, its kernel or its history."""
    TIMED_OUT = 4
    """The run, or the waiting, took longer than it was given."""
    PAUSED = 5
    """The run waits for a person."""
    CANCELLED = 6
    """Somebody else stopped the run, as with ``notebook-flows cancel``."""
    OUR_MISTAKE = 70
    """notebook_flows itself has a mistake."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT, as shells count."""
    TERMINATED = 143
    """SIGTERM: 128 + 15."""


_OF_STATE = {
    S.TIMED_OUT: Exit.TIMED_OUT,
    S.CRASHED: Exit.CRASHED,
    S.CANCELLED: Exit.CANCELLED,
    S.NOT_RUN: Exit.CANCELLED,
    S.PAUSED: Exit.PAUSED,
}


def exit_of_state(state: S) -> Exit:
    """The exit code of a run that ended like this.

    >>> exit_of_state(S.SKIPPED).name, exit_of_state(S.UPSTREAM_FAILED).name
    ('SUCCESS', 'FAILED')
    """
    return Exit.SUCCESS if IS_SUCCESSFUL[state] else _OF_STATE.get(state, Exit.FAILED)


def exit_of_error(error: FlowError) -> Exit:
    """The exit code of a command that an error of ours has ended."""
    if isinstance(error, (NoSuchRun, UnknownExecutor)):
        return Exit.USAGE
    return Exit.CRASHED if isinstance(error, (StoreError, ExecutorError)) else Exit.USAGE
