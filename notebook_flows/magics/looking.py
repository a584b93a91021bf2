"""The commands of ``%flow`` that only look: status, validate, explain, result."""

from __future__ import annotations

from inspect import ismodule
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.analysis import connect
from notebook_flows.analysis.problems import may_raise, problems_of
from notebook_flows.analysis.taskcell import prose_in
from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.errors import did_you_mean
from notebook_flows.magics.attached import tell_attached
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.magics.here import only_asks
from notebook_flows.session.order import FIRST_EXECUTION
from notebook_flows.session.session import Mode
from notebook_flows.views.text import counted, printable
from notebook_flows.views.values import told_value
from notebook_flows.workspace.resuming import said_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from notebook_flows.magics.here import Here
    from notebook_flows.session.outlook import Outlook

UP_TO_DATE = "up to date"


def tell_status(here: Here) -> None:
    """Each task with its state, and the flows that cells have made."""
    outlook = here.outlook()
    last = here.flow.last
    cached = {} if last is None else last.cached
    if not outlook.tasks and not here.flows():
        click.echo("No cell is a task yet: put `%%task` above one, and execute it.")
        _tell_no_tasks(here)
        return
    width = max((len(printable(one.name)) for one in outlook.tasks.values()), default=0)
    for key, record in outlook.tasks.items():
        glyph = facts_of(S.PENDING if key in outlook.stale else S.SUCCESS).glyph
        why = _stale(here, outlook, key) if key in outlook.stale else _fresh(outlook, key, cached.get(key, ""))
        click.echo(f"{glyph} {printable(record.name):<{width}}  {why}")
    for line in _older_values(here, outlook):
        click.echo(f"  {line}")
    for name, flow in here.flows().items():
        click.echo(f"  {printable(name)}: Flow {printable(flow.name)!r} of {counted(len(flow.tasks), 'task')}")
    for record in here.session.book.edited_not_executed():
        if only_asks(record.source):
            continue
        click.echo(f"  {printable(record.name)!r} was edited and not executed since.")
    _tell_no_tasks(here)
    background = here.flow.background
    if background is not None and not background.run.has_ended:
        click.echo("A run goes on in the background.")
    order = _order_worth_telling(here)
    told = f"Order of the cells: {order}. " if order else ""
    mode = here.session.mode
    click.echo(f"{told}Mode: {mode.value if mode is Mode.EAGER else told_mode(mode)}.")


MODES = {
    "eager": "a task cell runs when it is executed",
    "lazy": "a task cell is registered when it is executed; it runs before a cell that needs it, or with `%flow run`",
    "served": "the runner that has started this kernel says when tasks run",
}


def told_mode(mode: Mode) -> str:
    """A mode, and what it means."""
    return f"{mode.value}: {MODES[mode.value]}"


def _stale(here: Here, outlook: Outlook, key: str) -> str:
    """Why a task would run; where this kernel has not seen it, that it runs as it is saved."""
    is_unseen = not outlook.records[key].times and not here.flow.freshness.knows(key)
    return "stale: not executed in this kernel yet" if is_unseen else f"stale: {outlook.stale[key]}"


def _tell_no_tasks(here: Here) -> None:
    """Cells that are no tasks, though they may have been meant so: lines that cannot be understood, and comments."""
    for record in here.session.book.records():
        if record.mistake is not None:
            click.echo(f"  {printable(record.name)!r} is no task yet: {printable(str(record.mistake))}")
        line = None if record.is_task or record.mistake is not None else prose_in(record.source)
        if line is not None:
            click.echo(
                f"  {printable(record.name)!r} is no task: {printable(line)!r} is read as a comment, for a name of "
                "several words stands in quotes."
            )


def _fresh(outlook: Outlook, key: str, cached: str) -> str:
    """That a task is up to date, and of which run it is, if that was not in this kernel."""
    found = outlook.remembered.get(key)
    said = said_of(found.run_id, found.took_us) if found is not None else cached
    return f"{UP_TO_DATE}: cached, {said[:1].lower()}{said[1:].rstrip('.')}" if said else UP_TO_DATE


def _order_worth_telling(here: Here) -> str:
    """Where the order of the cells comes from, if not from the notebook itself."""
    found = here.session.book.order_source
    return found if found == FIRST_EXECUTION else ""


def _older_values(here: Here, outlook: Outlook) -> Iterator[str]:
    """Where tasks take another value of a name than the kernel has, since a later cell has bound it."""
    names = here.session.shell.user_ns
    place = {key: number for number, key in enumerate(outlook.records)}
    takers: dict[tuple[str, str, str], list[str]] = {}
    for key, record in outlook.tasks.items():
        for name, definers in outlook.connections.cells[key].inputs.items():
            owner = here.session.bindings.owner(name)
            if definers and name in names and owner in place and place[owner] > place[key]:
                takers.setdefault((name, owner, definers[0]), []).append(repr(printable(record.name)))
    for (name, owner, source), tasks in sorted(takers.items(), key=lambda one: (place[one[0][2]], one[0])):
        is_kept, value = here.flow.kept(source, name)
        now, taken = told_value(names[name]), told_value(value) if is_kept else ""
        what = f"{taken}," if taken not in {"", now} else "the one"
        yield (
            f"{name} is {now} in the kernel, from {printable(outlook.records[owner].name)!r}; {', '.join(tasks)} "
            f"{'takes' if len(tasks) == 1 else 'take'} {what} from {printable(outlook.records[source].name)!r}."
        )


def tell_problems(here: Here, name: str | None) -> None:
    """Every problem at once.

    Raises:
        FlowLineError: with all of them.
    """
    if name is not None:
        flow = here.flow_named(name)
        if flow is None:
            raise FlowLineError(f"There is no Flow {name!r}.{did_you_mean(name, list(here.flows()))}")
        flow.validate()
        click.echo(f"Flow {flow.name!r} is well: {counted(len(flow.tasks), 'task')}.")
        return
    records = [one for one in here.session.book.records() if not only_asks(one.source)]
    cells = [one.as_cell() for one in records]
    problems = problems_of(
        cells,
        connect(cells),
        mistakes={one.key: str(one.mistake) for one in records if one.mistake is not None},
        held=here.session.shell.user_ns,
        forgiven=[one.key for one in records if may_raise(one.source, one.tags)],
    )
    if problems:
        raise FlowLineError("\n".join(problems))
    tasks = [one for one in records if one.is_task]
    click.echo(f"All is well: {counted(len(tasks), 'task cell')} among {counted(len(records), 'cell')}.")


def tell_explanation(here: Here, names: Sequence[str]) -> None:
    """What each cell reads, binds and changes, and why it waits for others."""
    from notebook_flows.views.explain import explained

    outlook = here.outlook()
    only = [here.task_named(outlook, name).key for name in names]
    called = {key: one.name for key, one in outlook.records.items()}
    click.echo(explained(outlook.connections, called, only=only, order_from=here.session.book.order_source))


def show_result(here: Here, name: str) -> None:
    """The outputs of a task's last run in a flow, and the names that it has bound."""
    outlook = here.outlook()
    record = here.task_named(outlook, name)
    last = here.flow.last
    sink = here.flow.outputs.get(record.key)
    state = None if last is None else last.states.get(record.key)
    if sink is None:
        raise FlowLineError(
            f"{record.name!r} has not run in a flow in this kernel; what it showed by hand stands below its cell."
        )
    if state is None or last is None:
        click.echo(f"{record.name}: not in the last run; of an earlier one")
    else:
        click.echo(f"{record.name}: {facts_of(state).word}{f', in run {last.run_id[:8]}' if last.run_id else ''}")
    outputs = list(sink.outputs)
    if record.execution_count != sink.execution_count and record.has_succeeded is not None:
        how = "went well" if record.has_succeeded else "failed"
        click.echo(f"It was executed by hand since then, and {how}: that output stands below its cell.")
        if record.has_succeeded and any(one["output_type"] == "error" for one in outputs):
            outputs = []  # of a failure that is none any more; the logs of the run have it
    replay(here, outputs)
    if last is not None and last.run_id and state is not None:
        tell_attached(last.run_id, record.name)
    names = here.session.shell.user_ns
    for bound in sorted(name for name in record.facts.binds if here.session.bindings.owner(name) == record.key):
        if bound in names and not ismodule(names[bound]):
            click.echo(f"{bound} = {told_value(names[bound])}")


def replay(here: Here, outputs: Iterable[Mapping[str, Any]]) -> None:
    """Print and display what a task has put out."""
    for output in outputs:
        _replay(here, output)


def _replay(here: Here, output: Mapping[str, Any]) -> None:
    kind = output["output_type"]
    if kind == "stream":
        click.echo(output["text"], nl=False, err=output["name"] == "stderr")
    elif kind == "error":
        click.echo("\n".join(output["traceback"]))
    elif here.is_kernel:
        from IPython.display import publish_display_data

        publish_display_data(dict(output["data"]), dict(output["metadata"]))  # type: ignore[no-untyped-call] # IPython's
    else:
        click.echo(output["data"].get("text/plain", f"<{', '.join(output['data'])}>"))
