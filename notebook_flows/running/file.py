"""Runs the notebook in a file: read, given its parameters, and checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.parameters import told
from notebook_flows.notebook.document import Document
from notebook_flows.notebook.names import address_of, named
from notebook_flows.notebook.oddities import NO_KERNEL
from notebook_flows.notebook.parameters import injected
from notebook_flows.notebook.reading import read_notebook
from notebook_flows.running.document import run_document
from notebook_flows.running.places import folder_of, here, output_path_for
from notebook_flows.workspace.environment import begun_from

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from notebook_flows.engine.ports import Observer, WaitingClock
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.notebook.selection import Selection
    from notebook_flows.notebook.stopping import StopSignal
    from notebook_flows.running.results import NotebookRun
    from notebook_flows.workspace.celldone import Done


def run_notebook(
    path: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    kernel: str | None = None,
    cwd: str | Path | None = None,
    timeout_s: float | None = None,
    cell_timeout_s: float | None = None,
    history: bool | None = None,
    observers: Sequence[Observer] = (),
    on_output: Callable[[int, str, str], None] | None = None,
    flow_run_id: str | None = None,
    clock: WaitingClock | None = None,
    selection: Selection | None = None,
    strict_shell: bool = False,
    stop: StopSignal | None = None,
    workers: int | None = None,
    pool: KernelPool | None = None,
    cache: bool | None = None,
    keep_results: bool | None = None,
    resume: str | None = None,
) -> NotebookRun:
    """Run a notebook from top to bottom, and write what came out beside where we are.

    A failing cell raises nothing: it is told in what is returned. All that can be wrong before a cell runs is raised.

    Args:
        path: of the notebook; it is never changed.
        parameters: {name: text, or a value}: text is read by the type that the notebook declares; as
            `notebook_flows.notebook.kinds.Text` also where it declares none.
        output: the executed notebook; ``NAME-output.ipynb`` in the working directory unless given. May be a folder.
        kernel: the name of an installed kernel; the notebook's own, or ``python3``, unless given.
        cwd: the folder in which its code runs; the notebook's own unless given.
        timeout_s: how long the whole run may take.
        cell_timeout_s: how long each cell may take.
        history: False: leave no trace in the history; None: as the settings say.
        observers: are told of all events.
        on_output: called with (number of the cell, ``stdout``, ``stderr`` or ``result``, text), from another thread.
        flow_run_id: 32 hexadecimal digits; made unless given.
        clock: the time.
        selection: which cells are wanted; they and what they need run, the others are skipped.
        strict_shell: a line ``!command`` that fails, fails its cell.
        stop: may end the run as cancelled, from another thread.
        workers: how many task cells may run side by side; as many as the machine has CPUs, 4 at least, unless given.
        pool: where the kernel comes from, for many runs; see `notebook_flows.notebook.pool.KernelPool`.
        cache: True: task cells that do not say it themselves are cached, too, unless they act on the world outside;
            False: none is; None: those with ``--cache`` are.
        keep_results: False: keep none, so that the run cannot be gone on with; None: as the settings say.
        resume: the id of a run of this notebook, the beginning of one, or ``latest``: what it has done is not done again.

    Raises:
        NotebookError: the notebook cannot be read, its kernel is unknown, or the output cannot be written.
        NotebookParameterError: parameters that are unknown, missing, or do not fit; all of them at once.
        ResumeError: the run cannot be gone on with.
        KeyboardInterrupt: Ctrl-C; until then all is recorded and saved.
    """
    from notebook_flows.notebook.kernel import chosen_kernel
    from notebook_flows.notebook.problems import checked_values

    path, output = here(path), None if output is None else here(output, is_output=True)
    oddities: list[str] = []
    notebook = read_notebook(path, oddities=oddities)
    done = None if resume is None else _done_by(resume, Path(path).stem, history)
    given = dict(parameters or {})
    values = checked_values(notebook, given if done is None else {**done.parameters_again(given), **given}, path)
    kernel_name = chosen_kernel(kernel, notebook, path)
    wanted = None if selection is None else selection.ids_in(notebook, path)
    injected(notebook, values, kernel_name, path)
    folder = folder_of(path, cwd)
    output_path = output_path_for(path, output)
    target = address_of(output_path)
    if target is not None:
        from notebook_flows.notebook.addresses import check_writable

        check_writable(target, address_of(path))
    shown_values = {} if not values else told(values)
    document = Document(notebook, input_path=named(path), output_path=named(output_path), parameters=shown_values)
    with begun_from(
        _anywhere(path),
        output=_anywhere(output_path),
        cwd=None if cwd is None else str(Path(cwd).absolute()),
        kernel=kernel,
    ):
        return run_document(
            document,
            name=Path(path).stem,
            kernel=kernel_name,
            cwd=folder,
            output_path=output_path,
            parameters=values,
            timeout_s=timeout_s,
            cell_timeout_s=cell_timeout_s,
            history=history,
            observers=observers,
            on_output=on_output,
            flow_run_id=flow_run_id,
            clock=clock,
            chosen=None if wanted is None else _chosen(document, wanted),
            strict_shell=strict_shell,
            stop=stop,
            workers=workers,
            pool=pool,
            cache=cache,
            keep_results=keep_results,
            done=done,
            notes=[one for one in oddities if kernel is None or one != NO_KERNEL],
        )


def _anywhere(path: str | Path) -> str:
    """What names a file also for a process in another folder."""
    return address_of(path) or str(Path(path).absolute())


def _done_by(run: str, name: str, history: bool | None) -> Done:
    """What a run of a notebook has done.

    Raises:
        ResumeError: it cannot be gone on with.
    """
    from notebook_flows.workspace.celldone import done_in
    from notebook_flows.workspace.histories import log_for

    return done_in(log_for(history), name, run)


def _chosen(document: Document, ids: Collection[str]) -> Collection[int]:
    """The places of some cells and of what they need; the analysis is loaded for those who ask for it only."""
    from notebook_flows.notebook.selection import places_for

    return places_for(document, ids)
