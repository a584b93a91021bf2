"""Runs a notebook that was read: as a flow of its cells, in a kernel, watched and saved while it goes on."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from notebook_flows.engine.clock import SystemClock
from notebook_flows.notebook.redaction import Redactor
from notebook_flows.notebook.secrets import secrets_among
from notebook_flows.running.finalpicture import FinalPicture
from notebook_flows.running.memory import is_recorded, memory_for
from notebook_flows.running.preparing import flood_files, prologue_of, saver_for
from notebook_flows.running.watch import Watch
from notebook_flows.workspace import run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from notebook_flows.engine.ports import Observer, WaitingClock
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.pool import KernelPool
    from notebook_flows.notebook.stopping import StopSignal
    from notebook_flows.running.results import NotebookRun
    from notebook_flows.workspace.celldone import Done


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
    notes: Sequence[str] = (),
) -> NotebookRun:
    """Run a notebook that was read, and has its parameters; see `run_notebook`.

    With an ``output_path``, the document is saved there while the run goes on. Of the code cells only those run whose
    places are ``chosen``; None: all of them. ``notes`` are told with the run's own.
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
    memory = memory_for(
        document,
        flow,
        run_id,
        cwd,
        history,
        parameters=parameters,
        cache=cache,
        keep_results=keep_results,
        done=done,
    )
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
        flood_file=flood_files(output_path, number_of),
        on_output=None if on_output is None else lambda place, kind, text: on_output(number_of[place], kind, text),
        start_timeout_s=start_timeout_s or START_TIMEOUT_S,
        prologue=prologue_of(
            document, secrets, loading, strict_shell=strict_shell, run_id=run_id if is_recorded(history) else ""
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
        saver = saver_for(checked_output(output_path, None), document)
        saver.start()
        document.saver = saver
    watch = Watch(document, executor, now, stop, FinalPicture(flow) if session is not None else None)
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
    told = tuple(one for one in (*notes, note, again) if one)
    return watch.told(flow, state, run_id, output_path, parameters, told)
