"""Turns what a kernel publishes into the outputs of cells: nbclient's rules, made bounded, and nothing lost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete

from notebook_flows.notebook.redaction import StreamRedactor
from notebook_flows.notebook.streams import Lines, Streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.redaction import Redactor

DISPLAY_LIMIT = 10_000
"""Outputs, other than printed text, that one cell may have."""
DISPLAY_BYTES = 100_000_000

OnOutput = "Callable[[int, str, str], None]"


class CellOutputs:
    """What belongs to one cell while, and after, it runs.

    Attributes:
        place: of the cell, among all cells.
        is_idle: the kernel has said that it is done with it.
        has_error: an exception was published.
        is_told: it was a task, and its session has told that it has ended.
        message_id: of the request; what has it as its parent belongs to the cell.
        redactor: takes secrets out of what it prints; None where there are none.
    """

    def __init__(
        self, place: int, streams: Streams, lines: Lines | None, redactor: StreamRedactor | None = None
    ) -> None:
        self.place = place
        self.message_id = ""
        self.redactor = redactor
        self.streams = streams
        self.lines = lines
        self.is_idle = False
        self.has_error = False
        self.is_told = False
        self.clears_next = False
        self.shown = 0
        self.shown_bytes = 0


class OutputClient(NotebookClient):
    """nbclient's treatment of messages: display updates, clear_output, Output widgets, widget state, timings.

    Args:
        document: whose cells get the outputs.
        flood_file: gives the file for what a cell prints beyond all measure, by its place; or None.
        on_output: called with (place, ``stdout``, ``stderr`` or ``result``, text).
        on_idle: called when the kernel is done with a cell.
        redactor: knows the secrets that nothing may show.
    """

    def __init__(
        self,
        document: Document,
        *,
        flood_file: Callable[[int], Path | None],
        on_output: Callable[[int, str, str], None] | None,
        on_idle: Callable[[CellOutputs], None],
        redactor: Redactor | None = None,
    ) -> None:
        super().__init__(document.notebook)
        self._document = document
        self._flood_file = flood_file
        self._on_output = on_output
        self._on_idle = on_idle
        self._redactor = redactor
        self._by_message: dict[str, CellOutputs] = {}
        self._by_place: dict[int, CellOutputs] = {}
        self._now: CellOutputs | None = None
        document.settle = self._settle

    def begin(self, place: int, lines: Lines | None) -> CellOutputs:
        """A cell is about to run; what an earlier attempt still says goes nowhere."""
        cell = self.nb.cells[place]
        before = self._by_place.get(place)
        if before is not None:
            self._by_message.pop(before.message_id, None)
        cell.outputs = []
        cell.metadata["execution"] = nbformat.NotebookNode()
        redactor = StreamRedactor(self._redactor) if self._redactor else None
        found = CellOutputs(place, Streams(cell.outputs, self._flood_file(place)), lines, redactor)
        self._by_place[place] = found
        return found

    def expect(self, cell: CellOutputs, message_id: str) -> None:
        """Messages with this parent belong to the cell, also those that come after its end."""
        cell.message_id = message_id
        self._by_message[message_id] = cell

    def end(self, cell: CellOutputs) -> None:
        """The cell is over; a thread of it may still print, which counts for it too."""
        with self._document.lock:
            self._release(cell)
            cell.streams.end()
            if cell.lines is not None:
                cell.lines.end()
            self._document.touch(cell.place)

    def _settle(self, place: int) -> None:
        found = self._by_place.get(place)
        if found is not None:
            found.streams.settle()

    def take(self, message: dict[str, Any]) -> None:
        """One message that the kernel has published."""
        cell = self._by_message.get(message["parent_header"].get("msg_id", ""))
        if cell is None or self._document.is_finished:
            return
        with self._document.lock:
            self._now = cell
            self.clear_before_next_output = cell.clears_next
            try:
                self.process_message(message, self.nb.cells[cell.place], cell.place)
            except CellExecutionComplete:
                cell.is_idle = True
                self._on_idle(cell)
            except Exception as error:  # a message that is not as it should be must not end the run
                self.log.warning("A message of the kernel was not understood: %r", error)
            cell.clears_next = self.clear_before_next_output
            self._document.touch(cell.place)

    def replied(self, cell: CellOutputs, at: str) -> None:
        """The kernel has answered; kept as nbclient keeps it."""
        if cell.is_told:
            return
        self.nb.cells[cell.place].metadata["execution"]["shell.execute_reply"] = at

    def told(self, cell: CellOutputs, at: str, execution_count: int | None) -> None:
        """A task cell has ended, some time after its request: its times are those of the task."""
        known = self.nb.cells[cell.place]
        known.metadata["execution"].update({"shell.execute_reply": at, "iopub.status.idle": at})
        cell.is_told = True
        if execution_count is not None:
            known["execution_count"] = execution_count
        self._document.touch(cell.place)

    # -- nbclient's hooks ------------------------------------------------------------------------------------------

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """One more output of a cell."""
        cell = self._now
        assert cell is not None
        kind, content = msg["msg_type"], msg["content"]
        if kind == "error":
            cell.has_error = True
        if self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            if kind == "stream" and self._redactor is not None:
                content["text"] = self._redactor.text(content["text"])
            return super().output(outs, msg, display_id, cell_index)  # an Output widget takes it
        if kind == "stream":
            text = content["text"] if cell.redactor is None else cell.redactor.feed(content["name"], content["text"])
            self._print(outs, cell, content["name"], text)
            if cell.is_idle:
                self._release(cell)
            return None
        self._release(cell)
        if kind != "error" and not self._has_room(outs, cell, content):
            return None
        if self._on_output is not None and kind == "execute_result":
            self._on_output(cell.place, "result", str(content["data"].get("text/plain", "")))
        return self._keep(outs, msg, display_id, cell_index)

    def _keep(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """As nbclient keeps an output, whose check of each against nbformat's whole schema takes a millisecond."""
        output = output_from(msg["msg_type"], msg["content"])
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        if display_id:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(len(outs))
        outs.append(output)
        return output

    def _release(self, cell: CellOutputs) -> None:
        """What was held back, because it looked like the beginning of a secret, was none."""
        for name, text in cell.redactor.end().items() if cell.redactor is not None else ():
            self._print(self.nb.cells[cell.place].outputs, cell, name, text)

    def _print(self, outs: list[Any], cell: CellOutputs, name: str, text: str) -> None:
        if not text:
            return
        if self.clear_before_next_output:
            self._clear(outs, cell)
            self.clear_before_next_output = False
        cell.streams.add(name, text)
        if cell.is_idle:
            cell.streams.settle()
        if cell.lines is not None:
            cell.lines.add(name, text)
        if self._on_output is not None:
            self._on_output(cell.place, name, text)

    def _has_room(self, outs: list[Any], cell: CellOutputs, content: dict[str, Any]) -> bool:
        cell.shown += 1
        cell.shown_bytes += sum(
            len(one) if isinstance(one, str) else sys.getsizeof(one) for one in content["data"].values()
        )
        if cell.shown <= DISPLAY_LIMIT and cell.shown_bytes <= DISPLAY_BYTES:
            return True
        if cell.shown < sys.maxsize // 2:  # told once
            cell.shown = sys.maxsize // 2
            text = f"[notebook_flows: this cell displays more than {DISPLAY_LIMIT} outputs or "
            text += f"{DISPLAY_BYTES / 1e6:g} MB; the rest is not kept.]\n"
            cell.streams.add("stderr", text)
        return False

    def clear_output(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> None:
        """The cell asks for its outputs to be cleared."""
        cell = self._now
        super().clear_output(outs, msg, cell_index)
        if cell is not None and not outs:
            cell.streams.forget()
            cell.shown_bytes = 0

    def _clear(self, outs: list[Any], cell: CellOutputs) -> None:
        outs[:] = []
        self.clear_display_id_mapping(cell.place)
        cell.streams.forget()


def output_from(kind: str, content: dict[str, Any]) -> Any:
    """The output that a message carries, as a notebook holds it.

    Raises:
        ValueError: it carries none, or one that no notebook may hold.
    """
    if kind == "error":
        trace = content["traceback"]
        if not isinstance(trace, list) or not all(isinstance(line, str) for line in trace):
            raise ValueError("the traceback of an error is no list of texts")
        made: dict[str, Any] = {"ename": str(content["ename"]), "evalue": str(content["evalue"]), "traceback": trace}
    elif kind in {"display_data", "execute_result"}:
        data, metadata = content["data"], content.get("metadata", {})
        if not isinstance(data, dict) or not isinstance(metadata, dict):
            raise ValueError(f"the data of a {kind} are no bundle")
        wrong = [name for name, one in data.items() if not _may_hold(name, one)]
        if wrong:
            raise ValueError(f"{wrong[0]} of a {kind} is no text")
        made = {"data": data, "metadata": metadata}
        if kind == "execute_result":
            made["execution_count"] = content["execution_count"]
    else:
        raise ValueError(f"a message of type {kind} is no output")
    return nbformat.from_dict({"output_type": kind, **made})


def _may_hold(name: str, data: Any) -> bool:
    """Whether a notebook may hold this under a media type: JSON where the type is JSON, else text."""
    if isinstance(data, str) or name == "application/json" or name.endswith("+json"):
        return True
    return isinstance(data, list) and all(isinstance(line, str) for line in data)
