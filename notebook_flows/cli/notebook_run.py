"""Notebooks on the command line: running one and showing how it goes, its parameters, its picture."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import click

from notebook_flows.cli import screen
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.flow_run import cancel_asked, commands_for_more, drawn, kept_in_history, told_warnings
from notebook_flows.cli.history import SHORT_ID
from notebook_flows.cli.loading import shown
from notebook_flows.cli.notebook_wishes import is_worth_a_retry, parameters_from
from notebook_flows.cli.params_command import Row
from notebook_flows.cli.progress import view_for
from notebook_flows.cli.report import check_report, write_report
from notebook_flows.cli.stopping import Stops
from notebook_flows.cli.summary import ending_of, tell_ending
from notebook_flows.cli.watch import Watch
from notebook_flows.errors import FlowError
from notebook_flows.notebook.names import address_of, named
from notebook_flows.outputname import is_template, output_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import Target
    from notebook_flows.cli.notebook_wishes import NotebookWishes
    from notebook_flows.cli.watch import Change
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.lifecycle import S
    from notebook_flows.core.plan import Plan
    from notebook_flows.views.diagram import Diagram
    from notebook_flows.views.picture import Picture

CELL = "cell-"
"""How the slugs of cells begin, before their numbers."""


def run_notebook_of(target: Target, wishes: Wishes, more: NotebookWishes) -> Exit:
    """Run it to its end, and again if it failed and that is wanted; how it ended.

    Raises:
        FlowError: nothing ran: the notebook, its kernel, a parameter or the output is wrong.
    """
    parameters = parameters_from(target.path, wishes.parameters)
    code, state = _run_once(target, wishes, more, parameters)
    for attempt in range(1, more.retries + 1):
        if not is_worth_a_retry(state) or code in {Exit.INTERRUPTED, Exit.TERMINATED, Exit.CANCELLED}:
            break
        rest = f" in {more.retry_delay_s:g} s" if more.retry_delay_s else ""
        click.echo(f"\nIt is run again{rest}: retry {attempt} of {more.retries}.\n", err=True)
        try:
            time.sleep(more.retry_delay_s)  # the rest that was asked for
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
        code, state = _run_once(target, wishes, more, parameters)
    return code


def _run_once(target: Target, wishes: Wishes, more: NotebookWishes, parameters: Mapping[str, Any]) -> tuple[Exit, S]:
    """One run: the exit code that goes with it, and its state."""
    from notebook_flows.running import output_path_for, run_notebook

    path = target.path
    run_id = uuid.uuid4().hex
    output_path = output_path_for(shown(path), output_file(more.output, shown(path), parameters, run_id))
    report = _report_file(more.report, shown(path), parameters, run_id)
    if report is not None:
        check_report(report, shown(path), output_path)
    done = None
    watch = Watch()
    view = view_for(watch, path.name, is_quiet=wishes.is_quiet, medians=lambda: _medians(path.stem), unit="cell")
    watch.views.append(view)
    stops = Stops(is_asked=cancel_asked(run_id, wishes.history), says=view.say_stopping)
    try:
        with told_warnings(), stops, view:
            done = run_notebook(
                shown(path),
                parameters=parameters,
                output=output_path,
                kernel=more.kernel,
                cwd=more.cwd,
                timeout_s=wishes.timeout_s,
                cell_timeout_s=more.cell_timeout_s,
                history=wishes.history,
                observers=[stops, watch],
                flow_run_id=run_id,
                selection=more.selection,
                strict_shell=more.strict_shell,
                keep_results=wishes.keeps_results,
                resume=wishes.resume,
            )
    except KeyboardInterrupt:
        stops.reason = stops.reason or Exit.INTERRUPTED
    for note in () if done is None or wishes.is_quiet else done.notes:
        screen.say_note(note)
    recorded = None if wishes.history is False else run_id
    kept = {} if report is None else write_report(output_path, report, hides_input=more.hides_input, run_id=recorded)
    _tell(path, output_path, watch, run_id, wishes, kept)
    screen.flush_stdout()
    return stops.reason if stops.reason is not None else exit_of_state(watch.state), watch.state


def _medians(flow_name: str) -> dict[int, float]:
    """{cell's number in the run: how long it took in earlier runs}; of a notebook that has changed since, roughly."""
    from notebook_flows.workspace.durations import medians_by_slug

    found = medians_by_slug(flow_name)
    return {int(slug.removeprefix(CELL)) - 1: took for slug, took in found.items() if slug.removeprefix(CELL).isdigit()}


def output_file(template: str | None, notebook: str, parameters: Mapping[str, Any], run_id: str) -> Path | None:
    """The file that ``--output`` or ``--html`` means, or the folder, if a slash is its end.

    That folder is made, and so are those that a template names.
    """
    if template is None:
        return None
    from notebook_flows.notebook.parameters import defaults_of

    known = {**defaults_of(notebook), **parameters} if is_template(template) else parameters
    target = output_named(template, notebook, known, run_id)
    if template.endswith("/"):
        target.mkdir(parents=True, exist_ok=True)
    elif is_template(template):
        target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _report_file(template: str | None, notebook: str, parameters: Mapping[str, Any], run_id: str) -> Path | None:
    target = output_file(template, notebook, parameters, run_id)
    return target / f"{Path(notebook).stem}.html" if target is not None and target.is_dir() else target


def _tell(path: Path, output_path: Path, watch: Watch, run_id: str, wishes: Wishes, report: Mapping[str, str]) -> None:
    """The summary, and the picture if one is wanted."""
    if watch.run is None or (wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS and wishes.picture is None):
        return
    plan = watch.run.plan
    picture = drawn(watch, wishes.picture, lambda _: _diagram(path.name, plan))
    if wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS:
        return
    kept = {"Output": named(output_path), **report, **picture, **kept_in_history(run_id, wishes.history)}
    more = commands_for_more(run_id, watch, wishes.history, lambda change: _called(change, plan.names))
    if more and wishes.keeps_results is not False and _can_resume(watch):
        more.append(f"notebook-flows resume {run_id[:SHORT_ID]}")
    ending = ending_of(watch, path.name, kept, more)
    tell_ending(screen.stderr(), ending)


def _called(change: Change, names: Sequence[str]) -> str:
    """How ``logs`` is told which cell is meant: by its task's name, if it is one and no other has it."""
    is_task = not change.name.partition(" ")[0].isdigit()
    return change.name if is_task and list(names).count(change.name) == 1 else f"cell-{change.node + 1}"


def _can_resume(watch: Watch) -> bool:
    """Whether it did not end well, and something of it is kept: task cells are."""
    if watch.run is None or exit_of_state(watch.state) is Exit.SUCCESS:
        return False
    return any(not name.partition(" ")[0].isdigit() for name in watch.run.plan.names)


def _diagram(name: str, plan: Plan) -> Diagram:
    """Of the cells that have run, the one with the parameters included; not of those that only ask us for something."""
    from notebook_flows.core.plan import graph_as_json
    from notebook_flows.notebook.cells import asides
    from notebook_flows.views.diagram import diagram_from_json

    return diagram_from_json(name, graph_as_json(plan.graph, plan.names, plan.names, plan), hidden=asides(plan.names))


def _flow_of(path: Path) -> Flow:
    """The flow that its cells are."""
    from notebook_flows.notebook.cells import flow_of
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.reading import read_notebook

    document = Document(read_notebook(shown(path)), input_path=str(path), output_path=None, parameters={})
    return flow_of(document, path.name, timeout_s=None, cell_timeout_s=None)


def picture_of_notebook(path: Path) -> Picture:
    """How its cells hang together; in a language that we cannot read, the order in which they run."""
    from notebook_flows.notebook.dataflow import NoDataflow, dataflow_of
    from notebook_flows.views.picture import picture_of

    try:
        flow = dataflow_of(shown(path)).as_flow(path.name)
    except NoDataflow:
        flow = _flow_of(path)
    return picture_of(flow)


def parameters_of(path: Path) -> list[Row]:
    """What its cell tagged ``parameters`` declares."""
    from notebook_flows.notebook.parameters import inspect

    return [
        Row(one.name, one.type or "any", one.default, one.default_text, one.is_required, one.help)
        for one in inspect(shown(path))
    ]


def told_notebook(path: Path) -> str:
    """That a notebook can run, and what is in it; and what is odd in it.

    Raises:
        FlowError: it cannot be read, or anything is wrong with its cells, its parameters or its kernel: all of it.
    """
    from notebook_flows.notebook.kernel import chosen_kernel
    from notebook_flows.notebook.problems import problems_error, problems_in
    from notebook_flows.notebook.reading import read_notebook
    from notebook_flows.views.text import counted

    oddities: list[str] = []
    notebook = read_notebook(shown(path), oddities=oddities)
    parameters: list[str] = []
    kernel = ""
    others: list[FlowError] = []
    try:
        parameters = [row.name for row in parameters_of(path)]
    except FlowError as error:
        others.append(error)
    try:
        kernel = chosen_kernel(None, notebook, shown(path))
    except FlowError as error:
        others.append(error)
    problems = problems_in(notebook, parameters)
    if len(others) == 1 and not problems:
        raise others[0]
    if problems or others:
        raise problems_error(shown(path), [*others, *problems])
    cells = len(_flow_of(path))
    named = f", parameters: {', '.join(parameters)}" if parameters else ""
    called = address_of(path) or shown(path)
    told = f"Notebook {called!r} is valid: {counted(cells, 'cell')} to run, kernel {kernel}{named}."
    return "\n".join([told, *(f"Note: {one}" for one in oddities)])
