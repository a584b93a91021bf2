"""A whole notebook as a task of a flow."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.core.context import current_attempt
from notebook_flows.core.task import Task
from notebook_flows.engine.stopping import when_stopping
from notebook_flows.errors import FlowError, TaskCallError
from notebook_flows.notebook.errors import IN_THE_NOTEBOOK
from notebook_flows.notebook.handback import UNNAMED, Values, values_in
from notebook_flows.notebook.stopping import StopSignal

if TYPE_CHECKING:
    from notebook_flows.core.lifecycle import S
    from notebook_flows.engine.ports import Observer
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.notebook.selection import Selection
    from notebook_flows.running import NotebookRun

OUTPUTS = "notebook-outputs"
"""The folder, below the working directory, for executed notebooks whose place nobody has chosen."""


class NotebookResult(Mapping[str, Any]):
    """What the run of a notebook gave: a mapping of the values that it handed back.

    Attributes:
        values: {name: value}; callable too, as a mapping's ``values``.
        output_path: the executed notebook.
        run_id: of its run in the history.
    """

    def __init__(self, values: Values, *, output_path: Path, run_id: str) -> None:
        self._values = values
        self.output_path = output_path
        self.run_id = run_id

    @property
    def value(self) -> Any:
        """What ``return_value(x)`` has handed back without a name.

        Raises:
            NoValue: nothing was.
        """
        return self._values[UNNAMED]

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"NotebookResult({', '.join(self) or 'no values'}; {str(self.output_path)!r}, run {self.run_id[:8]})"

    def __getstate__(self) -> dict[str, Any]:
        """The values themselves travel to other processes, not how they are read."""
        return {"values": dict(self._values), "output_path": self.output_path, "run_id": self.run_id}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        known = dict(state["values"])
        self._values = Values({name: partial(known.get, name) for name in known}, str(state["output_path"]))
        self.output_path, self.run_id = state["output_path"], state["run_id"]


class NotebookRunError(FlowError, RuntimeError):
    """The notebook of a task did not end well.

    Attributes:
        path: of the notebook.
        output_path: the executed notebook, as far as it came.
        run_id: of its run in the history.
        state: how it ended.
        reason: one sentence.
        traceback: of the cell that failed, as text; empty if none did.
    """

    def __init__(self, path: str, output_path: Path, run_id: str, state: S, reason: str, traceback: str) -> None:
        super().__init__(path, output_path, run_id, state, reason, traceback)
        self.path, self.output_path, self.run_id = path, output_path, run_id
        self.state, self.reason, self.traceback = state, reason, traceback
        if traceback:
            self.add_note(f"{IN_THE_NOTEBOOK}\n{traceback}")

    def __str__(self) -> str:
        return f"Notebook {self.path!r}: {self.reason} The executed notebook is {str(self.output_path)!r}."

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def notebook(self) -> Any:
        """The executed notebook."""
        from notebook_flows.notebook.reading import read_notebook

        return read_notebook(self.output_path)


class NotebookTask(Task):
    """Runs a whole notebook, headless, in a kernel of its own; its result is a `NotebookResult`.

    Args:
        path: of the notebook; a relative one is meant from the working directory in which the flow runs.
        parameters: for its cell tagged ``parameters``. More can be given in the flow, as arguments of the call.
        output: where the executed notebook goes: a file or a template of one, see `output_named`; unless given, a
            file of its own for each run below ``notebook-outputs``.
        kernel: an installed kernel, instead of the notebook's own.
        cwd: where its code runs; the notebook's own folder unless given.
        cell_timeout: seconds that each cell may take.
        strict_shell: a failing ``!command`` fails its cell.
        selection: which cells are wanted, when not all of them are.
        history: False: its runs leave no trace in the history; None: as the settings say.
        keep_results: False: nothing of its cells is kept; None: as the settings say.
        name: of the task; the notebook's name unless given.
        options: as for any `Task`: retries, timeout, tags, trigger, target...

    Attributes:
        pool: where its kernels come from, for many runs in threads of this process.
        run_ids: of the runs that this task has begun in this process, the latest last.
    """

    def __init__(
        self,
        path: str | Path,
        parameters: Mapping[str, Any] | None = None,
        output: str | Path | None = None,
        kernel: str | None = None,
        *,
        cwd: str | Path | None = None,
        cell_timeout: float | None = None,
        strict_shell: bool = False,
        selection: Selection | None = None,
        history: bool | None = None,
        keep_results: bool | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        for one, value in (parameters or {}).items():
            if isinstance(value, Task):
                in_call = f"give it in the call: notebook_task({str(path)!r})({one}=...)."
                raise TaskCallError(str(path), None, f"{one!r} is what task {value.name!r} returns; {in_call}")
        super().__init__(name=name or Path(path).stem, **options)
        self.path = str(path)
        self.parameters = dict(parameters or {})
        self.output = None if output is None else str(output)
        self.kernel = kernel
        self.cwd = None if cwd is None else str(cwd)
        self.cell_timeout = cell_timeout
        self.strict_shell = strict_shell
        self.selection = selection
        self.history = history
        self.keep_results = keep_results
        self.observers: tuple[Observer, ...] = ()
        self.run_ids: list[str] = []
        self.pool: KernelPool | None = None

    def __fingerprint__(self) -> list[Any]:
        """What counts for the key of its result: the notebook as it is now, the modules of one's own that it imports, and
        what it is run with.

        Raises:
            Unhashable: the notebook cannot be read here.
        """
        from notebook_flows.fingerprints.cells import import_print, imports_of, text_print
        from notebook_flows.fingerprints.errors import Unhashable
        from notebook_flows.notebook.reading import read_notebook
        from notebook_flows.running.places import folder_of

        if "://" in self.path:
            raise Unhashable(f"the notebook at {self.path} is only known once it is fetched")
        try:
            cells = [one.source for one in read_notebook(self.path).cells if one.cell_type == "code"]
            folder = folder_of(self.path, self.cwd).resolve()
        except FlowError as error:
            raise Unhashable(str(error)) from None
        modules = [import_print(one, folder) for source in cells for one in imports_of(source)]
        wanted = None if self.selection is None else (self.selection.first, list(self.selection.only))
        told = (self.path, self.output, self.kernel, self.cwd, self.strict_shell)
        return [[text_print(one) for one in cells], modules, self.parameters, wanted, told]

    def run(self, **parameters: Any) -> NotebookResult:
        """Run it, in the thread or process of the task.

        Raises:
            NotebookRunError: it failed, was killed, or took too long; the executed notebook is kept.
            NotebookError: it cannot be read, or its kernel is unknown.
            NotebookParameterError: parameters that do not fit.
        """
        from notebook_flows.notebook.parameters import defaults_of
        from notebook_flows.outputname import output_named
        from notebook_flows.running import here, run_notebook

        path = here(self.path)
        given = {**self.parameters, **parameters}
        run_id = uuid.uuid4().hex
        self.run_ids.append(run_id)
        template = (
            here(self.output, is_output=True) if self.output else f"{OUTPUTS}/{_safe(self.name)}-{run_id[:8]}.ipynb"
        )
        target = output_named(template, path, {**defaults_of(path), **given}, run_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        stop = StopSignal()
        attempt = current_attempt()
        with _is_under_way(run_id), when_stopping(None if attempt is None else attempt.run_id, stop.ask):
            done = run_notebook(
                path,
                parameters=given,
                output=target,
                kernel=self.kernel,
                cwd=self.cwd,
                timeout_s=self.timeout,
                cell_timeout_s=self.cell_timeout,
                history=self.history,
                keep_results=self.keep_results,
                observers=self.observers,
                flow_run_id=run_id,
                selection=self.selection,
                strict_shell=self.strict_shell,
                stop=stop,
                pool=self.pool,
            )
        return self._result_of(done)

    def _result_of(self, done: NotebookRun) -> NotebookResult:
        from notebook_flows.notebook.reading import read_notebook

        assert done.output_path is not None
        if not done.is_successful:
            traceback = str(getattr(done.exception, "traceback", "") or "")
            reason = done.error or "it did not end well."
            raise NotebookRunError(self.path, done.output_path, done.run_id, done.state, _sentence(reason), traceback)
        where = f"notebook {self.path!r}"
        values = values_in(read_notebook(done.output_path), where, unpickles=True)
        return NotebookResult(values, output_path=done.output_path, run_id=done.run_id)


_ends = threading.Condition()
_under_way: set[str] = set()


@contextmanager
def _is_under_way(run_id: str) -> Iterator[None]:
    with _ends:
        _under_way.add(run_id)
    try:
        yield
    finally:
        with _ends:
            _under_way.discard(run_id)
            _ends.notify_all()


def wait_for_ends(timeout_s: float) -> bool:
    """Wait until no notebook task runs in this process any more; whether that is so."""
    with _ends:
        return _ends.wait_for(lambda: not _under_way, timeout_s)


def notebook_task(
    path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    kernel: str | None = None,
    **options: Any,
) -> NotebookTask:
    """A task that runs a whole notebook and returns what it hands back; see `NotebookTask` for all arguments.

    Call it inside a flow to add it there: ``notebook_task("clean.ipynb")(day=day)``. Arguments of that call are
    parameters of the notebook, and may be results of other tasks.
    """
    return NotebookTask(path, parameters, output, kernel, **options)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "notebook"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
