"""Reads what a run, and the runs inside of it, have logged, from where it left off."""

from __future__ import annotations

import logging
from heapq import merge
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli.children import begun_by, place_of, task_of
from notebook_flows.cli.history import graph_of
from notebook_flows.core.events import Kind
from notebook_flows.errors import StoreError
from notebook_flows.notebook.errors import IN_THE_NOTEBOOK
from notebook_flows.views.tracebacks import error_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.core.events import Event
    from notebook_flows.store.rows import LogRow, RunRow

PIECE = 5_000
ERRORS = frozenset({"error", "traceback"})
"""Loggers of the two places where a failure is told: a cell's output, and the end of the task."""


class Line(NamedTuple):
    """One thing that was logged: a record, a printed line, or the traceback of a failure.

    Attributes:
        run_id: of the run that has logged it.
        where: the tasks around that run, from the outermost one on; empty for the run that was asked for.
    """

    run_id: str
    where: tuple[str, ...]
    at_us: int
    level: int
    logger: str
    task: str | None
    child: int
    attempt: int
    message: str


class Wanted(NamedTuple):
    """Which lines are wanted: of a task, of one child of a mapped task, from a level on."""

    node: int | None
    child: int | None
    level: int

    def __call__(self, line_node: int, line_index: int, level: int) -> bool:
        """Whether a line is."""
        return level >= self.level and self.has_in_it(line_node, line_index)

    def has_in_it(self, node: int, index: int) -> bool:
        """Whether what a task, or a child of it, has begun is wanted."""
        return (self.node is None or node == self.node) and (self.child is None or index == self.child)


class RunReading:
    """Reads a run's lines and events from where it left off."""

    def __init__(
        self, log: AnyLog, run_id: str, names: Sequence[str], wanted: Wanted, where: tuple[str, ...] = ()
    ) -> None:
        self.run_id = run_id
        self.where = where
        self.names = names
        self.wanted = wanted
        self._log = log
        self._line = 0
        self._seq = 0
        self._errors: set[tuple[str | None, int, int, str]] = set()

    def new(self) -> list[Line]:
        """What is new, in the order of time."""
        found: list[Line] = []
        for line in merge(self._new_rows(), self._new_events(), key=lambda line: line.at_us):
            if line.logger in ERRORS:  # a cell's error is in its output, and in its end
                key = (line.task, line.child, line.attempt, line.message)
                if key in self._errors:
                    continue
                self._errors.add(key)
            found.append(line)
        return found

    def _new_rows(self) -> list[Line]:
        found: list[Line] = []
        while rows := self._log.log_lines(self.run_id, after=self._line, limit=PIECE):
            self._line = rows[-1].number
            found += [self._from_row(row) for row in rows if self.wanted(row.node, row.index, row.level)]
        return found

    def _from_row(self, row: LogRow) -> Line:
        name = self._name(row.node)
        return Line(
            self.run_id, self.where, row.at_us, row.level, row.logger, name, row.index, row.attempt, row.message
        )

    def _new_events(self) -> list[Line]:
        found: list[Line] = []
        while events := self._log.read(self.run_id, after=self._seq, limit=PIECE):
            self._seq = events[-1].seq
            found += self._tracebacks(events)
        return found

    def _tracebacks(self, events: Iterable[Event]) -> Iterable[Line]:
        for event in events:
            data: Mapping[str, Any] = event.data or {}
            text = data.get("traceback")
            if event.kind is Kind.TASK and text and self.wanted(event.node, event.index, logging.ERROR):
                name, message = self._name(event.node), str(text).rstrip()
                yield Line(
                    *(self.run_id, self.where, event.at_us, logging.ERROR, "traceback"),
                    *(name, event.index, event.attempt, message),
                )

    def _name(self, node: int) -> str | None:
        return self.names[node] if 0 <= node < len(self.names) else None


class LogReading:
    """Reads a run, and all runs that its tasks have begun, however deep, from where it left off.

    Of a run whose task was asked for, only what that task has begun is read.
    """

    def __init__(self, log: AnyLog, row: RunRow, names: Sequence[str], wanted: Wanted) -> None:
        self._log = log
        self._runs = {row.run_id: RunReading(log, row.run_id, names, wanted)}
        self._open = {row.run_id}
        self._read: set[str] = set()
        self._errors: dict[tuple[str, ...], list[str]] = {}

    def new(self) -> list[Line]:
        """What is new, in the order of time."""
        self._look_inside()
        lines = [one.new() for run_id, one in self._runs.items() if run_id not in self._read]
        self._read |= self._runs.keys() - self._open  # their end was known before they were read
        return [self._told_once(line) for line in merge(*lines, key=lambda line: line.at_us)]

    def _told_once(self, line: Line) -> Line:
        """A line; of a failure that a run inside of the task has told already, no more than the error's own sentence."""
        if line.logger not in ERRORS or line.task is None:
            return line
        name = f"{line.task}[{line.child}]" if line.child >= 0 else line.task
        self._errors.setdefault(line.where, []).append(line.message)
        inside = self._errors.get((*line.where, name), ())
        told = next((at for at in map(line.message.find, inside) if at >= 0), None)
        if told is None:
            return line
        own = error_lines(line.message[:told].rstrip().removesuffix(IN_THE_NOTEBOOK))
        return line._replace(message="\n".join(own)) if own else line

    def _look_inside(self) -> None:
        """Find the runs that have begun since the last look; none begins in one that has ended."""
        looked = [(run_id, self._log.run(run_id)) for run_id in self._open]
        while looked:
            run_id, row = looked.pop()
            around = self._runs[run_id]
            for child in begun_by(self._log, row):
                if child.run_id in self._runs or not around.wanted.has_in_it(*place_of(child)):
                    continue
                inside = self._begun(child, around)
                if inside is not None:
                    self._runs[child.run_id] = inside
                    self._open.add(child.run_id)
                    looked.append((child.run_id, child))
            if row.ended_us is not None:
                self._open.discard(run_id)

    def _begun(self, row: RunRow, around: RunReading) -> RunReading | None:
        """How the run of a task is read; None as long as it has recorded nothing."""
        try:
            names = graph_of(self._log, row.run_id)["names"]
        except StoreError:
            return None
        where = (*around.where, task_of(row, around.names))
        return RunReading(self._log, row.run_id, names, Wanted(None, None, around.wanted.level), where)
