"""What a headless run of a notebook takes from earlier runs, and what it leaves to later ones.

Task cells are kept with their values by the session in their kernel, which has them; of ordinary cells only what stands
below them is kept. Who goes on with a run takes the cells that are as they were, and lets those ordinary cells run again
whose values somebody needs.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

from notebook_flows.analysis import Cell, CellFacts, analyse, connect
from notebook_flows.analysis.feeding import feeders
from notebook_flows.analysis.taskcell import TaskCell, task_cell
from notebook_flows.errors import StoreError
from notebook_flows.fingerprints.made import Making, files_of, gone_file, which_notebook
from notebook_flows.fingerprints.readfiles import READ, changed_file
from notebook_flows.notebook.document import SKIP_TAG
from notebook_flows.notebook.memory import Taken
from notebook_flows.notebook.parameters import INJECTED_TAG, TAG
from notebook_flows.workspace.cellreuse import CellReuse
from notebook_flows.workspace.parameterprints import parameter_print
from notebook_flows.workspace.resuming import said_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from notebook_flows.engine.ports import KnownResult, RunInfo, RunLog
    from notebook_flows.notebook.cells import CellTask
    from notebook_flows.notebook.document import Document
    from notebook_flows.workspace.celldone import Done

MOST_OUTPUT = 5_000_000
"""Characters of the outputs of an ordinary cell that are kept."""
UNKEPT = "unkept "
"""Begins the fingerprint of a result that is not kept: it is like no other."""


class NotebookMemory:
    """Fits `notebook.memory.CellMemory`.

    Args:
        document: the notebook that runs.
        name: of the notebook.
        run_id: of the run.
        folder: the working directory of its kernel.
        parameters: name -> value, of those that were given, and put into a cell of their own.
        keeps: the results of all cells are kept, so that the run can be gone on with.
        caches: task cells are cached without ``--cache``, too, unless they act on the world outside.
        is_off, is_fresh: no cell is cached; cached ones run, and are kept anew.
        done: what the run has done that this one goes on with; None: it goes on with none.
    """

    def __init__(
        self,
        document: Document,
        name: str,
        *,
        run_id: str,
        folder: Path,
        parameters: Mapping[str, Any] | None = None,
        keeps: bool = True,
        caches: bool = False,
        is_off: bool = False,
        is_fresh: bool = False,
        done: Done | None = None,
    ) -> None:
        from notebook_flows.workspace.histories import result_store

        self._run_id = run_id
        self._keeps = keeps
        self._caches = caches
        self._is_off = is_off
        self._is_fresh = is_fresh
        self._done = done
        self._store = result_store()
        cells = [document.notebook.cells[place] for place in document.nodes]
        tasks = {cell.id: found for cell in cells if (found := task_cell(cell.source, cell.metadata.tags)) is not None}
        connections = connect([_cell(cell, tasks.get(cell.id)) for cell in cells])
        self._tasks = connections.tasks
        self._links = connections.cells
        self._above = feeders(connections)
        self._folder = folder
        self._why_again: dict[str, str] = {}
        self._making = Making(
            which_notebook(name, document.input_path, folder),
            {cell.id: cell.source for cell in cells},
            {
                cell.id: files_of(
                    connections.cells[cell.id].files, tasks[cell.id].options.files if cell.id in tasks else ()
                )
                for cell in cells
            },
            connections,
            parameters_cell=_tagged(cells, TAG),
            parameters={key: parameter_print(value) for key, value in (parameters or {}).items()},
            injected=_tagged(cells, INJECTED_TAG) if parameters else None,
            folder=folder,
        )
        self._made: dict[str, str | None] = {}
        self._recorded: dict[str, KnownResult] = {}
        self._without_value: dict[str, int] = {}
        self._to_run: set[str] = set(connections.cells)
        self._to_load: set[str] = set()
        if done is not None:
            self._plan(done)

    # -- what need not run ---------------------------------------------------------------------------------------------

    def _plan(self, done: Done) -> None:
        """What has to run, and what it needs of that which has run before."""
        for key in self._links:
            made = self._making.of(key)
            if made is None:
                continue
            gone = gone_file(self._links[key].files, self._folder)
            if gone is not None:
                if made in done.known or made in done.without_value:
                    self._why_again[key] = f"{gone!r}, which it wrote, is gone"
                continue
            found = done.known.get(made)
            if found is not None and (changed := changed_file(found.reference.get(READ, {}), self._folder)) is not None:
                self._why_again[key] = f"{changed!r}, which it read, is not what it was"
                continue
            if found is not None:
                self._recorded[key] = found
                if key in self._tasks:
                    self._making.set_result(key, str(found.reference["content"]))
            elif made in done.without_value:
                self._without_value[key] = done.without_value[made]
                if key in self._tasks:
                    self._making.set_result(key, f"{UNKEPT}{done.run_id}")
        is_done = self._recorded.keys() | self._without_value.keys()
        self._to_run = {key for key in self._links if key not in is_done}
        waiting = list(self._to_run)
        while waiting:
            for other in self._needed_by(waiting.pop()):
                if other in self._recorded and other in self._tasks and self._is_there(other):
                    if other not in self._to_load:
                        self._to_load.add(other)
                        waiting.append(other)
                elif other not in self._to_run:
                    self._to_run.add(other)
                    waiting.append(other)

    def _needed_by(self, key: str) -> list[str]:
        """The cells that a cell needs; one that is loaded only needs those that define the classes of its values."""
        if key not in self._to_load or key in self._to_run:
            return self._above.get(key, [])
        classes = set(self._recorded[key].reference.get("classes", ()))
        return [other for other, links in self._links.items() if other not in self._tasks and classes & links.outputs]

    def _is_there(self, key: str) -> bool:
        found = self._recorded[key]
        return found.inline is not None if found.reference["in"] == "history" else self._store.has(found.reference)

    def note(self, names: Mapping[str, str]) -> str:
        """Which cells had run, and run again, and why; empty: none.

        Args:
            names: key -> what people call the cell.
        """
        again = [f"{names[key]!r}: runs again, for {why}." for key, why in self._why_again.items()]
        return " ".join([*again, *filter(None, [self._note_of_values(names)])])

    def _note_of_values(self, names: Mapping[str, str]) -> str:
        is_done = self._recorded.keys() | self._without_value.keys()
        again = [repr(names[key]) for key in self._links if key in self._to_run and key in is_done]
        if not again:
            return ""
        verb = (
            "runs again, for its values are not kept and a cell that runs needs"
            if len(again) == 1
            else ("run again, for their values are not kept and cells that run need")
        )
        return f"{', '.join(again)}: {verb} {'it' if len(again) == 1 else 'them'}."

    def instead(self, task: CellTask) -> Taken | None:
        """What stands for a cell that nothing needs that runs."""
        key = task.key
        if self._done is None or key in self._to_run or key in self._to_load:
            return None
        found = self._recorded.get(key)
        took_us = found.took_us if found is not None else self._without_value[key]
        made = self._making.of(key)
        details: dict[str, Any] = {"cached": {"run": self._done.run_id, "saved_us": took_us}}
        if found is None:
            details["result"] = {"why": "It was not kept.", "made": made, "content": self._making.result(key)}
            return Taken(said_of(self._done.run_id, took_us), details, [])
        details["result"] = {**found.reference, "made": made}
        return Taken(said_of(self._done.run_id, took_us), details, self._outputs_of(found))

    def _outputs_of(self, found: KnownResult) -> list[Mapping[str, Any]]:
        try:
            told = self._store.load(found.reference, found.inline)
            outputs: list[Mapping[str, Any]] = json.loads(told["outputs"])
        except StoreError:  # they are gone, and nobody needs more of the cell than that
            return []
        return outputs

    # -- what the kernel is told, and tells ----------------------------------------------------------------------------

    def order(self, task: CellTask, attempt: int) -> Mapping[str, Any]:
        """What the session in the kernel is told of a task cell."""
        key = task.key
        made = self._made[key] = self._making.of(key)
        found = self._recorded.get(key) if key not in self._to_run else None
        if found is None and self._done is not None and made is not None and key not in self._why_again:
            found = self._done.known.get(made)  # what it needs has run again, and has given what it gave then
        before = {"run": found.run_id, "took_us": found.took_us, "result": dict(found.reference)} if found else None
        return {
            "looks": attempt == 1,
            "keeps": self._keeps,
            "caches": self._caches,
            "is_off": self._is_off,
            "is_fresh": self._is_fresh,
            "before": before,
        }

    def taken(self, task: CellTask, told: Mapping[str, Any]) -> Taken:
        """The session in the kernel has taken a task cell from an earlier run."""
        found = told["cached"]
        result = found["result"]
        self._making.set_result(task.key, str(result["content"]))
        made = self._made.get(task.key)
        details = {
            "cached": {"run": found["run"], "saved_us": found["took_us"]},
            "result": {**result, **({"made": made} if made else {})},
        }
        return Taken(said_of(found["run"], found["took_us"]), details)

    def kept(self, task: CellTask, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """A task cell has run well."""
        found = told.get("kept")
        made = self._made.get(task.key)
        if found is None:
            found = {"why": ""}
        result = found.get("result")
        content = str(result["content"]) if result is not None else f"{UNKEPT}{self._run_id}"
        self._making.set_result(task.key, content)
        inline = found.get("inline")
        return {
            "kept": {
                **found,
                "inline": base64.b64decode(inline) if inline is not None else None,
                "made": made,
                "content": content,
            }
        }

    def ordinary(self, task: CellTask, outputs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """An ordinary cell has run well: what stands below it is kept."""
        told: dict[str, Any] = {"made": self._making.of(task.key), "is_ordinary": True}
        if not self._keeps:
            return {"kept": {**told, "why": ""}}
        text = json.dumps(outputs)
        if len(text) > MOST_OUTPUT:
            return {"kept": {**told, "why": "What stands below it is too large."}}
        try:
            done = self._store.keep({"outputs": text})
        except StoreError as error:  # the cell has succeeded all the same
            return {"kept": {**told, "why": str(error)}}
        reference = {**done.reference, "content": done.reference["sha256"]}
        return {"kept": {**told, "result": reference, "inline": done.inline}}

    def remarks(self, told: Mapping[str, Any]) -> Sequence[tuple[int, str]]:
        """What the session in the kernel has to say for the log."""
        said: list[tuple[int, str]] = [(int(level), str(text)) for level, text in told.get("said", ())]
        if "cached" in told:
            found = told["cached"]
            said.append((logging.INFO, f"It is cached. {said_of(found['run'], found['took_us'])}"))
        return said

    # -- the engine ----------------------------------------------------------------------------------------------------

    def reuse(self, info: RunInfo, log: RunLog, history: Any) -> CellReuse | None:
        """What the engine asks; None: there is no history."""
        if not hasattr(history, "known_results"):
            return None
        return CellReuse(
            run_id=info.run_id, slugs=info.slugs, log=log, known=history.known_results(), used=history.used
        )


def _tagged(cells: Sequence[Any], tag: str) -> str | None:
    return next((cell.id for cell in cells if tag in cell.metadata.tags), None)


def _cell(cell: Any, found: TaskCell | None) -> Cell:
    facts = CellFacts() if SKIP_TAG in cell.metadata.tags else analyse(cell.source)
    if found is None:
        return Cell(key=cell.id, facts=facts, is_task=False, name=cell.id)
    options = found.options
    return Cell(
        key=cell.id,
        facts=facts,
        is_task=True,
        name=found.name or cell.id,
        needs=options.needs,
        reads=options.reads,
        writes=options.writes,
        pure=options.pure,
    )


def kernel_settings() -> dict[str, str]:
    """What the session in the kernel has to know to read and keep results; it may be where other settings are in force."""
    from notebook_flows.settings import settings_from
    from notebook_flows.workspace.histories import secret_key

    settings = settings_from()
    return {
        "store": str(settings.store),
        "blobs": str(settings.blobs),
        "key": secret_key().hex(),
        "most": str(settings.max_result_size),
    }
