"""Between papermill and us: its notebook manager becomes our document, and what it gets wrong at the end is mended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.notebook.document import Document
from notebook_flows.notebook.errors import CellError
from notebook_flows.notebook.reading import drop_marks
from notebook_flows.notebook.saving import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.run import Run


class Bridge:
    """One notebook that papermill runs through our engine.

    Args:
        manager: papermill's ``NotebookExecutionManager``.
        kernel: the kernel's name.
        options: what papermill hands to engines.
    """

    def __init__(self, manager: Any, kernel: str, options: dict[str, Any]) -> None:
        self._manager = manager
        self._kernel = kernel
        self._options = options
        known = manager.nb.metadata.papermill
        drop_marks(manager.nb)
        self.document = Document(
            manager.nb,
            input_path=str(options.get("input_path") or known.get("input_path")),
            output_path=known.get("output_path"),
            parameters=known.get("parameters", {}),
        )
        self._path = _local(manager.output_path)
        self._done = 0
        self._truth: list[Any] = []
        self._marked: list[Any] = []

    def arguments(self) -> dict[str, Any]:
        """What `running.run_document` is to be called with.

        Raises:
            UnknownKernel: it is not installed.
        """
        from notebook_flows.notebook.kernel import chosen_kernel

        options, source = self._options, self.document.input_path
        return {
            "name": Path(source).stem or "notebook",
            "kernel": chosen_kernel(self._kernel, self.document.notebook, source),
            "cwd": Path.cwd(),
            "output_path": self._path,
            "parameters": dict(self.document.notebook.metadata.papermill.get("parameters", {})),
            "cell_timeout_s": options.get("execution_timeout") or options.get("timeout"),
            "start_timeout_s": options.get("start_timeout"),
            "observers": [self._show],
            "on_output": self._tell if self._wants_output() else None,
        }

    def _wants_output(self) -> bool:
        options = self._options
        return bool(options.get("log_output") or options.get("stdout_file") or options.get("stderr_file"))

    def _show(self, run: Run, events: Sequence[Event]) -> None:
        """Move papermill's progress bar."""
        done = len(run.state) - run.unfinished
        if self._path is None and done > self._done:
            with self.document.lock:
                self._manager.autosave_cell()  # by papermill's own rules: not often, where it takes long
        bar = self._manager.pbar
        if bar is not None and done > self._done:
            bar.update(done - self._done)
        self._done = done

    def _tell(self, number: int, kind: str, text: str) -> None:
        """Pass the output of cells on to where papermill was asked to log it."""
        from papermill.log import logger

        if self._options.get("log_output"):
            (logger.warning if kind == "stderr" else logger.info)(text)
            sys.stdout.flush()
        file = self._options.get(f"{kind}_file")
        if file is not None:
            file.write(text)
            file.flush()

    def settle(self, run: Any) -> None:
        """Note what is true, before papermill concludes the notebook its own way.

        Args:
            run: how it ended; None where it was interrupted.
        """
        if run is None or not self._is_exception(run):
            self._marked = list(self.document.notebook.cells)
        bar = self._manager.pbar
        if bar is not None and run is not None and run.state is S.SUCCESS:
            bar.update(bar.total - bar.n)  # it counts the cells that are text as well
        self._unmark()  # papermill knows no cells without its metadata; an exception it marks itself
        self._truth = self.statuses()

    @staticmethod
    def _is_exception(run: Any) -> bool:
        """Whether it ended with one exception, which papermill marks as we would; of several it would mark the last."""
        failed = [cell for cell in run.cells if cell.state is S.FAILED]
        return run.state is S.FAILED and isinstance(run.exception, CellError) and len(failed) == 1

    def raise_for(self, run: Any) -> None:
        """Raise what papermill's own engine would, so that its command ends with the same code.

        An exception of a cell is raised by papermill itself, which finds it in the outputs.
        """
        if run.state is S.SUCCESS or self._is_exception(run):
            return
        from nbclient.exceptions import CellTimeoutError, DeadKernelError

        if run.state is S.FAILED and isinstance(run.exception, CellError):
            raise self._first_of_several()
        if run.state is S.CRASHED:
            raise DeadKernelError(run.error)
        if run.state is S.TIMED_OUT:
            raise CellTimeoutError(run.error)
        raise RuntimeError(run.error)  # cancelled, or the notebook could not be saved

    def _first_of_several(self) -> Exception:
        """What papermill raises for an exception in a cell."""
        from papermill.exceptions import PapermillExecutionError

        for place, cell in enumerate(self.document.notebook.cells):
            for output in cell.get("outputs", ()):
                if output.output_type == "error" and cell.metadata.papermill["exception"]:
                    error: Exception = PapermillExecutionError(
                        cell_index=place,
                        exec_count=cell.execution_count,
                        source=cell.source,
                        ename=output.ename,
                        evalue=output.evalue,
                        traceback=output.traceback,
                    )
                    return error
        return RuntimeError("A cell failed, and left no exception.")

    def _unmark(self) -> None:
        from papermill.execute import remove_error_markers

        remove_error_markers(self.document.notebook)

    def statuses(self) -> list[Any]:
        """What papermill's metadata says of each cell."""
        return [dict(cell.metadata.get("papermill", {})) for cell in self.document.notebook.cells]

    def repair(self) -> None:
        """Undo what ``notebook_complete`` has made of cells that did not run: it calls them completed."""
        cells = self.document.notebook.cells
        truth = self._truth or self.statuses()
        for cell, known in zip(cells, truth, strict=False):
            if known:
                cell.metadata["papermill"].update(known)
        if self._marked:
            self.document.notebook.cells = cells = self._marked
        if self._path is not None:
            from notebook_flows.notebook.encoding import encoded_cell, encoded_notebook

            write_whole(self._path, encoded_notebook(self.document.notebook, map(encoded_cell, cells)))
        elif self._manager.output_path is not None:
            self._manager.save()


def _local(path: str | None) -> Path | None:
    """The output's path, if it is a file of this machine that we can write well; else papermill does it."""
    if not path or path == "-" or "://" in path:
        return None
    return Path(path)
