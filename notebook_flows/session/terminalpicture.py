"""The live tree in a terminal's IPython: how a run goes, below the line that has started it."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.settings import settings_from
from notebook_flows.views.livetree import LiveTree
from notebook_flows.views.runview import given_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.state import State

DUMB = frozenset({"", "dumb", "unknown"})
"""Terminals, by `TERM`, in which nothing can be drawn anew."""


def terminal_here() -> int | None:
    """The file descriptor of the terminal of this IPython, if somebody looks at it now; None: nobody does, or not here."""
    if "IPython" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is not None or current_attempt() is not None:
        return None
    if settings_from().live_picture != "on" or os.environ.get("TERM", "") in DUMB:
        return None
    try:
        return sys.stdout.fileno() if sys.stdout.isatty() else None
    except (AttributeError, OSError, ValueError):  # something of the user's stands in the place of stdout
        return None


class TerminalPicture:
    """Shows a flow's run; an observer of it.

    Args:
        flow: what runs.
        fd: a file descriptor of the terminal.
    """

    def __init__(self, flow: Flow, fd: int) -> None:
        from notebook_flows.workspace.durations import median_durations

        self._tree = LiveTree(
            fd,
            flow.name,
            hidden=given_in(flow),
            medians=median_durations(flow.name, list(flow.slugs.values())),
            encoding=getattr(sys.stdout, "encoding", None) or "utf-8",
        )

    def begin(self) -> None:
        """Show how it goes from now on."""
        self._tree.__enter__()

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """These events have happened."""
        self._tree(run, events)

    def finish(self, state: State | None) -> None:
        """Leave the tree as it was at the end."""
        self._tree.__exit__()


def picture_in_terminal(flow: Flow) -> TerminalPicture | None:
    """What shows a run of this flow in the terminal of this IPython; None: nobody looks there."""
    fd = terminal_here()
    return None if fd is None else TerminalPicture(flow, fd)


def run_in_terminal(run: Callable[..., State], flow: Flow, options: dict[str, Any]) -> State:
    """Run a flow, and show it in the terminal meanwhile, if somebody looks there.

    Args:
        run: runs it; see `workspace.run_flow`.
        flow: what runs.
        options: as given to `Flow.run`.
    """
    waits = flow.schedule is not None and options.get("run_on_schedule") is not False  # maybe for days
    picture = None if waits else picture_in_terminal(flow)
    if picture is None:
        return run(flow, **options)
    picture.begin()
    state: State | None = None
    try:
        state = run(flow, **{**options, "observers": [*(options.get("observers") or ()), picture]})
    finally:
        picture.finish(state)
    return state
