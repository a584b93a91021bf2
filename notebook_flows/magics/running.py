"""``%flow run``: runs what is stale, or what was asked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from notebook_flows.core import state as api
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.magics.errors import FlowLineError, FlowRunFailed, RunStopped
from notebook_flows.magics.parameters import values_for_notebook
from notebook_flows.magics.telling import MOST_TOLD, say, tell_report, warn, why_of
from notebook_flows.session.edits import told_edits
from notebook_flows.session.notebookflow import HAS_RUN, Background
from notebook_flows.session.outputs import CellSink
from notebook_flows.session.sinks import interactive_sink
from notebook_flows.views.text import counted, printable, told_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.magics.here import Here
    from notebook_flows.session.kernelrun import KernelRun
    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.outputs import RecordingSink
    from notebook_flows.session.runorder import Report, RunOptions
    from notebook_flows.session.selection import Selection, Wish


def run_notebook_flow(here: Here, wish: Wish, given: Sequence[str], options: RunOptions, *, background: bool) -> Any:
    """Run task cells; a coroutine where the line is awaited.

    Raises:
        FlowRunFailed: the run did not end well.
        FlowLineError: it cannot begin.
    """
    outlook = here.outlook()
    if given:
        wish = replace(wish, parameters=values_for_notebook(here, given))
        outlook = here.outlook(wish.parameters)
    return run_selected(here, outlook, wish, options, background=background)


def run_selected(
    here: Here,
    outlook: Outlook,
    wish: Wish,
    options: RunOptions,
    *,
    background: bool,
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    """Run what a wish comes to; a coroutine where the line is awaited.

    Args:
        here: the notebook.
        outlook: how it stands.
        wish: what is to run.
        options: how.
        background: give the prompt back at once.
        parameters: of the run, where they are not those of the wish: they are set already.

    Raises:
        FlowRunFailed: the run did not end well.
        FlowLineError: it cannot begin.
    """
    selection = here.flow.selection(outlook, wish, parameters=parameters)
    if selection.reasons:
        here.check_free()
    sink = interactive_sink(here.session)
    edits = told_edits(here.session.book)
    if edits:
        warn(sink, edits)
    _tell_unseen(here, outlook, selection, sink)
    if not selection.reasons:
        several = len(outlook.tasks) > 1
        who = f"All {counted(len(outlook.tasks), 'task')} are" if several else "The only task is"
        as_executed = " as executed last" if edits else ""
        say(sink, f"{who} up to date{as_executed}; `--all` runs {'them' if several else 'it'} again.\n")
        return _nothing() if here.is_awaited else None
    values = here.flow.parameters_of(wish) if parameters is None else parameters
    if background:
        return _in_background(here, outlook, selection, values, options, sink)
    began_s = monotonic()
    run = here.flow.begin(outlook, selection, parameters=values, options=options, sink=sink)
    if here.is_awaited:
        return _awaited(here, run, outlook, sink, began_s)
    with suppress(KeyboardInterrupt):  # told below, when all has landed
        run.wait_blocking()
    report = here.flow.end(run)
    _show_outputs(here, run, report, sink)
    tell_report(report, outlook, sink, monotonic() - began_s)
    return None


async def _nothing() -> None:
    return None


async def _awaited(here: Here, run: KernelRun, outlook: Outlook, sink: RecordingSink, began_s: float) -> None:
    with suppress(KeyboardInterrupt):  # told below, when all has landed
        await run.wait()
    report = here.flow.end(run)
    _show_outputs(here, run, report, sink)
    tell_report(report, outlook, sink, monotonic() - began_s)


def _show_outputs(here: Here, run: KernelRun, report: Report, sink: RecordingSink) -> None:
    """In a terminal, and where the line's own output is captured, the outputs of cells come one after the other."""
    from notebook_flows.magics.looking import replay

    for key, task in report.tasks.items():
        own = here.flow.outputs.get(key)
        has_place = here.is_kernel and run.order.records[key].parent is not None
        if has_place or own is None or not own.outputs or report.states[key] not in HAS_RUN:
            continue
        if not isinstance(sink, CellSink):  # else they stand below the line already
            print(f"{printable(task.name)}:")
            replay(here, own.outputs)


def _in_background(
    here: Here,
    outlook: Outlook,
    selection: Selection,
    values: Mapping[str, Any],
    options: RunOptions,
    sink: RecordingSink,
) -> Any:
    loop = here.loop()
    if loop is None:
        raise FlowLineError("A run in the background needs a kernel, whose event loop goes on: leave out --background.")
    began_s = monotonic()
    run = here.flow.begin(outlook, selection, parameters=values, options=options, sink=sink, is_background=True)

    async def wait() -> None:
        with suppress(KeyboardInterrupt):
            await run.wait()
        elapsed_s = monotonic() - began_s
        await here.session.hooks.between_cells()
        try:
            report = here.flow.end(run)
            _show_outputs(here, run, report, sink)
            tell_report(report, outlook, sink, elapsed_s)
        except (FlowRunFailed, RunStopped) as error:  # must not reach the kernel's loop, which Ctrl-C would end
            warn(sink, f"{error}\n")

    here.flow.background = Background(run=run, waiting=loop.create_task(wait()))
    several = len(selection.reasons) > 1
    sink.stream(  # true also when it stands below how the run has ended
        "stdout",
        f"Begun in the background: {counted(len(selection.reasons), 'cell')}. Until {'they have' if several else 'it has'} "
        f"ended, `%flow cancel` stops {'them' if several else 'it'}.\n",
    )
    return _nothing() if here.is_awaited else None


def _tell_unseen(here: Here, outlook: Outlook, selection: Selection, sink: RecordingSink) -> None:
    """Which cells run though this kernel has not seen them: nothing runs that nobody expects."""
    unseen = [
        repr(outlook.records[key].name)
        for key in selection.reasons
        if not outlook.records[key].times and key not in selection.recalled and not here.flow.freshness.knows(key)
    ]
    if unseen:
        run = "it runs as it is" if len(unseen) == 1 else "they run as they are"
        say(sink, f"Not executed in this kernel yet: {', '.join(unseen)}; {run} in the saved notebook.\n")


# -- flows that cells have made ----------------------------------------------------------------------------------------


def run_flow_object(here: Here, flow: Flow, given: Sequence[str], options: RunOptions) -> None:
    """Run a `Flow` that a cell has made, here and now.

    Raises:
        FlowRunFailed: the run did not end well.
    """
    from notebook_flows.cli.values import given_from, values_for
    from notebook_flows.session.largepicture import picture_of_run

    sink = interactive_sink(here.session)
    picture = picture_of_run(flow, sink) if here.is_kernel else None
    if picture is not None:
        picture.begin()
    began_s = monotonic()
    executor = options.executor
    if executor in {"main", None}:
        executor = None if flow.executor is not None else "local"
    elif options.workers:
        executor = f"{executor}:{options.workers}"
    state: api.State | None = None
    try:
        state = flow.run(
            parameters=values_for(flow, given_from(given)),
            executor=executor,
            history=options.history,
            observers=[] if picture is None else [picture],
        )
    finally:
        if picture is not None:
            picture.finish(state)
    head = f"Flow {flow.name!r}: {facts_of(api.event_state_of(state)).word} in {told_duration(monotonic() - began_s)}"
    if state.is_successful():
        say(sink, f"{facts_of(S.SUCCESS).glyph} {head}\n")
        return
    failures: dict[str, BaseException | None] = {}
    lines = [f"{facts_of(S.FAILED).glyph} {head}"]
    for task, known in state.result.items():
        if known.is_failed() and isinstance(known.result, BaseException):
            failures[task.name] = known.result
            lines.append(f"  {facts_of(S.FAILED).glyph} {printable(task.name)}: {why_of(known)}")
    raise FlowRunFailed("\n".join(lines[: MOST_TOLD + 1]), failures)
