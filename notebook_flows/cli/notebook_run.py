"""Notebooks on the command line: running one and showing how it goes, its parameters, its picture."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING

from notebook_flows.cli import screen
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.flow_run import cancel_asked, commands_for_more, drawn, kept_in_history, told_warnings
from notebook_flows.cli.loading import shown
from notebook_flows.cli.params_command import Row
from notebook_flows.cli.progress import view_for
from notebook_flows.cli.stopping import Stops
from notebook_flows.cli.summary import ending_of, tell_ending
from notebook_flows.cli.values import from_json, given_from
from notebook_flows.cli.watch import Watch
from notebook_flows.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from notebook_flows.cli.flow_run import Wishes
    from notebook_flows.cli.loading import Target
    from notebook_flows.core.flow import Flow
    from notebook_flows.core.plan import Plan
    from notebook_flows.views.diagram import Diagram
    from notebook_flows.views.picture import Picture


def run_notebook_of(
    target: Target,
    wishes: Wishes,
    *,
    output: Path | None,
    cell_timeout_s: float | None,
    kernel: str | None,
    cwd: Path | None,
) -> Exit:
    """Run it to its end; how it ended.

    Raises:
        FlowError: nothing ran: the notebook, its kernel, a parameter or the output is wrong.
    """
    from notebook_flows.running import output_path_for, run_notebook

    path = target.path
    output_path = output_path_for(shown(path), output)
    run_id = uuid.uuid4().hex
    watch = Watch()
    view = view_for(watch, path.name, is_quiet=wishes.is_quiet)
    watch.views.append(view)
    stops = Stops(is_asked=cancel_asked(run_id, wishes.history), says=view.say_stopping)
    try:
        with told_warnings(), stops, view:
            run_notebook(
                shown(path),
                parameters=_typed(wishes.parameters),
                output=output_path,
                kernel=kernel,
                cwd=cwd,
                timeout_s=wishes.timeout_s,
                cell_timeout_s=cell_timeout_s,
                history=wishes.history,
                observers=[stops, watch],
                flow_run_id=run_id,
            )
    except KeyboardInterrupt:
        stops.reason = stops.reason or Exit.INTERRUPTED
    _tell(path, output_path, watch, run_id, wishes)
    sys.stdout.flush()
    return stops.reason if stops.reason is not None else exit_of_state(watch.state)


def _typed(options: Sequence[str]) -> Mapping[str, Any]:
    """Texts as texts, which the notebook's types read, and what was given as JSON as values."""
    from notebook_flows.notebook.kinds import Text

    try:
        return {one.name: from_json(one.text) if one.is_json else Text(one.text) for one in given_from(options)}
    except ValueError as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"A parameter {error}") from None


def _tell(path: Path, output_path: Path, watch: Watch, run_id: str, wishes: Wishes) -> None:
    """The summary, and the picture if one is wanted."""
    if watch.run is None or (wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS and wishes.picture is None):
        return
    plan = watch.run.plan
    picture = drawn(watch, wishes.picture, lambda _: _diagram(path.name, plan))
    if wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS:
        return
    kept = {"Output": str(output_path), **picture, **kept_in_history(run_id, wishes.history)}
    more = commands_for_more(run_id, watch, wishes.history, lambda change: f"cell-{change.node + 1}")
    ending = ending_of(watch, path.name, kept, more)
    tell_ending(screen.stderr(), ending)


def _diagram(name: str, plan: Plan) -> Diagram:
    """Of the cells that have run, the one with the parameters included."""
    from notebook_flows.core.plan import graph_as_json
    from notebook_flows.views.diagram import diagram_from_json

    return diagram_from_json(name, graph_as_json(plan.graph, plan.names, plan.names, plan))


def _flow_of(path: Path) -> Flow:
    """The flow that its cells are."""
    from notebook_flows.notebook.cells import flow_of
    from notebook_flows.notebook.document import Document
    from notebook_flows.notebook.reading import read_notebook

    document = Document(read_notebook(shown(path)), input_path=str(path), output_path=None, parameters={})
    return flow_of(document, path.name, timeout_s=None, cell_timeout_s=None)


def picture_of_notebook(path: Path) -> Picture:
    """The cells in the order in which they run."""
    from notebook_flows.views.picture import picture_of

    return picture_of(_flow_of(path))


def parameters_of(path: Path) -> list[Row]:
    """What its cell tagged ``parameters`` declares."""
    from notebook_flows.notebook.parameters import inspect

    return [
        Row(one.name, one.type or "any", one.default, one.default_text, one.is_required, one.help)
        for one in inspect(shown(path))
    ]


def told_notebook(path: Path) -> str:
    """That a notebook can run, and what is in it.

    Raises:
        FlowError: it cannot be read, its parameters are no Python, or its kernel is not installed.
    """
    from notebook_flows.notebook.kernel import chosen_kernel
    from notebook_flows.notebook.reading import read_notebook
    from notebook_flows.views.text import counted

    cells = len(_flow_of(path))
    parameters = [row.name for row in parameters_of(path)]
    kernel = chosen_kernel(None, read_notebook(shown(path)), shown(path))
    named = f", parameters: {', '.join(parameters)}" if parameters else ""
    return f"Notebook {shown(path)!r} is valid: {counted(cells, 'cell')} to run, kernel {kernel}{named}."
