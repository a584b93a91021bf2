"""What a run of cells in this kernel is made of, and what is told and remembered when it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.analysis import Connections
    from notebook_flows.core import state as api
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.lifecycle import S
    from notebook_flows.session.cellmemory import Remembering
    from notebook_flows.session.celltask import KernelCellTask
    from notebook_flows.session.record import CellRecord
    from notebook_flows.session.values import CellValues


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How cells are to be run.

    Attributes:
        executor: "threads", "processes" or "main"; None: threads.
        workers: how many at once; None: as the executor chooses.
        history: False: leave no trace.
        strict_shell: a failing ``!command`` fails its cell.
        cache: True: cells are cached that do not say it themselves, unless they act on the world outside; False: none
            is, whatever it says; None: those that say it themselves.
        refreshes_cache: what is cached runs, and is kept anew.
    """

    executor: str | None = None
    workers: int | None = None
    history: bool | None = None
    strict_shell: bool = False
    cache: bool | None = None
    refreshes_cache: bool = False


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is made of.

    Attributes:
        name: of the flow: the notebook's.
        records: key -> cell, of the cells that are to run.
        connections: of all cells of the notebook.
        parameters: name -> value, put in place of what the parameters cell binds.
        parameters_cell: its key.
        executor: "threads", "processes" or "main", for cells that do not say it themselves; None: threads.
        workers: how many threads, or processes, there may be.
        history: False: leave no trace; None: as the settings say.
        strict_shell: a failing ``!command`` fails its cell.
        is_background: the user goes on meanwhile: names that he binds are not overwritten.
        remembering: what may be taken from earlier runs, and what is kept for later ones; None: nothing.
    """

    name: str
    records: Mapping[str, CellRecord]
    connections: Connections
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters_cell: str | None = None
    executor: str | None = None
    workers: int | None = None
    history: bool | None = None
    strict_shell: bool = False
    is_background: bool = False
    remembering: Remembering | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run ended.

    Attributes:
        run_id: of the history; empty if the run did not get as far.
        state: of the flow; None where the engine raised instead.
        flow: what ran.
        tasks: key -> the task of the flow.
        states: key -> how the cell ended.
        values: key -> what the cell made, of those that ended well, in document order.
        landed: key -> names that have landed in the namespace.
        replaced: key -> names that did not land -> key of the later cell whose value they keep.
        left: names that the user has bound since the run began, and that were left alone.
        still_running: names of tasks whose threads could not be stopped.
        was_stopped: by Ctrl-C, or by `%flow cancel`.
        problem: what the engine raised: KeyboardInterrupt, or an error of the history.
    """

    run_id: str
    flow: Flow
    tasks: Mapping[str, KernelCellTask]
    state: api.State | None
    states: Mapping[str, S]
    values: Mapping[str, CellValues]
    landed: Mapping[str, frozenset[str]]
    replaced: Mapping[str, Mapping[str, str]]
    left: frozenset[str] = frozenset()
    still_running: tuple[str, ...] = ()
    was_stopped: bool = False
    problem: BaseException | None = None


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """What is remembered of a run; none of the values that it has made, which would live as long.

    Attributes:
        run_id: empty if it did not get as far.
        states: key -> how the cell ended.
        cached: key -> from which run the cell was taken, and what that has saved, in a sentence.
        parameters: name -> value, of those that were given.
    """

    run_id: str
    states: Mapping[str, S]
    cached: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
