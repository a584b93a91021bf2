"""What tasks log and print, caught for their runs: through the standard library's logging, told apart by context."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.engine.call import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TASK_LOGGER = "notebook_flows.task"
LONGEST_LINE = 65_536

PROGRESS_EVERY_US = 200_000

_progress_told: dict[tuple[str, int], int] = {}
_sinks: dict[str, Callable[[Sequence[LogLine]], None]] = {}
_lock = threading.Lock()


class _Ear:
    """Hears every record on its way to the handlers, while any run is on, and hands those of tasks to their runs.

    It is no handler: so ``logging.basicConfig`` in a task still does what it says, Python's last resort still speaks
    exactly where no handler stands, and loggers that do not propagate are heard too. Whoever has put something of
    their own over it meanwhile keeps that: then this one stays below, and is deaf.
    """

    def __init__(self) -> None:
        self._is_on = True
        before = logging.Logger.callHandlers

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            if self._is_on:
                _catch(record)
            before(logger, record)

        self._before = before
        self._mine = call_handlers
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment] # the one place all records pass

    def end(self) -> None:
        """Hear nothing more."""
        self._is_on = False
        if logging.Logger.callHandlers is self._mine:
            logging.Logger.callHandlers = self._before  # type: ignore[method-assign] # as above


_ears: list[_Ear] = []
"""The one that hears, while any run is on."""


def _catch(record: logging.LogRecord) -> None:
    attempt = current_attempt()
    sink = _sinks.get(attempt.run_id) if attempt is not None else None
    if sink is None:
        return
    try:
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
    except Exception:  # a wrong %-format in user code: the handlers tell it in logging's own way
        message = record.msg if isinstance(record.msg, str) else f"a message of type {type(record.msg).__name__!r}"
    sink([_line(int(record.created * 1e6), record.levelno, record.name, message, attempt)])


def _line(at_us: int, level: int, logger: str, message: str, attempt: Any, length: int | None = None) -> LogLine:
    """What a history keeps; ``length`` is that of the whole message, where only its beginning is given."""
    call = attempt.call
    length = len(message) if length is None else length
    if length > LONGEST_LINE:
        message = f"{message[:LONGEST_LINE]}... ({length - LONGEST_LINE} more characters)"
    return LogLine(at_us, level, logger, message, call.task_key, call.index, call.attempt)


def sink_of(run_id: str) -> Callable[[Sequence[LogLine]], None] | None:
    """Where the log lines of a run go, for an executor whose tasks print in another process; None if it is over."""
    return _sinks.get(run_id)


@contextmanager
def caught(run_id: str, sink: Callable[[Sequence[LogLine]], None]) -> Iterator[None]:
    """While inside, what tasks of this run log goes to the sink, from any thread."""
    task_logger = logging.getLogger(TASK_LOGGER)
    with _lock:
        if not _sinks:
            _ears.append(_Ear())
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
                _ears.pop().end()
                while isinstance(sys.stdout, _Router):  # somebody's redirect_stdout has put it back
                    sys.stdout = sys.stdout.original


class _Router:
    """Stands in for ``sys.stdout``: passes everything on, and what a capturing task prints to its log as well."""

    def __init__(self, original: IO[str]) -> None:
        self.original = original
        self.users = 0

    def write(self, text: str) -> int:
        attempt = current_attempt()
        if attempt is not None and attempt.printed is not None:
            attempt.printed.add(text)
        if not self.users and sys.stdout is self:  # a redirect_stdout, begun meanwhile, has put it back after its end
            sys.stdout = self.original
        return self.original.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


_kept_alive: deque[_Router] = deque(maxlen=64)
"""The latest ones: ``print`` in Python 3.11 crashes if the ``sys.stdout`` that it writes to vanishes meanwhile."""


class Printed:
    """What one attempt prints, line by line. Of a line without an end only what will be told of it is kept."""

    def __init__(self, attempt: Any) -> None:
        self._attempt = attempt
        self._rest: list[str] = []
        self._length = 0

    def add(self, text: str) -> None:
        """Some more of it."""
        if "\n" not in text:
            self._keep(text)
            return
        first, *lines, rest = text.split("\n")
        self._keep(first)
        self._send([self._taken(), *((line, len(line)) for line in lines)])
        self._keep(rest)

    def end(self) -> None:
        """That was all."""
        if self._length:
            self._send([self._taken()])

    def _keep(self, text: str) -> None:
        if text and self._length < LONGEST_LINE:
            self._rest.append(text[: LONGEST_LINE - self._length])
        self._length += len(text)

    def _taken(self) -> tuple[str, int]:
        """The line that has just ended, and how long it was."""
        line = "".join(self._rest), self._length
        self._rest, self._length = [], 0
        return line

    def _send(self, lines: Sequence[tuple[str, int]]) -> None:
        sink = _sinks.get(self._attempt.run_id)
        if sink is not None and lines:
            now = time.time_ns() // 1000
            sink(
                [_line(now, logging.INFO, "stdout", line.rstrip("\r"), self._attempt, length) for line, length in lines]
            )


@contextmanager
def printed_by(attempt: Any) -> Iterator[None]:
    """While inside, what this attempt prints goes to its log too."""
    with _lock:
        if not isinstance(sys.stdout, _Router):
            sys.stdout = _Router(sys.stdout)
            _kept_alive.append(sys.stdout)
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
