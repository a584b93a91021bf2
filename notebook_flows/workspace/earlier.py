"""What the tasks of a run have attached; of those that it took from earlier runs, what they attached there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import NoSuchRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from notebook_flows.engine.ports import KnownResult, KnownResults
    from notebook_flows.store.rows import ArtifactRow, TaskRunRow

_FROM = re.compile(r"From run ([\w.-]+?)(?:, saved |\.(?:\s|$))")
"""How the end of a task says from which run it was taken, whose id may hold full stops; see `resuming.said_of`."""
MOST_RUNS = 100
"""A run that went on with one that went on with one: further back nobody looks."""


class _Place(NamedTuple):
    """A task run of some run."""

    slug: str
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs here


def artifacts_of(log: Any, run_id: str, task: str | None = None, *, all_versions: bool = False) -> list[ArtifactRow]:
    """The artifacts of a run, and behind them those that its tasks attached in earlier runs, from which they were taken.

    Args:
        log: the history.
        run_id: an id, or a prefix that no other run has.
        task: only of this one, by slug.
        all_versions: also those whose place another has taken.

    Raises:
        NoSuchRun: the history does not have the run, or the run not the task.
        StoreError: it cannot be read.
    """
    own = log.artifacts(run_id, task, all_versions=all_versions)
    earlier = _Earlier(log, all_versions=all_versions)
    return [*own, *(one for one in earlier.of(log.run(run_id).run_id) if task in {None, one.slug})]


class _Earlier:
    """What tasks of a run attached in earlier ones; each run is read once."""

    def __init__(self, log: Any, *, all_versions: bool) -> None:
        self._log = log
        self._all_versions = all_versions
        self._known: dict[str, list[ArtifactRow]] = {}
        self._ids: dict[str, str | None] = {}
        self._rows: dict[str, list[TaskRunRow]] = {}
        self._results: KnownResults | None = None

    def of(self, run_id: str) -> list[ArtifactRow]:
        """Those of the tasks that a run has taken."""
        try:
            return self._of(run_id, MOST_RUNS)
        finally:
            if self._results is not None:
                self._results.close()
                self._results = None

    def _of(self, run_id: str, left: int) -> list[ArtifactRow]:
        found: list[ArtifactRow] = []
        for row in _last(self._task_runs(run_id)):
            told = _FROM.match(row.message) if row.state is S.CACHED else None
            source = None if told is None else self._id_of(told[1]) or self._keeper_of(row, told[1])
            if source is None or source == run_id or not (attached := self._all(source, left)):
                continue
            place = self._place_in(source, row)
            found += [
                replace(one, slug=row.slug, node=row.node, index=row.index, from_run=one.from_run or source)
                for one in attached
                if (one.slug, one.index) == place
            ]
        return found

    def _all(self, run_id: str, left: int) -> list[ArtifactRow]:
        """All that a run shows, its own and earlier ones."""
        if run_id not in self._known:
            self._known[run_id] = []  # runs do not take from one another in a circle; if one said so, it would end
            own = self._log.artifacts(run_id, all_versions=self._all_versions)
            self._known[run_id] = [*own, *(self._of(run_id, left - 1) if left else ())]
        return self._known[run_id]

    def _place_in(self, source: str, row: TaskRunRow) -> _Place:
        """Which task run of the earlier run it was."""
        result = row.result or {}
        known = self._known_result(result)  # whoever has kept something under its key since has another run
        if known is not None and known.run_id == source:
            return _Place(known.task, known.index)
        same = [one for one in self._task_runs(source) if one.result and _content(one.result) == _content(result)]
        if _content(result) is not None and not any((one.slug, one.index) == (row.slug, row.index) for one in same):
            for one in same:  # a cell that stood at another place then
                return _Place(one.slug, one.index)
        return _Place(row.slug, row.index)

    def _keeper_of(self, row: TaskRunRow, beginning: str) -> str | None:
        """The whole id of the run that has kept its result, of several whose ids have this beginning."""
        known = self._known_result(row.result or {})
        return self._id_of(known.run_id) if known is not None and known.run_id.startswith(beginning) else None

    def _known_result(self, result: Mapping[str, Any]) -> KnownResult | None:
        """What is kept under the key of a result that was taken from the cache."""
        if "cached" not in result:
            return None
        if self._results is None:
            self._results = self._log.known_results()
        return self._results.find(result["cached"])

    def _task_runs(self, run_id: str) -> list[TaskRunRow]:
        if run_id not in self._rows:
            self._rows[run_id] = self._log.task_runs(run_id)
        return self._rows[run_id]

    def _id_of(self, beginning: str) -> str | None:
        """The whole id of a run; None: the history has forgotten it, or has several that begin so."""
        if beginning not in self._ids:
            try:
                self._ids[beginning] = self._log.run(beginning).run_id
            except NoSuchRun:
                self._ids[beginning] = None
        return self._ids[beginning]


def _last(rows: Iterable[TaskRunRow]) -> Sequence[TaskRunRow]:
    """Where each task run stands now."""
    return list({(one.node, one.index): one for one in rows}.values())


def _content(result: Any) -> Any:
    return result.get("sha256") or None
