"""``%flow resume``: goes on with a run that did not end well, of this kernel or of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.errors import FlowError
from notebook_flows.fingerprints.made import gone_file
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.magics.running import run_notebook_flow, run_selected, warn
from notebook_flows.session.remembered import kept_results
from notebook_flows.session.runorder import RunOptions
from notebook_flows.session.selection import Wish
from notebook_flows.session.sinks import interactive_sink
from notebook_flows.views.text import printable
from notebook_flows.workspace import event_log
from notebook_flows.workspace.celldone import done_in, is_only_told
from notebook_flows.workspace.resuming import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.magics.here import Here
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.record import CellRecord
    from notebook_flows.store.rows import TaskRunRow
    from notebook_flows.workspace.celldone import Done


def resume_here(here: Here, name: str | None) -> Any:
    """Run what is left of a run; a coroutine where the line is awaited.

    Args:
        here: the notebook.
        name: of the run, the beginning of its id, or ``latest``; None: the last one of this kernel or, if nothing has run
            here yet, of this notebook.

    Raises:
        FlowLineError: there is nothing to go on with.
    """
    last = here.flow.last
    if last is not None and (name is None or last.run_id.startswith(name)):
        tasks = here.outlook().tasks
        left = tuple(key for key, state in last.states.items() if not IS_SUCCESSFUL[state] and key in tasks)
        if not left:
            raise FlowLineError("The last run ended well: nothing is left of it.")
        return run_notebook_flow(here, Wish(names=left), (), RunOptions(), background=False)
    return _of_another_kernel(here, name)


def _of_another_kernel(here: Here, name: str | None) -> Any:
    """What the run has done is taken from it; of tasks that it was not asked for, what is kept of them otherwise."""
    log = event_log()
    try:
        done = done_in(log, here.session.saved.name, name or LATEST)
        parameters = {key: value for key, value in done.run.parameters.items() if not is_only_told(value)}
        with kept_results() as kept:
            outlook = here.flow.outlook(parameters, lambda record, made: _found(done, kept, record, made))
    except FlowError as error:
        raise FlowLineError(str(error)) from None
    if not outlook.tasks:
        raise FlowLineError("This notebook has no task cell yet: put `%%task` above a cell, and save it.")
    _tell_gone(here, outlook, done)
    return run_selected(here, outlook, Wish(parameters=parameters), RunOptions(), background=False)


def _tell_gone(here: Here, outlook: Outlook, done: Done) -> None:
    """Which tasks had ended well, and run again, for a file that they wrote is gone."""
    for key, record in outlook.tasks.items():
        file = gone_file(outlook.connections.cells[key].files, Path.cwd())
        if file is not None and _went_well(done, record):
            name = printable(record.name)
            warn(interactive_sink(here.session), f"{name!r} runs again, for {file!r}, which it wrote, is gone.\n")


def _found(done: Done, kept: Callable[[str], KnownResult | None], record: CellRecord, made: str) -> KnownResult | None:
    ended = _ended(done, record)
    return done.known.get(made) or (kept(made) if ended is None or IS_SUCCESSFUL[ended.state] else None)


def _went_well(done: Done, record: CellRecord) -> bool:
    ended = _ended(done, record)
    return ended is not None and IS_SUCCESSFUL[ended.state]


def _ended(done: Done, record: CellRecord) -> TaskRunRow | None:
    place = (record.place or 0) + 1
    return done.ended.get(f"{record.name}-1") or done.ended.get(f"cell-{place}")
