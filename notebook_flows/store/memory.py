"""A history that ends with its process: for tests, and where history is switched off."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import IS_FINAL, S
from notebook_flows.engine.clock import SystemClock
from notebook_flows.engine.ports import KnownResult, Request
from notebook_flows.errors import NoSuchRun, StaleOwnerError, StoreError, did_you_mean
from notebook_flows.store.attached import artifact_rows
from notebook_flows.store.encoding import Batch, RunChange, encode, hits_in_rows, state_of
from notebook_flows.store.locks import this_process
from notebook_flows.store.rows import ArtifactRow, LogRow, RunRow, TaskRunRow
from notebook_flows.store.sweeping import crash_events
from notebook_flows.store.unreached import RunEnd, with_unreached

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from notebook_flows.core.events import Event
    from notebook_flows.engine.call import LogLine
    from notebook_flows.engine.ports import Clock, KeptContent, RunInfo

_DAY_US = 86_400 * 1_000_000


class _Kept:
    """What is kept of one run."""

    def __init__(self, info: RunInfo, created_us: int) -> None:
        self.info = info
        self.created_us = created_us
        self.events: list[Event] = []
        self.lines: list[LogLine] = []
        self.requests: list[Request] = []
        self.owner = this_process()
        self.owner_epoch = 1
        self.is_owned = True

    def add(self, events: Sequence[Event]) -> None:
        """Go on where the history ends; what was told before is compared, not added."""
        last_seq = len(self.events)
        first, last = events[0].seq, events[-1].seq
        if [event.seq for event in events] != list(range(first, last + 1)) or first > last_seq + 1:
            raise StoreError(
                f"Events of run {self.info.run_id} must be numbered without a gap from {last_seq + 1} on, "
                f"these are numbered {first} to {last}."
            )
        told = events[: last_seq + 1 - first]
        if self.events[first - 1 : first - 1 + len(told)] != list(told):
            raise StaleOwnerError(f"Event {first} of run {self.info.run_id} was told before, and differently.")
        self.events.extend(events[len(told) :])


class MemoryKept:
    """Fits `engine.ports.KnownResults`: results that end with the process, and the keys to find them."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._keys: dict[str, KnownResult] = {}

    def add(self, contents: Sequence[KeptContent]) -> None:
        """Take contents over."""
        for one in contents:
            if one.content is not None:
                self._contents[one.sha256] = one.content
            if one.key is not None and one.found is not None:
                self._keys[one.key] = KnownResult(key=one.key, inline=None, **one.found)

    def find(self, key: str) -> KnownResult | None:
        """The result under this key."""
        found = self._keys.get(key)
        if found is None or found.reference["in"] != "history":
            return found
        return found._replace(inline=self._contents.get(found.reference["sha256"]))

    def content(self, sha256: str) -> bytes | None:
        """Content by its hash."""
        return self._contents.get(sha256)

    def close(self) -> None:
        """Nothing to close."""


class MemoryRunLog:
    """Fits `engine.ports.RunLog`."""

    def __init__(self, kept: _Kept, guard: threading.RLock, results: MemoryKept) -> None:
        self._results = results
        self.run_id = kept.info.run_id
        self._kept = kept
        self._guard = guard
        self._epoch = kept.owner_epoch
        self._closed = False
        self._requests_seen = 0

    def append(self, events: Sequence[Event]) -> None:
        """Take events over."""
        with self._guard:
            self._refuse_if_stale()
            if self._closed:
                raise StoreError(f"The history of run {self.run_id} is closed; nothing can be added.")
            if events:
                self._kept.add(events)

    def _refuse_if_stale(self) -> None:
        if self._epoch != self._kept.owner_epoch:
            raise StaleOwnerError(
                "This run was taken over, since its owner looked dead; what it had to say is refused."
            )

    def add_log_lines(self, lines: Sequence[LogLine]) -> None:
        """Take log lines over."""
        with self._guard:
            if not self._closed and self._epoch == self._kept.owner_epoch:
                self._kept.lines.extend(lines)

    def keep(self, contents: Sequence[KeptContent]) -> None:
        """Take contents of results over."""
        with self._guard:
            self._refuse_if_stale()
            self._results.add(contents)

    def may_start(self) -> bool:
        """Always: memory can be written."""
        with self._guard:
            self._refuse_if_stale()
        return True

    def flush(self) -> None:
        """Nothing to wait for."""
        with self._guard:
            self._refuse_if_stale()

    def requests(self, *, at_once: bool = False) -> Sequence[Request]:
        """What was asked since the last call."""
        del at_once  # it always looks
        with self._guard:
            found = self._kept.requests[self._requests_seen :]
            self._requests_seen += len(found)
        return found

    def close(self, patience_s: float | None = None) -> None:
        """Give the ownership up."""
        with self._guard:
            if not self._closed:
                self._closed = True
                if self._epoch == self._kept.owner_epoch:
                    self._kept.is_owned = False
                self._refuse_if_stale()


class MemoryEventLog:
    """Fits `engine.ports.EventLog`, and answers what `SqliteEventLog` answers. Any thread may use it."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._guard = threading.RLock()
        self._runs: dict[str, _Kept] = {}
        self._request_number = 0
        self._results = MemoryKept()

    def known_results(self) -> MemoryKept:
        """What is known of results of earlier runs."""
        return self._results

    def used(self, keys: Sequence[str]) -> None:
        """Nothing is ever removed from here for its age."""

    def begin(self, info: RunInfo) -> MemoryRunLog:
        """Open a new run."""
        with self._guard:
            if info.run_id in self._runs:
                raise StoreError(f"Run {info.run_id} is in the history already.")
            kept = self._runs[info.run_id] = _Kept(
                info, self._clock.now_us() if info.created_us is None else info.created_us
            )
            return MemoryRunLog(kept, self._guard, self._results)

    def request(self, run_id: str, verb: str, payload: Mapping[str, Any] | None = None) -> int:
        """Ask something of a run; returns the request's number."""
        with self._guard:
            kept = self._find(run_id)
            self._request_number += 1
            kept.requests.append(Request(number=self._request_number, verb=verb, payload=dict(payload or {})))
            return self._request_number

    def sweep(self) -> list[str]:
        """Tell `crashed` every run whose log was given up before its end."""
        dead = []
        with self._guard:
            for run_id, kept in self._runs.items():
                row = _run_row(kept)
                if not kept.is_owned and row.goes_on:
                    kept.owner_epoch += 1
                    kept.add(
                        list(
                            crash_events(
                                kept.events,
                                len(kept.info.slugs),
                                len(kept.events) + 1,
                                self._clock.now_us(),
                                "Its engine is gone.",
                            )
                        )
                    )
                    dead.append(run_id)
        return dead

    def prune(self, *, keep_days: float | None = None, keep_runs: int | None = None) -> list[str]:
        """Forget old runs that have ended."""
        with self._guard:
            newest = [_run_row(kept) for kept in reversed(self._runs.values())]
            before_us = None if keep_days is None else self._clock.now_us() - int(keep_days * _DAY_US)
            gone = [
                row.run_id
                for place, row in enumerate(newest, 1)
                if IS_FINAL[row.state]
                and (
                    (before_us is not None and (row.ended_us or row.created_us) < before_us)
                    or (keep_runs is not None and place > keep_runs)
                )
            ]
            for run_id in gone:
                del self._runs[run_id]
        return gone[::-1]

    def rebuild_projections(self, run_id: str) -> None:
        """Nothing to do: they are derived at each question."""
        self._find(run_id)

    def check(self) -> list[str]:
        """Nothing can be wrong."""
        return []

    def close(self) -> None:
        """Nothing to close; what is kept stays."""

    def read(self, run_id: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """The run's events with a seq above ``after``, in order, at most ``limit``."""
        with self._guard:
            return self._find(run_id).events[after : None if limit is None else after + limit]

    def runs(
        self,
        *,
        flow: str | None = None,
        state: S | None = None,
        since: datetime | None = None,
        limit: int | None = 50,
        parent: str | None = None,
    ) -> list[RunRow]:
        """Runs, newest first."""
        since_us = 0 if since is None else int(since.timestamp() * 1_000_000)
        with self._guard:
            rows = [
                _run_row(kept, slugs=False) for kept in sorted(self._runs.values(), key=lambda kept: kept.created_us)
            ]
        rows.reverse()
        wanted = [
            row
            for row in rows
            if (flow is None or row.flow == flow)
            and (state is None or row.state == state)
            and row.created_us >= since_us
            and (parent is None or row.parent_run_id == parent)
        ]
        return wanted[:limit]

    def run(self, run_id: str) -> RunRow:
        """One run, by its id or a prefix that no other run has."""
        with self._guard:
            return _run_row(self._find(run_id))

    def task_runs(self, run_id: str) -> list[TaskRunRow]:
        """All attempts of all task runs that have begun, or ended with the run, by node, index, loop and attempt."""
        with self._guard:
            kept = self._find(run_id)
            slugs, batch = kept.info.slugs, _batch(kept)
            rows, end = task_rows(slugs, batch), _run_end(kept, batch)
            return rows if end is None else with_unreached(rows, slugs, end, lambda: kept.events)

    def artifacts(self, run_id: str, task: str | None = None, *, all_versions: bool = False) -> list[ArtifactRow]:
        """What the tasks of a run, or one (by slug) of them, have attached."""
        with self._guard:
            kept = self._find(run_id)
            slugs, events = kept.info.slugs, list(kept.events)
        if task is not None and task not in slugs:
            raise NoSuchRun(f"Run {run_id} has no task {task!r}.{did_you_mean(task, slugs)}")
        rows = artifact_rows(events, slugs, all_versions=all_versions)
        return [row for row in rows if task is None or row.slug == task]

    def log_lines(self, run_id: str, task: str | None = None, after: int = 0, limit: int | None = None) -> list[LogRow]:
        """What a run, or one task (by slug) of it, has logged."""
        with self._guard:
            kept = self._find(run_id)
            slugs = kept.info.slugs
            if task is not None and task not in slugs:
                raise NoSuchRun(f"Run {run_id} has no task {task!r}.{did_you_mean(task, slugs)}")
            rows = [_log_row(number, line, slugs) for number, line in enumerate(kept.lines, 1) if number > after]
        return [row for row in rows if task is None or row.slug == task][:limit]

    def _find(self, run_id: str) -> _Kept:
        if run_id in self._runs:
            return self._runs[run_id]
        found = [known for known in self._runs if run_id and known.startswith(run_id.lower())]
        if len(found) == 1:
            return self._runs[found[0]]
        if found:
            listed = ", ".join(known[:12] for known in found[:5])
            raise NoSuchRun(f"Several runs begin with {run_id!r}: {listed}. Give more of the id.")
        short = [known[: max(8, len(run_id))] for known in self._runs]
        raise NoSuchRun(f"There is no run {run_id!r}.{did_you_mean(run_id, short)}")


def _batch(kept: _Kept) -> Batch:
    return encode(kept.events) if kept.events else Batch(1, 0)


def _run_row(kept: _Kept, *, slugs: bool = True) -> RunRow:
    info, batch = kept.info, _batch(kept)
    change = batch.run
    latest: dict[tuple[int, int], TaskRunRow] = {}
    for row in sorted(task_rows(info.slugs, batch), key=lambda row: row.seq):
        latest[row.node, row.index] = row
    return RunRow(
        run_id=info.run_id,
        flow=info.flow_name,
        name=info.run_name,
        parent_run_id=info.parent_run_id,
        state=change.state if change else S.PENDING,
        message=change.message if change else "",
        created_us=kept.created_us,
        started_us=change.started_us if change else None,
        ended_us=change.ended_us if change else None,
        scheduled_us=info.scheduled_us,
        executor=info.executor,
        parameters=info.parameters,
        environment=info.environment,
        last_seq=len(kept.events),
        owner=kept.owner,
        owner_epoch=kept.owner_epoch,
        task_count=len(info.slugs),
        counts=_counts(change, latest.values()),
        slugs=list(info.slugs) if slugs else (),
    )


def _run_end(kept: _Kept, batch: Batch) -> RunEnd | None:
    """How a run has ended, or None while it has not."""
    change = batch.run
    if change is None or change.ended_us is None:
        return None
    told = None if change.counts is None else change.counts.get(str(int(S.NOT_RUN)), 0)
    return RunEnd(change.state, change.message, change.ended_us, len(kept.events), len(kept.info.slugs), told)


def _counts(change: RunChange | None, latest: Collection[TaskRunRow]) -> dict[S, int]:
    """As `store.writing.COUNTS`, unless the run's end tells it."""
    if change is not None and change.counts is not None:
        return {state_of(int(number)): count for number, count in change.counts.items()}
    with_children = {row.node for row in latest if row.index >= 0}
    return Counter(
        row.state for row in latest if row.state not in {S.EXPANDED, S.MAPPED} or row.node not in with_children
    )


def task_rows(slugs: Sequence[str], batch: Batch) -> list[TaskRunRow]:
    """The rows that all events of a run, as one batch, make."""
    rows = {key: list(row) for key, row in batch.other.items()}
    for node, index, seq, ended, message, result in hits_in_rows(batch.hits):
        row = rows.setdefault((node, index, 1, 0), [seq, S.CACHED, None, ended, message, None])
        row[:] = [seq, S.CACHED, row[2], ended, message or row[4], row[5] if result is None else json.loads(result)]
    for node, seq, state, started_us, ended_us in batch.plain.values():
        row = rows.setdefault((node, -1, 1, 1), [seq, state, None, None, None, None])
        row[:4] = [seq, state, row[2] if started_us is None else started_us, ended_us]
    return [
        TaskRunRow(
            slug=slugs[node] if 0 <= node < len(slugs) else f"#{node}",
            node=node,
            index=index,
            attempt=attempt,
            loop=loop,
            state=state_of(state),
            started_us=started_us,
            ended_us=ended_us,
            message=message or "",
            result=result,
            seq=seq,
        )
        for (node, index, loop, attempt), (seq, state, started_us, ended_us, message, result) in sorted(
            rows.items(), key=lambda item: item[0]
        )
    ]


def _log_row(number: int, line: LogLine, slugs: Sequence[str]) -> LogRow:
    at_us, level, logger, message, node, index, attempt = line
    return LogRow(
        number=number,
        at_us=at_us,
        level=level,
        logger=logger,
        message=message,
        slug=slugs[node] if 0 <= node < len(slugs) else None,
        node=node,
        index=index,
        attempt=attempt,
    )
