"""``flow.run()`` in a notebook shows the flow while it runs, below the cell; in a terminal's IPython, in the terminal."""

from __future__ import annotations

import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.session.outputs import CellSink


def sink_below_cell() -> CellSink | None:
    """Where the cell that is being executed shows things to somebody who looks; None: nobody does, or not here."""
    shell = _kernel_shell()
    if shell is None or not _executes_cells(threading.current_thread()) or current_attempt() is not None:
        return None
    from notebook_flows.session.page import has_page
    from notebook_flows.session.session import session_of
    from notebook_flows.session.sinks import interactive_sink

    sink = interactive_sink(session_of(shell))
    return sink if has_page(sink) else None


def _executes_cells(thread: threading.Thread) -> bool:
    """Whether it is the kernel's main thread, or that of a subshell; all others are the user's own."""
    return thread is threading.main_thread() or type(thread).__name__ == "SubshellThread"


def _kernel_shell() -> Any:
    """The shell of this process, if that is a kernel; a plain script never loads IPython for that."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def run_shown(run: Callable[..., State], flow: Flow, options: dict[str, Any]) -> State:
    """Run a flow, and show it below the cell, or in the terminal, meanwhile, where somebody looks.

    Args:
        run: runs it; see `workspace.run_flow`.
        flow: what runs.
        options: as given to `Flow.run`.
    """
    sink = sink_below_cell()
    if sink is None:
        from notebook_flows.session.terminalpicture import run_in_terminal

        return run_in_terminal(run, flow, options)
    if any(
        type(one).__name__ in {"LivePicture", "LargePicture", "TextPicture"} for one in options.get("observers") or ()
    ):
        return run(flow, **options)
    from notebook_flows.session.largepicture import picture_of_run
    from notebook_flows.session.shownpicture import followers_of
    from notebook_flows.session.textpicture import TextPicture

    run_id = options.get("flow_run_id") or uuid.uuid4().hex
    picture = picture_of_run(flow, sink, run_id=run_id)
    followers = followers_of(flow, run_id)
    picture.begin()
    state: State | None = None
    try:
        observers = [*(options.get("observers") or ()), picture, *followers]
        named = {"flow_run_id": run_id} if flow.schedule is None else {}
        state = run(flow, **{**options, **named, "observers": observers})
    finally:
        picture.finish(state)
        for one in followers:
            one.finish(state)
    if not isinstance(picture, TextPicture):  # else it has told that line by line
        _tell_failures(state, sink)
    return state


def _tell_failures(state: State, sink: CellSink) -> None:
    from notebook_flows.session.flowfailures import failures_told

    said = failures_told(state)
    if said:
        sys.stdout.flush()  # what the tasks have printed comes first
        sink.stream("stderr", said)
        sink.flush()
