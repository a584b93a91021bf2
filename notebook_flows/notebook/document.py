"""The output notebook while its run goes on: cells, outputs, and papermill's metadata, which here tells the truth."""

from __future__ import annotations

import html
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.notebook.encoding import encoded_cell, encoded_notebook
from notebook_flows.notebook.reading import MARKER_TAG, PICTURE_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbformat import NotebookNode

    from notebook_flows.notebook.saving import Saver

SKIP_TAG = "skip-execution"
_STYLE = 'style="color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif; font-size:2em;"'
_ANCHOR = f'<span id="papermill-error-cell" {_STYLE}>Execution using papermill encountered an exception here and stopped:</span>'
PICTURE = {"notebook_flows": {"picture": True}}
"""The metadata by which an output is known as the picture of a flow."""
PICTURE_TEXT = "# The flow of this notebook, as this run has left it. The next run makes the cell anew."


def is_picture(output: Mapping[str, Any]) -> bool:
    """Whether an output is the picture of a flow."""
    known = output.get("metadata", {}).get("notebook_flows")
    return isinstance(known, dict) and bool(known.get("picture"))


@dataclass(frozen=True, kw_only=True, slots=True)
class CellEnd:
    """How one cell ended.

    Attributes:
        state: as the history has it.
        began_us: microseconds since 1970, UTC; 0 where it did not begin.
        ended_us: the same.
        message: one sentence; empty where there is nothing to say.
    """

    state: S
    began_us: int = 0
    ended_us: int = 0
    message: str = ""


class Document:
    """The notebook that a run writes.

    All methods may be called from any thread; who changes cells directly holds ``lock``.

    Args:
        notebook: read and with its parameters injected; it is changed in place.
        input_path: as it was given.
        output_path: as it was given; None where nothing is written.
        parameters: what was given, as JSON values.

    Attributes:
        nodes: the places, among all cells, of those that run: code cells that are not blank.
        lock: held while cells change.
        is_finished: nothing changes any more.
        saver: is told of changes; None where nothing is written.
        settle: called with the place of a cell whose outputs are about to be written.
    """

    def __init__(
        self, notebook: NotebookNode, *, input_path: str, output_path: str | None, parameters: Mapping[str, Any]
    ) -> None:
        self.notebook = notebook
        self.input_path = input_path
        self.lock = threading.RLock()
        self.is_finished = False
        self.saver: Saver | None = None
        self.settle: Callable[[int], None] | None = None
        self.nodes = [
            place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()
        ]
        self._node_set = frozenset(self.nodes)
        self._fragments: list[bytes | None] = [None] * len(notebook.cells)
        self._dirty = set(range(len(notebook.cells)))
        self._started_us = 0
        self._passed = 0
        self._prepare(input_path, output_path, parameters)

    def _prepare(self, input_path: str, output_path: str | None, parameters: Mapping[str, Any]) -> None:
        import nbformat

        known = self.notebook.metadata.get("papermill")
        known = known if isinstance(known, dict) else nbformat.NotebookNode()
        fresh = {
            "default_parameters": known.get("default_parameters", {}),
            "duration": None,
            "end_time": None,
            "environment_variables": known.get("environment_variables", {}),
            "exception": None,
            "input_path": input_path,
            "output_path": output_path,
            "parameters": dict(parameters) or known.get("parameters", {}),
            "start_time": None,
            "version": _papermill_version(),
        }
        known.update(nbformat.from_dict(fresh))
        self.notebook.metadata["papermill"] = known
        self.notebook.metadata.pop("widgets", None)  # of the run that wrote the input
        for cell in self.notebook.cells:
            cell.metadata["papermill"] = nbformat.NotebookNode(
                exception=None, start_time=None, end_time=None, duration=None, status=_word(S.PENDING)
            )
            if cell.cell_type == "code":
                cell.outputs = []
                cell.execution_count = None
                cell.metadata.pop("execution", None)
                if isinstance(cell.metadata.get("notebook_flows"), dict):
                    cell.metadata["notebook_flows"].pop("cached", None)  # of the run that wrote the input

    # -- what happens ----------------------------------------------------------------------------------------------

    def begin(self, at_us: int) -> None:
        """The run has begun."""
        with self.lock:
            self._started_us = at_us
            self.notebook.metadata.papermill["start_time"] = _told(at_us)
            self.touch()

    def cell_began(self, place: int, at_us: int) -> None:
        """A cell runs now; texts and blank cells before it have been passed."""
        with self.lock:
            self._pass(place, at_us)
            facts = self.notebook.cells[place].metadata.papermill
            facts.update(start_time=_told(at_us), status=_word(S.RUNNING), exception=False)
            self.touch(place)

    def _pass(self, before: int, at_us: int) -> None:
        for place in range(self._passed, before):
            if place not in self._node_set:
                facts = self.notebook.cells[place].metadata.papermill
                now = _told(at_us)
                facts.update(start_time=now, end_time=now, duration=0.0, status=_word(S.SUCCESS), exception=False)
                self._dirty.add(place)
        self._passed = max(self._passed, before)

    def cell_ended(self, place: int, state: S, began_us: int, ended_us: int) -> None:
        """A cell has ended in this state."""
        with self.lock:
            self._stamp(place, state, began_us, ended_us)
            self.touch(place)

    def _stamp(self, place: int, state: S, began_us: int, ended_us: int) -> None:
        import nbformat

        status = status_of(state)
        facts: dict[str, Any] = {"exception": None, "start_time": None, "end_time": None, "duration": None}
        if status != _word(S.PENDING):
            facts = {
                "exception": status == _word(S.FAILED),
                "start_time": _told(began_us),
                "end_time": _told(ended_us),
                "duration": round((ended_us - began_us) / 1e6, 6),
            }
        self.notebook.cells[place].metadata["papermill"] = nbformat.NotebookNode(**facts, status=status)

    def mark_cached(
        self, place: int, cached: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """A cell was taken from an earlier run, whose outputs stand below it, or are put there."""
        import nbformat

        with self.lock:
            cell = self.notebook.cells[place]
            cell.metadata.setdefault("notebook_flows", nbformat.NotebookNode())["cached"] = nbformat.from_dict(
                {"run": cached["run"], "saved_s": round(cached["saved_us"] / 1e6, 6)}
            )
            if outputs is not None:
                cell.outputs = [nbformat.from_dict(dict(one)) for one in outputs]
            self.touch(place)

    def touch(self, place: int | None = None) -> None:
        """Something has changed, in one cell or around them; it will be saved soon."""
        if place is not None:
            self._dirty.add(place)
        if self.saver is not None:
            self.saver.touch()

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self, ends: Sequence[CellEnd], at_us: int, sentence: str) -> None:
        """The run is over: every cell gets the state in which it really ended.

        Args:
            ends: of the n cells that run, in the order of ``nodes``.
            at_us: microseconds since 1970, UTC.
            sentence: how the run ended, where that was not well; else empty.
        """
        with self.lock:
            if self.is_finished:
                return
            self.is_finished = True
            for place, end in zip(self.nodes, ends, strict=True):
                known = self.notebook.cells[place].metadata.papermill
                if known["status"] != status_of(end.state):
                    self._stamp(place, end.state, end.began_us or at_us, end.ended_us or at_us)
                    self._dirty.add(place)
            not_run = [place for place, end in zip(self.nodes, ends, strict=True) if _is_pending(end.state)]
            self._pass(not_run[0] if not_run else len(self.notebook.cells), at_us)
            facts = self.notebook.metadata.papermill
            facts["end_time"] = _told(at_us)
            facts["duration"] = round((at_us - self._started_us) / 1e6, 6)
            if sentence:
                facts["exception"] = True
                self._mark(ends, sentence)
            self.touch()

    def _mark(self, ends: Sequence[CellEnd], sentence: str) -> None:
        """Say at the top, and where it stopped, that and why; of several failures the first is the anchor."""
        failed = [n for n, end in enumerate(ends) if status_of(end.state) == _word(S.FAILED)]
        if not failed:
            self._insert(0, f"<span {_STYLE}>{html.escape(sentence, quote=False)}</span>", "notebook-flows-error")
            return
        places = [self.nodes[n] for n in failed]
        where = self._prompt(places[0], "papermill-error-cell")
        if self._shows_error(places[0]) and ends[failed[0]].state is S.FAILED:
            text = f"An Exception was encountered at {where}."
        else:
            text = f"The run stopped at {where}: {html.escape(sentence, quote=False)}"
        for n, place in zip(failed[1:], places[1:], strict=True):
            message = html.escape(ends[n].message or "it failed", quote=False)
            text += f"<br>It failed at {self._prompt(place, f'notebook-flows-error-{n + 1}')} too: {message}"
        for n, place in reversed([*zip(failed[1:], places[1:], strict=True)]):
            anchor = f'<span id="notebook-flows-error-{n + 1}" {_STYLE}>The next cell failed too:</span>'
            self._insert(place, anchor, f"notebook-flows-error-{n + 1}")
        self._insert(places[0], _ANCHOR, "notebook-flows-error-anchor")
        self._insert(0, f"<span {_STYLE}>{text}</span>", "notebook-flows-error")

    def _prompt(self, place: int, anchor: str) -> str:
        """A cell as its reader sees it, linked to what stands above it."""
        count = self.notebook.cells[place].execution_count
        return f"'<a href=\"#{anchor}\">In [{' ' if count is None else count}]</a>'"

    def _shows_error(self, place: int) -> bool:
        return any(output.output_type == "error" for output in self.notebook.cells[place].outputs)

    def _insert(self, place: int, text: str, cell_id: str) -> None:
        import nbformat

        cell = nbformat.v4.new_markdown_cell(text, id=cell_id)
        cell.metadata["tags"] = [MARKER_TAG]
        self._put(place, cell)

    def _put(self, place: int, cell: NotebookNode) -> None:
        self.notebook.cells.insert(place, cell)
        self._fragments.insert(place, None)
        self._dirty = {number + (number >= place) for number in self._dirty} | {place}
        self.nodes = [number + (number >= place) for number in self.nodes]

    # -- the picture -----------------------------------------------------------------------------------------------

    def show(self, picture: Mapping[str, str], at: int | None, at_us: int) -> None:
        """Put the picture of how the run has ended into the notebook, before `finish`.

        Args:
            picture: its forms, by their media types.
            at: the place of a cell that asks for it; None, or if that cell shows one of its own: it gets a cell of its
                own at the end, for this run only.
            at_us: microseconds since 1970, UTC.
        """
        import nbformat

        output = nbformat.v4.new_output("display_data", data=dict(picture), metadata=PICTURE)
        with self.lock:
            if at is not None and not self._has_own_picture(at):
                kept = [one for one in self.notebook.cells[at].outputs if not is_picture(one)]
                self.notebook.cells[at].outputs[:] = [*kept, output]
                self.touch(at)
                return
            cell = nbformat.v4.new_code_cell(PICTURE_TEXT, id="notebook-flows-picture", outputs=[output])
            cell.metadata.update(nbformat.from_dict({"tags": [PICTURE_TAG], "jupyter": {"source_hidden": True}}))
            now = _told(at_us)
            cell.metadata["papermill"] = nbformat.NotebookNode(
                exception=False, start_time=now, end_time=now, duration=0.0, status=_word(S.SUCCESS)
            )
            self._put(len(self.notebook.cells), cell)

    def _has_own_picture(self, place: int) -> bool:
        return any(
            "image/svg+xml" in one.get("data", {}) for one in self.notebook.cells[place].outputs if not is_picture(one)
        )

    # -- its file --------------------------------------------------------------------------------------------------

    def pieces(self) -> list[bytes]:
        """The file's content; only cells that have changed since the last time are encoded anew."""
        with self.lock:
            for place in self._dirty:
                if self.settle is not None:
                    self.settle(place)
                self._fragments[place] = encoded_cell(self.notebook.cells[place])
            self._dirty.clear()
            return encoded_notebook(self.notebook, [one for one in self._fragments if one is not None])


def status_of(state: S) -> str:
    """Papermill's word for the state of a cell; what did not run is never ``completed``."""
    return _word(S.PENDING) if state is S.SKIPPED else _word(state)


def _is_pending(state: S) -> bool:
    return status_of(state) == _word(S.PENDING) and state is not S.SKIPPED


def _word(state: S) -> str:
    return facts_of(state).papermill


def _told(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="microseconds")


@cache
def _papermill_version() -> str:
    try:
        return version("papermill")
    except PackageNotFoundError:
        return ""
