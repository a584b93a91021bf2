"""What tasks log and print, caught for their runs: through the standard library's logging, told apart by context."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.engine.call import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TASK_LOGGER = "notebook_flows.task"
LONGEST_LINE = 65_536

PROGRESS_EVERY_US = 200_000

_progress_told: dict[tuple[str, int], int] = {}
_sinks: dict[str, Callable[[Sequence[LogLine]], None]] = {}
_lock = threading.Lock()


class _Catcher(logging.Handler):
    """Hands the records of a task to its run; stands on the root logger while any run is on."""

    def emit(self, record: logging.LogRecord) -> None:
        attempt = current_attempt()
        sink = _sinks.get(attempt.run_id) if attempt is not None else None
        if sink is not None:
            try:
                message = record.getMessage()
                if record.exc_info:
                    message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
            except Exception:  # a wrong %-format in user code: logging's own way of telling it
                self.handleError(record)
                return
            sink([_line(int(record.created * 1e6), record.levelno, record.name, message, attempt)])
        others = [handler for handler in logging.getLogger().handlers if handler is not self]
        if not others and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)  # what Python does where no handler stands; ours must not change that


_catcher = _Catcher(level=logging.NOTSET)


def _line(at_us: int, level: int, logger: str, message: str, attempt: Any) -> LogLine:
    call = attempt.call
    if len(message) > LONGEST_LINE:
        message = f"{message[:LONGEST_LINE]}... ({len(message) - LONGEST_LINE} more characters)"
    return LogLine(at_us, level, logger, message, call.task_key, call.index, call.attempt)


def sink_of(run_id: str) -> Callable[[Sequence[LogLine]], None] | None:
    """Where the log lines of a run go, for an executor whose tasks print in another process; None if it is over."""
    return _sinks.get(run_id)


@contextmanager
def caught(run_id: str, sink: Callable[[Sequence[LogLine]], None]) -> Iterator[None]:
    """While inside, what tasks of this run log goes to the sink, from any thread."""
    root = logging.getLogger()
    task_logger = logging.getLogger(TASK_LOGGER)
    with _lock:
        if not _sinks:
            root.addHandler(_catcher)
            if task_logger.level == logging.NOTSET:
                task_logger.setLevel(logging.INFO)
        _sinks[run_id] = sink
    try:
        yield
    finally:
        with _lock:
            del _sinks[run_id]
            for key in [key for key in _progress_told if key[0] == run_id]:
                del _progress_told[key]
            if not _sinks:
                root.removeHandler(_catcher)


class _Router:
    """Stands in for ``sys.stdout``: passes everything on, and what a capturing task prints to its log as well."""

    def __init__(self, original: IO[str]) -> None:
        self.original = original
        self.users = 0

    def write(self, text: str) -> int:
        attempt = current_attempt()
        if attempt is not None and attempt.printed is not None:
            attempt.printed.add(text)
        return self.original.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class Printed:
    """What one attempt prints, line by line."""

    def __init__(self, attempt: Any) -> None:
        self._attempt = attempt
        self._rest = ""

    def add(self, text: str) -> None:
        """Some more of it."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._send(lines)

    def end(self) -> None:
        """That was all."""
        if self._rest:
            self._send([self._rest])
            self._rest = ""

    def _send(self, lines: Sequence[str]) -> None:
        sink = _sinks.get(self._attempt.run_id)
        if sink is not None and lines:
            now = time.time_ns() // 1000
            sink([_line(now, logging.INFO, "stdout", line.rstrip("\r"), self._attempt) for line in lines])


@contextmanager
def printed_by(attempt: Any) -> Iterator[None]:
    """While inside, what this attempt prints goes to its log too."""
    with _lock:
        if not isinstance(sys.stdout, _Router):
            sys.stdout = _Router(sys.stdout)
        router: Any = sys.stdout
        router.users += 1
    attempt.printed = Printed(attempt)
    try:
        yield
    finally:
        attempt.printed.end()
        attempt.printed = None
        with _lock:
            router.users -= 1
            if not router.users and sys.stdout is router:
                sys.stdout = router.original


def progress(done: float, total: float = 1.0, message: str = "") -> None:
    """Tell how far the running task has come; outside of a task nothing happens.

    Kept with the run's log, at most five times a second and at the end, so it can be called for every row.

    Args:
        done: how much is done, in the unit of ``total``.
        total: how much there is, above 0.
        message: what is being done.
    Raises:
        ValueError: ``total`` is not above 0.
    """
    if total <= 0:
        raise ValueError(f"progress(): total is {total!r}; it must be above 0.")
    attempt = current_attempt()
    sink = _sinks.get(attempt.run_id) if attempt is not None else None
    if sink is None:
        return
    now_us = time.time_ns() // 1000
    share = min(max(done / total, 0.0), 1.0)
    key = (attempt.run_id, attempt.call.ref)
    if share < 1 and now_us - _progress_told.get(key, 0) < PROGRESS_EVERY_US:
        return
    _progress_told[key] = now_us
    if share >= 1:
        _progress_told.pop(key, None)
    sink([_line(now_us, logging.INFO, "progress", json.dumps({"share": round(share, 4), "message": message}), attempt)])
