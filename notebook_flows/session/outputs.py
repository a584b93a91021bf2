"""Where the output of one task goes: the cell's place in the notebook, or a list."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from notebook_flows.notebook.streams import TEXT_LIMIT
from notebook_flows.session.kept import KeptOutputs, error_output, shown_output
from notebook_flows.session.publishing import Publisher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from notebook_flows.notebook.streams import Lines


class Sink(Protocol):
    """Takes what one task prints and shows; any thread may call it, at any time, also after the task's end."""

    def stream(self, name: str, text: str) -> None:
        """It has printed ``text`` to ``stdout`` or ``stderr``."""

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something, as by ``display(...)``."""

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown under ``transient["display_id"]``, in whichever cell."""

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of its last expression."""

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception, rendered."""

    def clear(self, *, wait: bool) -> None:
        """What it has shown so far goes away, at once or when the next output comes."""


class RecordingSink:
    """Only keeps: for a terminal, for tests, for processes.

    Args:
        execution_count: the number that results bear.
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.

    Attributes:
        lines: takes what is printed for the history's log as well.
    """

    def __init__(self, *, execution_count: int | None = None, file: Path | None = None) -> None:
        self.execution_count = execution_count
        self.lines: Lines | None = None
        self._kept = KeptOutputs(file)
        self._is_given_up = False
        self._lock = threading.RLock()  # a finaliser or a signal handler may print while we are in here
        with _LIVING_LOCK:
            _LIVING.add(self)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """As the notebook format has them, up to date."""
        with self._lock:
            return self._kept.settled()

    def stream(self, name: str, text: str) -> None:
        """It has printed this."""
        if text and not self._is_given_up:
            with self._lock:
                self._kept.stream(name, text)
                self._publish_text(name, text)
                if self.lines is not None:
                    self.lines.add(name, text)
            self._hold_back()

    def display(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It shows something."""
        output = shown_output("display_data", data, metadata)
        self._add(output, "display_data", display_id=transient.get("display_id"), transient=dict(transient))

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], transient: Mapping[str, Any]) -> None:
        """It changes what was shown, here or by another task."""
        output = shown_output("display_data", data, metadata)
        with _LIVING_LOCK:
            living = list(_LIVING)
        for sink in living:
            with sink._lock:
                sink._kept.update(output["data"], output["metadata"], transient.get("display_id"))
        with self._lock:
            self._publish("update_display_data", {**_content(output), "transient": dict(transient)})

    def result(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The value of its last expression."""
        output = shown_output("execute_result", data, metadata, execution_count=self.execution_count)
        self._add(output, "execute_result")

    def error(self, ename: str, evalue: str, traceback: Sequence[str]) -> None:
        """An exception, rendered."""
        self._add(error_output(ename, evalue, traceback), "error")

    def clear(self, *, wait: bool) -> None:
        """What it has shown so far goes away."""
        if self._is_given_up:
            return
        with self._lock:
            self._kept.clear(wait=wait)
            self._publish("clear_output", {"wait": wait})

    def flush(self) -> None:
        """Nothing is held back."""

    def hurry(self) -> None:
        """The task has flushed its stream: it would like this to be seen."""

    def mute(self) -> None:
        """Nobody waits for the task any more: what it still prints and shows is seen nowhere."""

    def give_up(self, ename: str, sentence: str) -> None:
        """Nobody waits for the task any more: say why, if it has not shown an error itself; what still comes is dropped."""
        with self._lock:
            if not any(one["output_type"] == "error" for one in self.outputs):
                self.error(ename, sentence, [f"{ename}: {sentence}"])
            self._is_given_up = True
        self.mute()

    def end(self) -> None:
        """The task is over; it may yet have late output."""
        with self._lock:
            if self._kept.clears_next:  # nothing has come: what stood there goes away all the same
                self._kept.clear(wait=False)
                self._publish("clear_output", {"wait": False})
            self._note(self._kept.end())
            if self.lines is not None:
                self.lines.end()
        self.flush()

    def leave_log(self) -> None:
        """The run is over: what is printed later is in no log, and nothing of the run is held."""
        with self._lock:
            self.lines = None

    def _add(self, output: dict[str, Any], kind: str, *, display_id: str | None = None, **more: Any) -> None:
        if self._is_given_up:
            return
        with self._lock:
            if self._kept.add(output, display_id):
                self._publish(kind, {**_content(output), **more})

    # -- what a sink that publishes does besides; the lock is held, but in _hold_back --------------------------------

    def _publish_text(self, name: str, text: str) -> None:
        """Somebody may want to see this soon."""

    def _publish(self, kind: str, content: dict[str, Any]) -> None:
        """Somebody may want to see this now."""

    def _note(self, text: str) -> None:
        """What the reader is told at the end."""

    def _hold_back(self) -> None:
        """Waits, if what was published is more than the kernel has sent."""


class CellSink(RecordingSink):
    """Publishes under a cell's parent header, and keeps the outputs as a notebook would have them.

    Args:
        parent: the request that runs the cell: the message, or its header.
        execution_count: the number that results bear; None: that of the kernel's latest cell.
        file: where all that is printed goes if it is too much for the notebook; None: nowhere.
        publishes_all: also what is too much for the notebook, for a runner that sees to that itself.
        kernel: whose IOPub; None: this process's.
    """

    def __init__(
        self,
        parent: Mapping[str, Any],
        *,
        execution_count: int | None = None,
        file: Path | None = None,
        publishes_all: bool = False,
        kernel: Any = None,
    ) -> None:
        self._publisher = Publisher(parent, kernel)
        super().__init__(
            execution_count=self._publisher.latest_count if execution_count is None else execution_count, file=file
        )
        self.parent = self._publisher.parent
        self.kernel = self._publisher.kernel
        self._publishes_all = publishes_all
        self._published = 0
        self._is_muted = False
        self._has_ended = False

    def end(self) -> None:
        """The task is over; what still comes is seen at once, for the kernel may end soon."""
        super().end()
        self._has_ended = True

    def flush(self) -> None:
        """What was printed is on its way."""
        with self._lock:
            self._publisher.flush()

    def hurry(self) -> None:
        """Twenty thousand flushed prints must not be as many messages: a reader loses what comes too fast."""
        with self._lock:
            self._publisher.hurry()

    def mute(self) -> None:
        """From now on nothing of it comes to the notebook, whose cell may belong to another run by then."""
        self.flush()
        self._is_muted = True

    def pass_on(self, kind: str, content: dict[str, Any]) -> None:
        """Publish what another one has kept."""
        with self._lock:
            self._publish(kind, content)

    def pass_text_on(self, name: str, text: str) -> None:
        """Publish, soon, what another one has kept, and counted."""
        with self._lock:
            if not self._is_muted and self._publisher.print(name, text):
                self._publisher.flush_soon(self)

    def hold_back(self) -> None:
        """Wait, if what was published is more than the kernel has sent; not under a lock."""
        self._hold_back()

    def _publish_text(self, name: str, text: str) -> None:
        if self._is_muted:
            return
        room = len(text) if self._publishes_all else max(0, TEXT_LIMIT - self._published)
        self._published += len(text)
        if not room:
            return
        is_first = self._publisher.print(name, text[:room])
        if self._has_ended:
            self._publisher.flush()
        elif is_first:
            self._publisher.flush_soon(self)

    def _publish(self, kind: str, content: dict[str, Any]) -> None:
        if self._is_muted:
            return
        if kind == "clear_output":
            self._published = 0
        self._publisher.flush()
        self._publisher.send(kind, content)

    def _note(self, text: str) -> None:
        if text and not self._publishes_all and not self._is_muted:
            self._publisher.print("stdout", text)

    def _hold_back(self) -> None:
        self._publisher.wait_if_far_ahead()


def show_again(outputs: Sequence[Mapping[str, Any]], sink: RecordingSink) -> None:
    """Show what an earlier run has put out, and end the sink."""
    show_outputs(outputs, sink)
    sink.end()


def show_outputs(outputs: Sequence[Mapping[str, Any]], sink: RecordingSink) -> None:
    """Show these outputs, which are as the notebook format has them."""
    for one in outputs:
        match one["output_type"]:
            case "stream":
                sink.stream(one["name"], one["text"])
            case "display_data":
                sink.display(one["data"], one["metadata"], {})
            case "execute_result":
                sink.result(one["data"], one["metadata"])
            case "error":
                sink.error(one["ename"], one["evalue"], one["traceback"])


_LIVING: weakref.WeakSet[RecordingSink] = weakref.WeakSet()
_LIVING_LOCK = threading.RLock()


def _content(output: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in output.items() if key != "output_type"}
