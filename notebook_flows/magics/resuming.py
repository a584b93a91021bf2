"""``%flow resume``: goes on with a run that did not end well, of this kernel or of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis.feeding import fed_by, feeders
from notebook_flows.cli.values import given_from
from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.errors import FlowError, NoSuchRun
from notebook_flows.fingerprints.made import gone_file
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.magics.parameters import values_for_notebook
from notebook_flows.magics.running import run_selected
from notebook_flows.magics.telling import say, warn
from notebook_flows.session.remembered import kept_results
from notebook_flows.session.runorder import RunOptions
from notebook_flows.session.selection import Wish
from notebook_flows.session.sinks import interactive_sink
from notebook_flows.views.text import printable
from notebook_flows.views.values import told_value
from notebook_flows.workspace import event_log
from notebook_flows.workspace.celldone import done_in
from notebook_flows.workspace.parameterprints import parameter_print
from notebook_flows.workspace.resuming import LATEST, SHORT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.magics.here import Here
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.runorder import PastRun
    from notebook_flows.store.rows import TaskRunRow
    from notebook_flows.workspace.celldone import Done


def resume_here(here: Here, name: str | None, given: Sequence[str] = ()) -> Any:
    """Run what is left of a run; a coroutine where the line is awaited.

    Args:
        here: the notebook.
        name: of the run, the beginning of its id, or ``latest``; None: the last one of this kernel or, if nothing has run
            here yet, of this notebook.
        given: ``name=value``, in place of parameters of that run.

    Raises:
        FlowLineError: there is nothing to go on with.
    """
    here.check_free()
    last = here.flow.last
    if last is not None and (name is None or _is_called(last.run_id, name)):
        return _of_this_kernel(here, last, given)
    return _of_another_kernel(here, name, given)


def _is_called(run_id: str, name: str) -> bool:
    """Whether the beginning of an id means this run, and no other of the history.

    Raises:
        NoSuchRun: several begin like this.
    """
    if not run_id.startswith(name):
        return False
    log = event_log()
    try:
        log.run(run_id)
    except NoSuchRun:  # it left no trace, so no other is meant
        return True
    return log.run(name).run_id == run_id


def _of_this_kernel(here: Here, last: PastRun, given: Sequence[str]) -> Any:
    """What has ended well has left its values here; it runs only if they are not true any more, or a file is gone."""
    values = _with_parameters(here, last.parameters, given, last.run_id)
    outlook = here.outlook(values)
    ran = {key: record for key, record in outlook.tasks.items() if key in last.states}
    gone = _tell_gone(here, outlook, lambda key, _: key in ran and key not in outlook.stale)
    anew = fed_by(feeders(outlook.connections), gone)  # what these make is not compared with what they had made
    left = tuple(key for key in ran if key in outlook.stale or key in anew)
    are_set = not given and _are_set(here, values)
    if not left and are_set:
        went_well = all(IS_SUCCESSFUL[state] for state in last.states.values())
        raise FlowLineError(
            "The last run ended well: nothing is left of it."
            if went_well
            else "Nothing is left of the last run: what did not go well in it has run since."
        )
    wish = Wish(names=left, parameters={} if are_set else values)
    return run_selected(here, outlook, wish, RunOptions(), background=False, parameters=values)


def _are_set(here: Here, values: Mapping[str, Any]) -> bool:
    """Whether tasks take these parameters now, as the parameters cell has left them."""
    cell, names = here.session.book.parameters_cell, here.session.shell.user_ns
    if cell is None:
        return not values
    for name, value in values.items():
        if name in names and here.session.bindings.owner(name) == cell.key:
            now = names[name]
        else:
            is_kept, now = here.flow.kept(cell.key, name)
            if not is_kept:
                return False
        if parameter_print(now) != parameter_print(value):
            return False
    return True


def _of_another_kernel(here: Here, name: str | None, given: Sequence[str]) -> Any:
    """What the run has done is taken from it; of tasks that it was not asked for, what is kept of them otherwise."""
    log = event_log()
    try:
        done = done_in(log, here.session.saved.name, name or LATEST)
        before = done.parameters_again({one.name: None for one in given_from(given)})
        values = _with_parameters(here, before, given, done.run_id)
        with kept_results() as kept:
            outlook = here.flow.outlook(values, lambda record, made: _found(done, kept, record, made))
    except FlowError as error:
        raise FlowLineError(str(error)) from None
    if not outlook.tasks:
        raise FlowLineError("This notebook has no task cell yet: put `%%task` above a cell, and save it.")
    _tell_gone(here, outlook, lambda _, record: _went_well(done, record))
    return run_selected(here, outlook, Wish(parameters=values), RunOptions(), background=False)


def _with_parameters(here: Here, before: Mapping[str, Any], given: Sequence[str], run_id: str) -> dict[str, Any]:
    """The parameters of the run, which are told, and those that are given now."""
    if not before and not given:
        return {}
    values = values_for_notebook(here, given, before)
    again = [name for name in before if name not in {one.name for one in given_from(given)}]
    if again:
        run = f" {run_id[:SHORT_ID]}" if run_id else ""
        told = ", ".join(f"{name} = {printable(told_value(values[name]))}" for name in again)
        say(interactive_sink(here.session), f"With the parameters of run{run or ' before'}: {told}.\n")
    return values


def _tell_gone(here: Here, outlook: Outlook, went_well: Callable[[str, CellRecord], bool]) -> set[str]:
    """The tasks that had ended well, and run again, for a file that they wrote is gone; told."""
    found = set()
    for key, record in outlook.tasks.items():
        file = gone_file(outlook.connections.cells[key].files, Path.cwd())
        if file is not None and went_well(key, record):
            found.add(key)
            name = printable(record.name)
            warn(interactive_sink(here.session), f"{name!r} runs again, for {file!r}, which it wrote, is gone.\n")
    return found


def _found(done: Done, kept: Callable[[str], KnownResult | None], record: CellRecord, made: str) -> KnownResult | None:
    ended = _ended(done, record)
    return done.known.get(made) or (kept(made) if ended is None or IS_SUCCESSFUL[ended.state] else None)


def _went_well(done: Done, record: CellRecord) -> bool:
    ended = _ended(done, record)
    return ended is not None and IS_SUCCESSFUL[ended.state]


def _ended(done: Done, record: CellRecord) -> TaskRunRow | None:
    return next((done.ended[slug] for slug in record.slugs if slug in done.ended), None)
