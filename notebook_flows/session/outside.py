"""What other processes ask of a run that `flow.run()` has begun in a cell: heard also while a task holds the main thread."""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.engine.stopping import cancel_run, retry_run
from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.state import State
    from notebook_flows.engine.ports import Request
    from notebook_flows.store.reader import Reader

LOOK_EVERY_S = 0.5
CANCELLED = "Cancelled from outside."


def run_heard(run: Callable[..., State], flow: Flow, **options: Any) -> State:
    """Run a flow; what is asked of it in the history is done at once.

    Args:
        run: runs it; see `workspace.run_flow`.
        flow: what runs.
        options: as given to `Flow.run`.
    """
    is_scheduled = flow.schedule is not None and options.get("run_on_schedule") is not False
    if is_scheduled or current_attempt() is not None:
        return run(flow, **options)
    run_id = options.get("flow_run_id") or uuid.uuid4().hex
    with requests_heard(run_id, options.get("history")):
        return run(flow, **{**options, "flow_run_id": run_id})


@contextmanager
def requests_heard(run_id: str, history: bool | None) -> Iterator[None]:
    """Inside, a run does what its history says that it should, whatever its engine's thread is busy with.

    Args:
        run_id: of the run, which need not have begun.
        history: as given to `Flow.run`.
    """
    from notebook_flows.workspace.histories import log_for

    new_reader = getattr(log_for(history), "new_reader", None)
    if new_reader is None:  # a history that no other process sees
        yield
        return
    is_over = threading.Event()
    watch = threading.Thread(
        target=_watch, args=(run_id, new_reader, is_over), name="notebook-flows-requests", daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        is_over.set()


def _watch(run_id: str, new_reader: Callable[[], Reader], is_over: threading.Event) -> None:
    reader: Reader | None = None
    run_no: int | None = None
    seen = 0
    while not is_over.wait(LOOK_EVERY_S):
        try:
            reader = reader or new_reader()
            run_no = reader.run_no(run_id) if run_no is None else run_no
            found = reader.requests(run_no, after=seen)
        except StoreError:
            continue  # it has not begun, or the writer meets the same trouble, and tells it
        seen = found[-1].number if found else seen
        _obey(run_id, found)
    if reader is not None:
        reader.close()


def _obey(run_id: str, requests: Sequence[Request]) -> None:
    for request in requests:
        if request.verb == "cancel":
            cancel_run(run_id, str(request.payload.get("reason", CANCELLED)))
        elif request.verb == "retry":
            retry_run(run_id, request.number)
