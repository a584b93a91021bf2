"""What a run of a notebook's cells has recorded as done, for a run that goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.lifecycle import IS_SUCCESSFUL
from notebook_flows.engine.ports import KnownResult
from notebook_flows.errors import ParameterError
from notebook_flows.workspace.resuming import SHORT_ID, ResumeError, resumable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.store.rows import RunRow, TaskRunRow


class Done(NamedTuple):
    """What a run has done.

    Attributes:
        run: as the history has it.
        known: what a task is made of -> what was kept of it, of those that ended well.
        ended: slug -> its last attempt.
        without_value: what a cell is made of -> how long it took, in microseconds, of those that ended well and of which
            nothing was kept.
    """

    run: RunRow
    known: Mapping[str, KnownResult]
    ended: Mapping[str, TaskRunRow]
    without_value: Mapping[str, int]

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.run.run_id

    def parameters_again(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a run that is gone on with, but for those that are given now.

        Raises:
            ParameterError: the history does not hold the value of one, which has to be given again.
        """
        again = {name: value for name, value in self.run.parameters.items() if name not in given}
        missing = [name for name, value in again.items() if is_only_told(value)]
        if missing:
            raise ParameterError(
                f"The history does not hold the values of these parameters of run {self.run_id[:SHORT_ID]}: "
                f"{', '.join(missing)}. Give them again."
            )
        return again


def done_in(history: Any, notebook: str, wanted: str) -> Done:
    """What a run has done.

    Args:
        history: where it is.
        notebook: its name.
        wanted: the run's id, the beginning of it, or ``latest``: the newest of this notebook that is more than one cell
            executed by hand.

    Raises:
        ResumeError: there is none, it is another notebook's, or it still runs.
        NoSuchRun: no run has this id.
    """
    row = resumable(history, wanted, notebook, newest=lambda: _newest(history, notebook), this="notebook")
    known_results = history.known_results()
    try:
        ended = {one.slug: one for one in history.task_runs(row.run_id)}  # by attempt: the last counts
        known: dict[str, KnownResult] = {}
        without_value: dict[str, int] = {}
        for one in ended.values():
            result = one.result
            if not IS_SUCCESSFUL[one.state] or result is None or not result.get("made"):
                continue
            took_us = max((one.ended_us or 0) - (one.started_us or one.ended_us or 0), 0)
            if "sha256" not in result:
                without_value[result["made"]] = took_us
                continue
            inline = known_results.content(result["sha256"]) if result["in"] == "history" else None
            known[result["made"]] = KnownResult(
                "", row.run_id, one.slug, -1, took_us, one.ended_us or 0, result, inline
            )
    finally:
        known_results.close()
    return Done(row, known, ended, without_value)


def _newest(history: Any, notebook: str) -> str:
    """The newest run of a notebook that is more than one cell executed by hand."""
    for row in history.runs(flow=notebook, limit=200):
        if not row.is_by_hand:
            return str(row.run_id)
    raise ResumeError(f"Notebook {notebook!r} has no run to go on with.")


def is_only_told(value: Any) -> bool:
    """Whether the history does not hold a parameter's value: it is secret, or no JSON."""
    return isinstance(value, dict) and value.keys() in ({"secret"}, {"repr", "type"})
