"""``%flow artifacts``: what tasks have attached, shown in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from notebook_flows.errors import FlowError
from notebook_flows.magics.lastruns import with_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.magics.here import Here
    from notebook_flows.store.rows import ArtifactRow

MOST_SHOWN = 20


def show_artifacts(here: Here, options: Sequence[str]) -> None:
    """Show what a run, or one task of it, has attached; with options, do as `notebook-flows artifacts` does.

    Args:
        here: where it was typed.
        options: ``[RUN] [TASK]`` and options of the command.
    """
    from notebook_flows.cli.artifacts_command import command_line

    here.session.hand_runs.wait(1.0)
    options = with_run(here, options, tells_own=False)
    words = [word for word in options if not word.startswith("-")]
    if len(words) != len(options) or len(words) > 2:
        command_line.main(list(options), prog_name="%flow artifacts", standalone_mode=False)
        return
    run_name, task = words[0], words[1] if len(words) == 2 else None
    log, found, tasks = _found(run_name, task)
    if not found:
        click.echo(f"{f'Task {task!r}' if task else 'That run'} has attached nothing.")
    for one in found[:MOST_SHOWN]:
        _show(here, log, one, tasks)
    if len(found) > MOST_SHOWN:
        click.echo(f"... {len(found) - MOST_SHOWN} more: `%flow artifacts {run_name[:8]} --print`")


def _found(run_name: str, task: str | None) -> tuple[Any, list[ArtifactRow], Sequence[str]]:
    from notebook_flows.cli.history import graph_of, run_named
    from notebook_flows.cli.logs_command import task_named
    from notebook_flows.workspace import event_log
    from notebook_flows.workspace.earlier import artifacts_of

    log = event_log()
    row = run_named(log, run_name)
    tasks: Sequence[str] = graph_of(log, row.run_id)["names"]
    found = artifacts_of(log, row.run_id)
    if task is not None:
        node, index = task_named(task, tasks, row)
        found = [one for one in found if one.node == node and index in {None, one.index}]
    return log, found, tasks


def _show(here: Here, log: Any, one: ArtifactRow, tasks: Sequence[str]) -> None:
    from notebook_flows.cli.artifacts_command import mark_of, shown, who
    from notebook_flows.views.text import printable

    click.echo(printable(f"{who(one, tasks)}: {one.kind} {one.key!r}{mark_of(one)}"))
    try:
        found = shown(log, one)
    except FlowError as error:  # its content is gone: the others are still to be seen
        click.echo(f"  {error}")
        return
    if here.is_kernel:
        from IPython.display import publish_display_data

        publish_display_data(found.bundle(), {})  # type: ignore[no-untyped-call] # IPython's
    else:
        click.echo(found.text())


def tell_attached(run_id: str, task: str) -> None:
    """Where a task's result is told: that it has attached something, if it has."""
    try:
        _, found, _ = _found(run_id, task)
    except FlowError:  # no history is kept, or it has gone: what was asked for is told all the same
        return
    from notebook_flows.cli.artifacts_command import mark_of

    for one in found:
        title = f": {one.title}" if one.title else ""
        click.echo(f"attached {one.kind} {one.key!r}{title} ({one.summary}){mark_of(one)}; `%flow artifacts` shows it")
