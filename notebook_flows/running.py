"""Runs a notebook: reads it, gives it its parameters, and lets the engine run its cells in a kernel."""

from __future__ import annotations

import contextlib
import glob
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.artifacts.kernel import DRIVEN
from notebook_flows.core import state as api
from notebook_flows.core.events import Kind
from notebook_flows.core.lifecycle import IS_FAILED, IS_FINAL, S
from notebook_flows.engine.clock import SystemClock
from notebook_flows.engine.parameters import told
from notebook_flows.notebook.document import CellEnd, Document
from notebook_flows.notebook.errors import CellError, NotebookError, OutputError
from notebook_flows.notebook.names import address_of, named
from notebook_flows.notebook.parameters import given_values, injected, is_python
from notebook_flows.notebook.reading import read_notebook
from notebook_flows.notebook.redaction import Redactor
from notebook_flows.notebook.secrets import secrets_among
from notebook_flows.settings import settings_from
from notebook_flows.workspace import run_once
from notebook_flows.workspace.one_run import PARENT_RUN
from notebook_flows.workspace.resuming import ResumeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.secret import Secret
    from notebook_flows.engine.ports import Observer, WaitingClock
    from notebook_flows.notebook.executor import KernelExecutor
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.notebook.saving import Saver
    from notebook_flows.notebook.selection import Selection
    from notebook_flows.notebook.stopping import StopSignal
    from notebook_flows.workspace.celldone import Done
    from notebook_flows.workspace.notebookmemory import NotebookMemory

OUTPUT_SUFFIX = "-output.ipynb"


@dataclass(frozen=True, kw_only=True)
class CellRun:
    """How one code cell ended.

    Attributes:
        number: 1 for the first that runs; its slug in the history is ``cell-1``.
        name: what people read.
        state: as the history has it.
        message: one sentence; empty where there is nothing to say.
        elapsed_s: from its start to its end; None where it did not run.
    """

    number: int
    name: str
    state: S
    message: str
    elapsed_s: float | None


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """How the run of a notebook ended.

    Attributes:
        state: SUCCESS, FAILED, TIMED_OUT, CANCELLED or CRASHED.
        run_id: its id in the history.
        run_name: its name there.
        output_path: the executed notebook; None where none was asked for.
        error: one sentence that says what went wrong; None if nothing did.
        parameters: what the notebook was given, each made to fit its declared type.
        cells: of the n code cells, in document order.
        exception: of the cell that failed: `CellError`, with its traceback as text; or None.
        flow: the notebook as a flow, with ``flow_state`` all that a picture needs: ``flow.visualize(flow_state)``.
        flow_state: the state of the flow, as `Flow.run` returns it.
        notes: sentences about how it was run; none for most notebooks.
    """

    state: S
    run_id: str
    run_name: str
    output_path: Path | None
    error: str | None
    parameters: Mapping[str, Any]
    cells: Sequence[CellRun]
    exception: BaseException | None
    flow: Flow
    flow_state: api.State
    notes: Sequence[str] = ()

    @property
    def is_successful(self) -> bool:
        """Whether all that was to run has run well, and the notebook is saved."""
        return self.state is S.SUCCESS


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

    path, output = here(path), None if output is None else here(output, is_output=True)
    notebook = read_notebook(path)
    done = None if resume is None else _done_by(resume, Path(path).stem, history)
    given = dict(parameters or {})
    values = given_values(notebook, given if done is None else {**done.parameters_again(given), **given}, path)
    kernel_name = chosen_kernel(kernel, notebook, path)
    wanted = None if selection is None else selection.ids_in(notebook, path)
    injected(notebook, values, kernel_name, path)
    folder = _folder(path, cwd)
    output_path = output_path_for(path, output)
    target = address_of(output_path)
    if target is not None:
        from notebook_flows.notebook.addresses import check_writable

        check_writable(target, address_of(path))
    shown_values = {} if not values else told(values)
    document = Document(notebook, input_path=named(path), output_path=named(output_path), parameters=shown_values)
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
    )


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


def output_path_for(path: str | Path, output: str | Path | None = None) -> Path:
    """Where the executed notebook goes.

    >>> output_path_for("reports/sales.ipynb").name
    'sales-output.ipynb'

    Raises:
        OutputError: it cannot go there.
    """
    from notebook_flows.notebook.saving import checked_output

    own_name = f"{Path(path).stem}{OUTPUT_SUFFIX}"
    target = Path(output if output is not None else own_name)
    try:
        if output is not None and target.is_dir():
            target /= own_name
    except (OSError, ValueError):
        pass  # told by the check
    checked_output(target, path)
    return target


def here(path: str | Path, *, is_output: bool = False) -> str | Path:
    """The file of this machine that stands for a notebook: of an address, what was fetched from it, or is sent to it."""
    if "://" not in str(path):
        return path
    from notebook_flows.notebook.addresses import fetched, is_address, outgoing

    if not is_address(path):
        return path
    return outgoing(str(path)) if is_output else fetched(str(path))


def _folder(path: str | Path, cwd: str | Path | None) -> Path:
    folder = Path(cwd) if cwd is not None else Path() if address_of(path) else Path(path).resolve().parent
    if not folder.is_dir():
        raise NotebookError(path, f"cannot run in {str(folder)!r}: there is no such folder.")
    return folder.resolve()


def run_document(
    document: Document,
    *,
    name: str,
    kernel: str,
    cwd: Path,
    output_path: Path | None,
    parameters: Mapping[str, Any],
    timeout_s: float | None = None,
    cell_timeout_s: float | None = None,
    history: bool | None = None,
    observers: Sequence[Observer] = (),
    on_output: Callable[[int, str, str], None] | None = None,
    start_timeout_s: float | None = None,
    flow_run_id: str | None = None,
    clock: WaitingClock | None = None,
    chosen: Collection[int] | None = None,
    strict_shell: bool = False,
    stop: StopSignal | None = None,
    workers: int | None = None,
    pool: KernelPool | None = None,
    cache: bool | None = None,
    keep_results: bool | None = None,
    done: Done | None = None,
) -> NotebookRun:
    """Run a notebook that was read, and has its parameters; see `run_notebook`.

    With an ``output_path``, the document is saved there while the run goes on. Of the code cells only those run whose
    places are ``chosen``; None: all of them.
    """
    from notebook_flows.notebook.cells import flow_of
    from notebook_flows.notebook.executor import START_TIMEOUT_S, KernelExecutor, workers_here
    from notebook_flows.notebook.saving import checked_output
    from notebook_flows.notebook.serving import loading_for, session_for
    from notebook_flows.workspace.notebookmemory import kernel_settings

    now = clock or SystemClock()
    run_id = flow_run_id or uuid.uuid4().hex
    secrets = secrets_among(parameters)
    flow = flow_of(document, name, timeout_s=timeout_s, cell_timeout_s=cell_timeout_s)
    memory = _memory_of(document, flow, run_id, cwd, history, cache=cache, keep_results=keep_results, done=done)
    session = session_for(
        document,
        flow,
        workers=workers or workers_here(),
        strict_shell=strict_shell,
        memory=None if memory is None else kernel_settings(),
    )
    loading, note = ("", session.note) if session is not None else loading_for(document)
    number_of = {place: number for number, place in enumerate(document.nodes, 1)}
    executor = KernelExecutor(
        document,
        kernel=kernel,
        cwd=cwd,
        flood_file=_flood_files(output_path, number_of),
        on_output=None if on_output is None else lambda place, kind, text: on_output(number_of[place], kind, text),
        start_timeout_s=start_timeout_s or START_TIMEOUT_S,
        prologue=_prologue(
            document, secrets, loading, strict_shell=strict_shell, run_id=run_id if _is_recorded(history) else ""
        ),
        redactor=Redactor(secret.get() for secret in secrets.values()),
        left_out=frozenset() if chosen is None else frozenset(document.nodes) - frozenset(chosen),
        session=session.code if session is not None else None,
        workers=session.workers if session is not None else 1,
        note=note,
        pool=pool,
        memory=memory,
    )
    if stop is not None:
        stop.on_ask(executor.give_up)
    document.begin(now.now_us())
    if output_path is not None:
        saver = _saver(checked_output(output_path, None), document)
        saver.start()
        document.saver = saver
    watch = _Watch(document, executor, now, stop, _FinalPicture(flow) if session is not None else None)
    flow.terminal_state_handler = watch.judge
    try:
        if document.nodes:
            executor.prepare()
        state = run_once(
            flow,
            dict(parameters),
            now,
            executor=executor,
            history=history,
            observers=[watch, *observers],
            flow_run_id=run_id,
            keep_results=False,
            reuse_by=None if memory is None else memory.reuse,
        )
    finally:
        executor.stop(cancel_running=True)
        if document.saver is not None:
            document.saver.stop()
    again = "" if memory is None else memory.note({task.key: task.name for task in flow._into})  # type: ignore[attr-defined] # all are cells
    notes = tuple(one for one in (note, again) if one)
    return watch.told(flow, state, run_id, output_path, parameters, notes)


def _saver(path: Path, document: Document) -> Saver:
    """What saves the executed notebook, and sends it to its address if it has one."""
    if address_of(path) is None:
        from notebook_flows.notebook.saving import Saver

        return Saver(path, document.pieces)
    from notebook_flows.notebook.addresses import SendingSaver

    return SendingSaver(path, document.pieces)


def _memory_of(
    document: Document,
    flow: Flow,
    run_id: str,
    cwd: Path,
    history: bool | None,
    *,
    cache: bool | None,
    keep_results: bool | None,
    done: Done | None,
) -> NotebookMemory | None:
    """What the run may take from earlier ones; None: nothing, and nothing is kept."""
    from notebook_flows.workspace.histories import event_log, log_for

    has_tasks = any(getattr(task, "is_task", False) for task in flow._into)
    if not has_tasks and done is not None:
        raise ResumeError(
            f"The notebook {flow.name!r} has no task cells, and the values of ordinary cells are not kept: "
            "there is nothing to go on with. Run it again, or a part of it: --from CELL."
        )
    if not has_tasks or not _is_recorded(history) or log_for(history) is not event_log():
        return None  # the kernel could not find a history that only this process knows
    from notebook_flows.workspace.notebookmemory import NotebookMemory

    settings = settings_from()
    return NotebookMemory(
        document,
        flow.name,
        run_id=run_id,
        folder=cwd,
        keeps=settings.keep_results != "off" if keep_results is None else keep_results,
        caches=bool(cache) or (cache is None and settings.cache == "all"),
        is_off=cache is False or (cache is None and settings.cache == "off"),
        is_fresh=settings.cache == "refresh",
        done=done,
    )


def _is_recorded(history: bool | None) -> bool:
    """Whether other processes find the run in the history."""
    return history is not False and settings_from().history == "on"


def _prologue(
    document: Document, secrets: Mapping[str, Secret], loading: str, *, strict_shell: bool, run_id: str
) -> list[str]:
    """What the kernel runs in silence before the first cell.

    Flows that run in it, and in what its cells start, get to know which run they are inside of.
    """
    if not is_python(document.notebook):
        return []
    from notebook_flows.notebook.secrets import prologue_for
    from notebook_flows.notebook.strictshell import PROLOGUE

    found = []
    if run_id:
        found = [
            f"""(lambda os: os.environ.update({{{PARENT_RUN!r}: {run_id!r}, {DRIVEN!r}: str(os.getpid())}}))(__import__("os"))"""
        ]
    found += [prologue_for(secrets)] if secrets else []
    found += [loading] if loading else []
    return [*found, PROLOGUE] if strict_shell else found


def _flood_files(output_path: Path | None, number_of: Mapping[int, int]) -> Callable[[int], Path | None]:
    """The files for what cells print beyond all measure; those of an earlier run are removed."""
    if output_path is None:
        return lambda _: None
    target = output_path.resolve()
    for old in target.parent.glob(f"{glob.escape(target.stem)}.cell-*.log"):
        old.unlink(missing_ok=True)
    return lambda place: target.with_name(f"{target.stem}.cell-{number_of[place]}.log")


class _FinalPicture:
    """The picture of a notebook with task cells; it is laid out while the kernel starts."""

    def __init__(self, flow: Flow) -> None:
        from notebook_flows.notebook.cells import asides
        from notebook_flows.views.diagram import diagram_of
        from notebook_flows.views.picture import Picture

        self._picture = Picture(diagram_of(flow, hidden=asides([task.name for task in flow._into])), {})
        self._thread = threading.Thread(target=self._lay_out, name="notebook-flows-layout", daemon=True)
        self._thread.start()

    def _lay_out(self) -> None:
        from notebook_flows.views.layout import PictureError

        with contextlib.suppress(PictureError):  # told in place of the picture
            _ = self._picture.layout

    def bundle(self, run: Run) -> Mapping[str, str]:
        """The picture of how the run stands, in the forms that notebooks show."""
        from notebook_flows.views.standing import standings_of_run

        self._thread.join()
        return self._picture.with_standings(standings_of_run(run))._repr_mimebundle_()


class _Watch:
    """Hears how the run goes, and finishes the notebook before the run's end is recorded."""

    def __init__(
        self,
        document: Document,
        executor: KernelExecutor,
        clock: WaitingClock,
        stop: StopSignal | None = None,
        picture: _FinalPicture | None = None,
    ) -> None:
        self._stop = stop
        self._picture = picture
        self._document = document
        self._executor = executor
        self._clock = clock
        self._run: Run | None = None
        self._why_not_run: dict[int, str] = {}
        self._ends: list[CellEnd] = []
        self._error: str | None = None

    def __call__(self, run: Run, events: Sequence[Event]) -> None:
        self._run = run
        for event in events:
            if event.state is S.NOT_RUN and event.kind is Kind.TASK and event.data:
                self._why_not_run[event.node] = str(event.data.get("message", ""))

    def judge(self, flow: Flow, state: api.State, references: Any) -> api.State:
        """The state in which the run ends: told by its cells, and by whether the notebook could be saved."""
        self._ends = self._ends_of_cells(state)
        settled = self._settled(state)
        self._executor.finish_widgets()
        self._error = None if settled.is_successful() else settled.message
        if self._picture is not None and self._run is not None:
            self._show(self._picture, self._run)
        self._document.finish(self._ends, self._clock.now_us(), self._error or "")
        if self._document.saver is not None:
            try:
                self._document.saver.finish()
            except OutputError as error:
                self._error = f"{self._error} {error}" if self._error else str(error)
                return type(settled)(self._error) if settled.is_failed() else api.Failed(self._error, result=error)
        return settled

    def _show(self, picture: _FinalPicture, run: Run) -> None:
        """Put the picture where the notebook asks for it, if that cell has run; else at the end."""
        from notebook_flows.notebook.taskflow import showing

        at = showing(self._document)
        ended = None if at is None else self._executor.ends.get(at)
        has_run = ended is not None and ended.state is S.SUCCESS
        self._document.show(picture.bundle(run), at if has_run else None, self._clock.now_us())

    def _ends_of_cells(self, state: api.State) -> list[CellEnd]:
        states = self._run.state if self._run is not None else [S.NOT_RUN] * len(self._document.nodes)
        ends = []
        for node, (place, now) in enumerate(zip(self._document.nodes, states, strict=True)):
            known = self._executor.ends.get(place)
            final = now if IS_FINAL[now] else S.NOT_RUN
            if known is None or known.state is not final:
                began_us = self._executor.began_us.get(place, 0)
                message = self._why_not_run.get(node, "") if final is S.NOT_RUN else state.message or ""
                known = CellEnd(state=final, began_us=began_us, ended_us=self._clock.now_us(), message=message)
            ends.append(known)
        return ends

    def _settled(self, state: api.State) -> api.State:
        if self._stop is not None and self._stop.reason:
            return api.Cancelled(self._stop.reason)
        if api.event_state_of(state) is S.SUCCESS:
            return type(state)("All cells ran well.", result=state.result)
        if api.event_state_of(state) is not S.FAILED:
            return state
        bad = next((one for one in self._ends if IS_FAILED[one.state] and one.state is not S.NOT_RUN), None)
        if bad is None:
            return state
        made: type[api.State] = api.class_of(bad.state)
        return made(bad.message or state.message)

    def told(
        self,
        flow: Flow,
        state: api.State,
        run_id: str,
        output_path: Path | None,
        parameters: Mapping[str, Any],
        notes: Sequence[str],
    ) -> NotebookRun:
        """What the caller gets."""
        tasks = list(flow._into)
        results = state.result
        exception = next((results[task].result for task in tasks if isinstance(results[task].result, CellError)), None)
        return NotebookRun(
            state=api.event_state_of(state),
            run_id=run_id,
            run_name=str(state.context["flow_run_name"]),
            output_path=output_path,
            error=self._error,
            parameters=dict(parameters),
            cells=[
                _cell_run(number, task.name, end)
                for number, (task, end) in enumerate(zip(tasks, self._ends, strict=True), 1)
            ],
            exception=exception,
            flow=flow,
            flow_state=state,
            notes=notes,
        )


def _cell_run(number: int, name: str, end: CellEnd) -> CellRun:
    has_run = end.began_us > 0 and end.state not in {S.NOT_RUN, S.SKIPPED}
    elapsed_s = (end.ended_us - end.began_us) / 1e6 if has_run else None
    return CellRun(number=number, name=name, state=end.state, message=end.message, elapsed_s=elapsed_s)
