"""``notebook-flows show``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.children import told_children, with_cells
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import (
    complete_run,
    durations_of,
    folded,
    graph_of,
    look_for_dead,
    run_named,
    seconds_of,
)
from notebook_flows.cli.outputs import OutputFile, write_file
from notebook_flows.cli.times import local
from notebook_flows.core.lifecycle import IS_FAILED, S, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from notebook_flows.store.rows import RunRow, TaskRunRow
    from notebook_flows.views.picture import Picture

FORMATS = ("tree", "dot", "svg")
MOST_PROBLEMS = 10


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, by the shell itself, or runs."""
    from click.shell_completion import CompletionItem

    return complete_run(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


@command("show")
@click.argument("what", metavar="FILE.py[:FLOW]|NOTEBOOK.ipynb|RUN", shell_complete=_complete)
@click.option(
    "-f", "--format", "form", type=click.Choice(FORMATS), help="tree unless the name of --output says otherwise."
)
@click.option("-o", "--output", type=OutputFile(), help="Write it to a file: .svg, .png, .pdf, .dot, or the tree.")
@click.option("--follow", is_flag=True, help="Look on at a run, in whichever process it goes, until it has ended.")
@click.pass_context
def command_line(ctx: click.Context, /, what: str, form: str | None, output: Path | None, follow: bool) -> None:
    """Draw a flow or a notebook, or a run of one with its states: as a tree, as DOT or as SVG.

    RUN is a run's id, the beginning of one, or `latest`.
    """
    from notebook_flows.cli import screen
    from notebook_flows.cli.loading import is_file_name

    if follow:
        _check_follow(is_run=not is_file_name(what), is_tree=form in {None, "tree"} and output is None)
        _follow(ctx, what)

    form = form or _form_of(output)
    head, picture, durations, tail = (
        _of_file(what) if is_file_name(what) else _of_run(what, screen.stdout().width, is_drawn=form != "tree")
    )
    if form == "tree":
        console = screen.stdout()
        encoding = "utf-8" if output is not None else console.encoding
        tree = picture.text(width=console.width, encoding=encoding, durations=durations)
        parts = [screen.carried(part, encoding) for part in (head, tree, tail) if part]
        content = ("\n\n".join(parts) + "\n").encode(encoding, "replace")
    else:
        content = picture.content(form)
    if output is None:
        click.echo(content, nl=not content.endswith(b"\n"), file=sys.stdout)
    else:
        write_file(output, [content])
        click.echo(f"Written: {output}", err=True)


def _check_follow(*, is_run: bool, is_tree: bool) -> None:
    """Whether there is something to look on at.

    Raises:
        click.UsageError: there is not.
    """
    if not is_run:
        raise click.UsageError("--follow looks on at a run: give its id, the beginning of one, or `latest`.")
    if not is_tree:
        raise click.UsageError("--follow shows a tree on the screen: leave out --format and --output.")


def _follow(ctx: click.Context, what: str) -> None:
    """Look on at a run until it has ended; of one that has, nothing is done here."""
    from notebook_flows.workspace import event_log

    log = event_log()
    look_for_dead(log)
    row = run_named(log, what)
    if row.goes_on:
        from notebook_flows.cli.following import follow

        ctx.exit(follow(log, row))


def _form_of(output: Path | None) -> str:
    from notebook_flows.views.picture import ENDINGS

    ending = "" if output is None else output.suffix[1:].lower()
    return {"gv": "dot"}.get(ending, ending) if ending in ENDINGS else "tree"


def _of_file(text: str) -> tuple[str, Picture, dict[int, float], str]:
    from notebook_flows.cli.loading import flow_in, target_of
    from notebook_flows.views.picture import picture_of

    target = target_of(text)
    if target.is_notebook:
        from notebook_flows.cli.notebook_run import picture_of_notebook

        return "", picture_of_notebook(target.path), {}, ""
    return "", picture_of(flow_in(target)), {}, ""


def _of_run(text: str, width: int, *, is_drawn: bool) -> tuple[str, Picture, dict[int, float], str]:
    from notebook_flows.notebook.cells import asides
    from notebook_flows.store.rows import is_of_notebook
    from notebook_flows.views.diagram import diagram_from_json
    from notebook_flows.views.picture import Picture
    from notebook_flows.views.standing import standings_of_run, widths_of, with_messages
    from notebook_flows.workspace import event_log

    log = event_log()
    row = run_named(log, text)
    graph = graph_of(log, row.run_id)
    attempts = log.task_runs(row.run_id)
    messages = {(one.node, one.index): one.message for one in attempts}  # those of the last attempts
    standings = with_messages(standings_of_run(folded(log, row.run_id)), messages)
    shown = with_cells(log, row, graph, standings) if is_drawn else (graph, standings)
    hidden = asides(graph["names"]) if is_of_notebook(row) else frozenset()
    picture = Picture(diagram_from_json(row.flow, shown[0], widths_of(standings), hidden=hidden), shown[1])
    inside = told_children(log, row, graph["names"], width=width)
    parts = [inside, _cached(graph, attempts), _problems(row, graph, attempts)]
    return _head(row), picture, durations_of(attempts), "\n\n".join(filter(None, parts))


def _head(row: RunRow) -> str:
    """What is known of the run, a line for each thing."""
    from notebook_flows.views.text import printable, told_duration

    seconds, took = seconds_of(row), "so far" if row.goes_on else "took"
    facts = {
        "Run": f"{row.run_id}  {row.name}",
        "State": facts_of(row.state).word + (f": {row.message}" if row.message else ""),
        "Started": local(row.started_us) + (f", {took} {told_duration(seconds)}" if seconds is not None else ""),
        "Executor": row.executor,
        "Parameters": ", ".join(f"{name}={_told_value(value)}" for name, value in row.parameters.items()),
    }
    return "\n".join(f"{name:<10}  {printable(value)}" for name, value in facts.items() if value)


def _told_value(value: Any) -> str:
    if isinstance(value, dict) and value.get("secret") is True:
        return "***"
    if isinstance(value, dict) and set(value) == {"repr", "type"}:
        return str(value["repr"])
    return repr(value)


def _cached(graph: Mapping[str, Any], attempts: list[TaskRunRow]) -> str:
    """From which runs the results are that this run did not have to make."""
    from notebook_flows.views.text import child_name, counted, printable

    said = [one for one in attempts if one.state is S.CACHED and one.message]
    lines = []
    for one in said[:MOST_PROBLEMS]:
        name = child_name(graph["names"][one.node], one.index)
        lines.append(f"{facts_of(one.state).glyph} {printable(name)}  {printable(one.message)}")
    if len(said) > MOST_PROBLEMS:
        lines.append(f"and {counted(len(said) - MOST_PROBLEMS, 'more task run')}.")
    return "\n".join(lines)


def _problems(row: RunRow, graph: Mapping[str, Any], attempts: list[TaskRunRow]) -> str:
    """What the task runs say that failed by themselves."""
    from notebook_flows.cli.history import SHORT_ID
    from notebook_flows.views.text import child_name, counted, printable
    from notebook_flows.views.tracebacks import told_error

    names = graph["names"]
    last = {(one.node, one.index): one for one in attempts}
    failed = [one for one in last.values() if IS_FAILED[one.state] and one.state not in {S.UPSTREAM_FAILED, S.NOT_RUN}]
    if not failed:
        return ""
    lines = []
    for one in failed[:MOST_PROBLEMS]:
        name = child_name(names[one.node], one.index)
        told = printable(told_error(one.message)) or facts_of(one.state).word
        lines.append(f"{facts_of(one.state).glyph} {printable(name)}  {told}")
    if len(failed) > MOST_PROBLEMS:
        lines.append(f"and {counted(len(failed) - MOST_PROBLEMS, 'more task run')}.")
    lines.append(f"More: notebook-flows logs {row.run_id[:SHORT_ID]}")
    if not row.goes_on and row.environment.get("file"):
        lines.append(f"      notebook-flows resume {row.run_id[:SHORT_ID]}")
    return "\n".join(lines)
