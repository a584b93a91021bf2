"""The output of a cell that runs in a worker process, told to the process of its run while it runs."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from notebook_flows.executors import notes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.session.outputs import Sink

VERBS = frozenset({"stream", "display", "update", "result", "error", "clear"})
TEXT_COUNT = 64 * 1024
"""How many characters travel at once at most."""
JOINED_COUNT = 8 * 1024
"""How many characters of small prints become one."""
MOST_WAITING = 4 * 1024 * 1024
"""How many characters may wait to be sent; then whoever prints waits."""
REST_S = 0.05
"""How long printed text may wait for more of its kind."""


class Hearing:
    """In the process of the run: gives what the cell tells to its sink.

    Args:
        sink: where the output goes.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def hear(self, note: bytes) -> None:
        """One thing, or several, that the cell has put out."""
        for verb, positional, named in pickle.loads(note):
            if verb in VERBS:
                getattr(self._sink, verb)(*positional, **named)


class TellingSink:
    """In the worker process: a sink whose other end is a `Hearing`.

    A thread of its own sends: a timeout or a Ctrl-C, raised in the cell's thread, can never cut a message in two.

    Args:
        number: of the listener.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting: deque[tuple[str, tuple[Any, ...], dict[str, Any]]] = deque()
        self._count = 0
        self._is_sending = False
        self._is_cut_off = False
        self._hurry = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def stream(self, name: str, text: str) -> None:
        """It has printed this."""
        for at in range(0, len(text), TEXT_COUNT):
            self._put("stream", (name, text[at : at + TEXT_COUNT]), {}, min(len(text) - at, TEXT_COUNT))

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something."""
        self._put("display", (dict(data), dict(metadata), dict(transient)), {}, _size(data))

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown."""
        self._put("update", (dict(data), dict(metadata), dict(transient)), {}, _size(data))

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of its last expression."""
        self._put("result", (dict(data), dict(metadata)), {}, _size(data))

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception, rendered."""
        self._put("error", (ename, evalue, list(traceback)), {}, 0)

    def clear(self, *, wait: bool) -> None:
        """What it has shown so far goes away."""
        self._put("clear", (), {"wait": wait}, 0)

    def flush(self) -> None:
        """Return when all has been sent; the sink goes on."""
        self._hurry.set()
        with self._changed:
            while (self._waiting or self._is_sending) and not self._is_cut_off:
                self._changed.wait()
        self._hurry.clear()

    # -- the queue -------------------------------------------------------------------------------------------------------

    def _put(self, verb: str, positional: tuple[Any, ...], named: dict[str, Any], count: int) -> None:
        with self._changed:
            while self._count > MOST_WAITING and not self._is_cut_off:
                self._changed.wait()
            last = self._waiting[-1] if self._waiting else None
            is_more = verb == "stream" and last is not None and last[0] == verb and last[1][0] == positional[0]
            if is_more and last is not None and len(last[1][1]) + count <= JOINED_COUNT:
                self._waiting[-1] = (verb, (positional[0], last[1][1] + positional[1]), {})
            else:
                self._waiting.append((verb, positional, named))
            self._count += count
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="notebook-flows-output", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                several = list(self._waiting)
                self._waiting.clear()
                self._count = 0
                self._is_sending = True
                self._changed.notify_all()
            try:
                notes.tell(self._number, pickle.dumps(several))
            except OSError:  # the process of the run has gone, and this one is about to
                self._is_cut_off = True
                return
            finally:
                with self._changed:
                    self._is_sending = False
                    self._changed.notify_all()
            self._hurry.wait(REST_S)


def _size(data: Mapping[str, Any]) -> int:
    return sum(len(one) for one in data.values() if isinstance(one, (str, bytes)))
