"""How the run of a notebook is watched: what is heard of its cells, and the state in which it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.events import UNMAPPED, Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S
from notebook_flows.notebook.document import CellEnd, Document
from notebook_flows.notebook.errors import CellError, OutputError
from notebook_flows.running.results import NotebookRun, cell_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.engine.ports import WaitingClock
    from notebook_flows.notebook.executor import KernelExecutor
    from notebook_flows.notebook.stopping import StopSignal
    from notebook_flows.running.finalpicture import FinalPicture


class Watch:
    """Hears how the run goes, and finishes the notebook before the run's end is recorded."""

    def __init__(
        self,
        document: Document,
        executor: KernelExecutor,
        clock: WaitingClock,
        stop: StopSignal | None = None,
        picture: FinalPicture | None = None,
    ) -> None:
        self._stop = stop
        self._picture = picture
        self._document = document
        self._executor = executor
        self._clock = clock
        self._run: Run | None = None
        self._messages: dict[tuple[int, int], str] = {}
        self._ends: list[CellEnd] = []
        self._error: str | None = None

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        """Hear what happens; the observer of the run."""
        self._run = run
        for event in events:
            if event.kind is Kind.TASK:
                self._messages[event.node, event.index] = str((event.data or {}).get("message") or "")

    def judge(self, flow: Flow, state: api.State, references: Any) -> api.State:
        """The state in which the run ends: told by its cells, and by whether the notebook could be saved."""
        self._ends = self._ends_of_cells(state)
        settled = self._settled(state)
        self._executor.finish_widgets()
        self._error = None if settled.is_successful() else settled.message
        if self._picture is not None and self._run is not None:
            self._show(self._picture, self._run)
        self._document.finish(self._ends, self._clock.now_us(), self._error or "")
        if self._document.saver is not None:
            try:
                self._document.saver.finish()
            except OutputError as error:
                self._error = f"{self._error.rstrip('.')}. {error}" if self._error else str(error)
                return type(settled)(self._error) if settled.is_failed() else api.Failed(self._error, result=error)
        return settled

    def _show(self, picture: FinalPicture, run: Run) -> None:
        """Put the picture where the notebook asks for it, if that cell has run; else at the end."""
        from notebook_flows.notebook.taskflow import showing

        at = showing(self._document)
        ended = None if at is None else self._executor.ends.get(at)
        has_run = ended is not None and ended.state is S.SUCCESS
        self._document.show(picture.bundle(run, self._messages), at if has_run else None, self._clock.now_us())

    def _ends_of_cells(self, state: api.State) -> list[CellEnd]:
        states = self._run.state if self._run is not None else [S.NOT_RUN] * len(self._document.nodes)
        ends = []
        for node, (place, now) in enumerate(zip(self._document.nodes, states, strict=True)):
            known = self._executor.ends.get(place)
            final = now if IS_FINAL[now] else S.NOT_RUN
            if known is None or known.state is not final:
                began_us = self._executor.began_us.get(place, 0)
                message = self._messages.get((node, UNMAPPED), "") if final is S.NOT_RUN else state.message or ""
                known = CellEnd(state=final, began_us=began_us, ended_us=self._clock.now_us(), message=message)
            ends.append(known)
        return ends

    def _settled(self, state: api.State) -> api.State:
        if self._stop is not None and self._stop.reason:
            return api.Cancelled(self._stop.reason)
        if api.event_state_of(state) is S.SUCCESS:
            return type(state)("All cells ran well.", result=state.result)
        if api.event_state_of(state) is not S.FAILED:
            return state
        bad = next((one for one in self._ends if IS_FAILED[one.state] and one.state is not S.NOT_RUN), None)
        if bad is None:
            return state
        made: type[api.State] = api.class_of(bad.state)
        return made(bad.message or state.message)

    def told(
        self,
        flow: Flow,
        state: api.State,
        run_id: str,
        output_path: Path | None,
        parameters: Mapping[str, Any],
        notes: Sequence[str],
    ) -> NotebookRun:
        """What the caller gets."""
        tasks = list(flow._into)
        results = state.result
        exception = next((results[task].result for task in tasks if isinstance(results[task].result, CellError)), None)
        return NotebookRun(
            state=api.event_state_of(state),
            run_id=run_id,
            run_name=str(state.context["flow_run_name"]),
            output_path=output_path,
            error=self._error,
            parameters=dict(parameters),
            cells=[
                cell_run(number, task.name, end)
                for number, (task, end) in enumerate(zip(tasks, self._ends, strict=True), 1)
            ],
            exception=exception,
            flow=flow,
            flow_state=state,
            notes=notes,
        )
