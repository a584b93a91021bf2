"""How tasks of a notebook ended last in its history: one that did not end well runs again, whatever is kept of it from before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.store.rows import RunRow

MOST_RUNS = 50
"""So many of the newest are looked at."""
_BADLY = frozenset({S.FAILED, S.CANCELLED, S.TIMED_OUT, S.CRASHED})


class LastEnds:
    """Looks at the runs of a notebook, as far back as it is asked about.

    Args:
        history: where they are.
        notebook: its name.
        parameters: name -> value; runs with others tell nothing.
    """

    def __init__(self, history: Any, notebook: str, parameters: Mapping[str, Any]) -> None:
        self._history = history
        self._notebook = notebook
        self._parameters = dict(parameters)
        self._runs: list[RunRow] | None = None
        self._states: dict[str, dict[str, S]] = {}

    def was_bad(self, known: KnownResult) -> bool:
        """Whether the task of a result has run since then, and has not ended well the last time."""
        for row in self._newest():
            if row.run_id == known.run_id:
                return False
            state = self._states_in(row.run_id).get(known.task)
            if state is not None:
                return state in _BADLY
        return False

    def _newest(self) -> list[RunRow]:
        if self._runs is None:
            self._runs = [
                row
                for row in self._history.runs(flow=self._notebook, limit=MOST_RUNS)
                if not row.is_by_hand and dict(row.parameters) == self._parameters
            ]
        return self._runs

    def _states_in(self, run_id: str) -> dict[str, S]:
        if run_id not in self._states:
            attempts = self._history.task_runs(run_id)  # by attempt: the last counts
            self._states[run_id] = {one.slug: one.state for one in attempts}
        return self._states[run_id]
