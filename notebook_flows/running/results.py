"""What is told of a notebook's run when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from notebook_flows.core import state as api
    from notebook_flows.core.flow import Flow
    from notebook_flows.notebook.document import CellEnd


@dataclass(frozen=True, kw_only=True)
class CellRun:
    """How one code cell ended.

    Attributes:
        number: 1 for the first that runs; its slug in the history is ``cell-1``.
        name: what people read.
        state: as the history has it.
        message: one sentence; empty where there is nothing to say.
        elapsed_s: from its start to its end; None where it did not run.
    """

    number: int
    name: str
    state: S
    message: str
    elapsed_s: float | None


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """How the run of a notebook ended.

    Attributes:
        state: SUCCESS, FAILED, TIMED_OUT, CANCELLED or CRASHED.
        run_id: its id in the history.
        run_name: its name there.
        output_path: the executed notebook; None where none was asked for.
        error: one sentence that says what went wrong; None if nothing did.
        parameters: what the notebook was given, each made to fit its declared type.
        cells: of the n code cells, in document order.
        exception: of the cell that failed: `CellError`, with its traceback as text; or None.
        flow: the notebook as a flow, with ``flow_state`` all that a picture needs: ``flow.visualize(flow_state)``.
        flow_state: the state of the flow, as `Flow.run` returns it.
        notes: sentences about how it was run; none for most notebooks.
    """

    state: S
    run_id: str
    run_name: str
    output_path: Path | None
    error: str | None
    parameters: Mapping[str, Any]
    cells: Sequence[CellRun]
    exception: BaseException | None
    flow: Flow
    flow_state: api.State
    notes: Sequence[str] = ()

    @property
    def is_successful(self) -> bool:
        """Whether all that was to run has run well, and the notebook is saved."""
        return self.state is S.SUCCESS


def cell_run(number: int, name: str, end: CellEnd) -> CellRun:
    """How a cell ended, as the caller gets it."""
    has_run = end.began_us > 0 and end.state not in {S.NOT_RUN, S.SKIPPED}
    elapsed_s = (end.ended_us - end.began_us) / 1e6 if has_run else None
    return CellRun(number=number, name=name, state=end.state, message=end.message, elapsed_s=elapsed_s)
