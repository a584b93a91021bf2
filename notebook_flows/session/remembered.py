"""Which task cells an earlier kernel has run, and has left what they made to this one."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import NoSuchRun, StoreError
from notebook_flows.fingerprints.made import Making, files_of, gone_file, which_notebook
from notebook_flows.fingerprints.readfiles import READ, changed_file
from notebook_flows.session.lastends import LastEnds
from notebook_flows.session.unasked import acting_outside
from notebook_flows.settings import settings_from
from notebook_flows.workspace.cellreuse import MADE
from notebook_flows.workspace.parameterprints import parameter_print

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.saved import SavedNotebook


def making_of(
    saved: SavedNotebook,
    records: Mapping[str, CellRecord],
    connections: Connections,
    *,
    parameters_cell: str | None,
    parameters: Mapping[str, Any],
    results: Mapping[str, str],
) -> Making:
    """What the cells of this kernel's notebook are made of.

    Args:
        saved: the notebook.
        records: key -> cell, of all.
        connections: of them.
        parameters_cell: the key of the cell with the parameters.
        parameters: name -> value, of those that are given.
        results: key -> the fingerprint of what the task has made, as far as it is known.
    """
    folder, path = Path.cwd(), saved.path
    making = Making(
        which_notebook(saved.name, None if path is None else str(path), folder),
        {key: one.source for key, one in records.items()},
        {key: files_of(connections.cells[key].files, one.options.files) for key, one in records.items()},
        connections,
        parameters_cell=parameters_cell,
        parameters={name: parameter_print(value) for name, value in parameters.items()},
        folder=folder,
        is_here=True,
    )
    for key, result in results.items():
        if key in records:
            making.set_result(key, result)
    return making


def remembered_in(
    making: Making, connections: Connections, wanted: Collection[str], find: Callable[[str, str], KnownResult | None]
) -> dict[str, KnownResult]:
    """Task cell -> what is kept of it, of those that are as they were when they ran, with all that they take values from.

    Args:
        making: of the cells; hears of what is found.
        connections: of them, in document order.
        wanted: keys of the tasks that have not run in this kernel.
        find: gives what is kept of the cell with a key, if it is made of this.
    """
    found: dict[str, KnownResult] = {}
    folder = Path.cwd()
    for key, links in connections.cells.items():
        if key not in wanted or gone_file(links.files, folder) is not None:
            continue
        if (made := making.of(key)) is None or (known := find(key, made)) is None:
            continue
        if changed_file(known.reference.get(READ, {}), folder) is None:
            found[key] = known
            making.set_result(key, str(known.reference["content"]))
    return found


def recollected(
    making: Making,
    records: Mapping[str, CellRecord],
    connections: Connections,
    wanted: Collection[str],
    parameters: Mapping[str, Any],
    notebook: str,
) -> dict[str, KnownResult]:
    """As `remembered_in`, of all that the history has; nothing where there is none, or where it cannot be read.

    Nobody has asked for it. So it is only taken from runs with the same parameters, and what acts on the world outside,
    or takes something from there, runs again; so does what has run since, and did not end well.

    Args:
        making: of the cells; hears of what is found.
        records: key -> cell, of all.
        connections: of them.
        wanted: keys of the tasks that have not run in this kernel.
        parameters: name -> value, of those that are given.
        notebook: its name.
    """
    if not wanted or settings_from().history != "on":
        return {}
    from notebook_flows.workspace.histories import event_log

    outside = acting_outside(records, connections).keys()
    try:
        is_like_this = _runs_with(parameters)
        ends = LastEnds(event_log(), notebook, parameters)

        def is_true(one: KnownResult) -> bool:
            return is_like_this(one.run_id) and not ends.was_bad(one)

        with kept_results() as find:
            return remembered_in(
                making,
                connections,
                set(wanted) - outside,
                lambda _key, made: one if (one := find(made)) is not None and is_true(one) else None,
            )
    except StoreError:  # whoever runs cells is told
        return {}


def _runs_with(parameters: Mapping[str, Any]) -> Callable[[str], bool]:
    """What tells of a run whether it had these parameters; one that the history does not know any more had not."""
    from notebook_flows.workspace.histories import event_log

    log = event_log()
    known: dict[str, bool] = {}

    def is_like_this(run_id: str) -> bool:
        if run_id not in known:
            try:
                known[run_id] = dict(log.run(run_id).parameters) == dict(parameters)
            except NoSuchRun:
                known[run_id] = False
        return known[run_id]

    return is_like_this


@contextmanager
def kept_results() -> Iterator[Callable[[str], KnownResult | None]]:
    """Inside, looks up what the history has kept of cells by what they are made of; only what is there.

    Raises:
        StoreError: the history cannot be read.
    """
    from notebook_flows.workspace.histories import event_log, result_store

    known: Any = event_log().known_results()
    store = result_store()

    def find(made: str) -> KnownResult | None:
        one: KnownResult | None = known.find(MADE + made)
        if one is None or "content" not in one.reference:
            return None
        is_there = one.inline is not None if one.reference["in"] == "history" else store.has(one.reference)
        return one if is_there else None

    try:
        yield find
    finally:
        known.close()
