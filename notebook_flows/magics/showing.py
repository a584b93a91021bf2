"""``%flow show``: the picture of the notebook, of a flow that a cell has made, or of a run from the history."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.core.lifecycle import facts_of
from notebook_flows.errors import did_you_mean
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.magics.here import only_asks
from notebook_flows.magics.lastruns import told_run
from notebook_flows.session.cellpicture import picture_flow, standings_of_cells
from notebook_flows.session.saved import NO_NAME
from notebook_flows.views.diagram import diagram_of
from notebook_flows.views.picture import Picture
from notebook_flows.workspace.one_run import PARENT_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.magics.here import Here
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.shownpicture import ShownPicture
    from notebook_flows.session.storedrun import StoredRun
    from notebook_flows.widget.board import Board


def show_flow(here: Here, name: str | None, *, as_text: bool, output: str | None, all_cells: bool) -> None:
    """Draw the notebook, or a flow."""
    picture = _picture(here, name, all_cells=all_cells)
    if output is not None:
        click.echo(f"Written to {picture.save(output)}.")
    elif as_text:
        click.echo(picture.text())
    else:
        here.show(picture)


def _picture(here: Here, name: str | None, *, all_cells: bool) -> Any:
    if name is not None:
        return _named(here, name)
    outlook = here.outlook()
    if not all_cells and (stored := _run_to_show(here, outlook)) is not None:
        return _picture_of_run(here, stored)
    records = outlook.tasks
    if all_cells:
        records = {key: one for key, one in outlook.records.items() if not only_asks(one.source)}
    if not records:
        flows = list(here.flows().values())
        if len(flows) == 1:
            return flows[0].visualize()
        raise FlowLineError("No cell is a task yet: put `%%task` above one, and execute it. `--cells` draws all cells.")
    flow, _ = picture_flow(here.session.saved.name, records, outlook.connections)
    picture = Picture(diagram_of(flow), standings_of_cells(records, outlook.stale, here.flow.last))
    picture.shown_by = lambda: _show_live(here, picture, flow, records, outlook)
    return picture


def _named(here: Here, name: str) -> Any:
    """The picture of a flow that a cell has made, or of a run."""
    from notebook_flows.session.storedrun import run_called

    flow = here.flow_named(name)
    if flow is not None:
        return flow.visualize()
    stored = run_called(name)
    if stored is None:
        raise FlowLineError(f"There is no Flow {name!r}.{did_you_mean(name, list(here.flows()))}")
    return _picture_of_run(here, stored)


def _run_to_show(here: Here, outlook: Outlook) -> StoredRun | None:
    """The run of this notebook that goes on in another process; where no task has run in this kernel, the last one of all."""
    from notebook_flows.session.storedrun import newest_of

    if here.session.saved.name == NO_NAME or os.environ.get(PARENT_RUN):
        return None  # others have no name, too; and a runner's kernel is part of a run itself
    has_run = here.flow.last is not None or any(here.flow.freshness.knows(key) for key in outlook.tasks)
    return newest_of(here.session.saved.name, only_elsewhere=has_run)


def _picture_of_run(here: Here, stored: StoredRun) -> Any:
    row = stored.row
    click.echo(told_run(row, facts_of(row.state).word if stored.is_over else f"goes on in process {row.owner.pid}"))
    picture = stored.picture()
    picture.shown_by = lambda: _show_run_live(here, picture, stored)
    return picture


def _show_run_live(here: Here, picture: Any, stored: StoredRun) -> bool:
    from notebook_flows.session.shownflow import sink_below_cell
    from notebook_flows.session.shownpicture import ShownPicture
    from notebook_flows.session.storedsource import StoredSource

    sink = sink_below_cell()
    if sink is None:
        return False
    source = StoredSource(here.session, stored, sink)
    shown = ShownPicture(picture, sink, source, source.keys)
    return shown.show(stored) and _followed(here, shown)


def _show_live(here: Here, picture: Any, flow: Flow, records: Mapping[str, CellRecord], outlook: Outlook) -> bool:
    """Show the notebook's picture with what is known of its cells, if somebody looks; runs that follow are seen on it."""
    from notebook_flows.session.notebooksource import NotebookSource
    from notebook_flows.session.shownflow import sink_below_cell
    from notebook_flows.session.shownpicture import ShownPicture
    from notebook_flows.session.tail import show_late

    sink = sink_below_cell()
    if sink is None:
        return False
    going = here.flow.going
    source = NotebookSource(here.session, records, outlook.connections, flow, sink, run=going, stale=outlook.stale)
    shown = ShownPicture(picture, sink, source, list(records))
    if not shown.show(stands=lambda board: _with_times(here, board, list(records))):
        return False
    if going is not None:
        show_late(shown, going)
    return _followed(here, shown)


def _followed(here: Here, shown: ShownPicture) -> bool:
    """Runs that follow are seen on it."""
    here.flow.shown = [*(one for one in here.flow.shown if one.is_open), shown]
    return True


def _with_times(here: Here, board: Board, keys: Sequence[str]) -> Board:
    """With what the history knows of the last run of this kernel."""
    from notebook_flows.session.storedrun import run_called
    from notebook_flows.session.storedsource import with_times

    last = here.flow.last
    stored = run_called(last.run_id) if last is not None and last.run_id else None
    return board if stored is None else with_times(board, keys, stored, here.session.book.records())
