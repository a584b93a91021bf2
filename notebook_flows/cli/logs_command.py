"""``notebook-flows logs``."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.guard import command
from notebook_flows.cli.history import (
    SHORT_ID,
    complete_run,
    first_graph,
    graph_of,
    look_for_dead,
    run_named,
    seconds_of,
)
from notebook_flows.cli.logreading import ERRORS, LogReading, Wanted
from notebook_flows.cli.times import clock, iso
from notebook_flows.core.lifecycle import S
from notebook_flows.errors import NoSuchRun, did_you_mean
from notebook_flows.views.text import child_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.cli.logreading import Line
    from notebook_flows.store.rows import RunRow

LOOK_EVERY_S = 0.25
SWEEP_EVERY = 20
_CHILD = re.compile(r"(?P<task>.+)\[(?P<index>\d+)\]")
_STREAMS = {"stdout": "out", "stderr": "err"}
_LEVELS = ("debug", "info", "warning", "error", "critical")


@command("logs")
@click.argument("run", shell_complete=complete_run)
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--level", type=click.Choice(_LEVELS), default="debug", help="Nothing below this level.")
@click.option("--json", "wants_json", is_flag=True, help="Print a line of JSON for each.")
def command_line(run: str, task: str | None, follow: bool, level: str, wants_json: bool) -> None:
    """Print what a run, or one task of it, has logged and printed, and the tracebacks of what failed.

    RUN is a run's id, the beginning of one, or `latest`. TASK is a task's name or slug; `clean[3]` is one child of a
    mapped task. What the runs inside of it have logged, as those of notebooks, follows the name of their task.
    """
    from notebook_flows.workspace import event_log

    log = event_log()
    row = run_named(log, run)
    graph = _graph_to_come(log, row.run_id) if follow else graph_of(log, row.run_id)
    node, index = (None, None) if task is None else task_named(task, graph["names"], row)
    wanted = Wanted(node, index, getattr(logging, level.upper()))
    reading = LogReading(log, row, graph["names"], wanted)
    tell = _tell_json if wants_json else _teller()
    if follow:
        _tell_until_end(log, row.run_id, reading, tell)
        return
    lines = reading.new()
    for line in lines:
        tell(line)
    if not lines:
        if node is not None and index is not None:
            check_child(log, row, child_of=graph["names"][node], node=node, index=index)
        click.echo(_nothing(row, task), err=True)


def _graph_to_come(log: AnyLog, run_id: str) -> Mapping[str, Any]:
    """The graph of a run that may have only just begun.

    Raises:
        StoreError: it has ended without one.
    """
    looks = 0
    while (graph := first_graph(log, run_id)) is None and log.run(run_id).goes_on:
        time.sleep(LOOK_EVERY_S)  # another process writes, and tells nobody
        looks += 1
        if looks % SWEEP_EVERY == 0:
            look_for_dead(log)
    return graph_of(log, run_id) if graph is None else graph


def _nothing(row: RunRow, task: str | None) -> str:
    who = f"Task {task!r} of run {_short(row)}" if task else f"Run {_short(row)} of {row.flow!r}"
    return f"{who} has logged nothing."


def task_named(text: str, names: Sequence[str], row: RunRow) -> tuple[int, int | None]:
    """The number of the task that is meant, and of its child if one is named.

    Raises:
        NoSuchRun: the run has no such task, or several.
    """
    for name, index in _readings(text):
        if name in row.slugs:
            return list(row.slugs).index(name), index
        found = [number for number, one in enumerate(names) if one == name]
        if len(found) == 1:
            return found[0], index
        if found:
            slugs = ", ".join(row.slugs[number] for number in found)
            raise NoSuchRun(f"{len(found)} tasks of run {_short(row)} are named {name!r}. Name one: {slugs}.")
    hint = did_you_mean(text, [*names, *row.slugs])
    raise NoSuchRun(f"Run {_short(row)} of {row.flow!r} has no task {text!r}.{hint}")


def check_child(log: AnyLog, row: RunRow, *, child_of: str, node: int, index: int) -> None:
    """See to it that a child of which nothing is known is none that there cannot be; while a run goes on, it may come.

    Raises:
        NoSuchRun: the run has ended, and the task had no such child.
    """
    if row.ended_us is None:
        return
    children = {one.index for one in log.task_runs(row.run_id) if one.node == node and one.index >= 0}
    if index in children:
        return
    has = f"its children are 0 to {max(children)}" if children else "it has no children"
    raise NoSuchRun(f"Task {child_of!r} of run {_short(row)} has no child {index}: {has}.")


def _readings(text: str) -> list[tuple[str, int | None]]:
    """The whole as a name; then, if it ends like ``[3]``, as a child."""
    child = _CHILD.fullmatch(text)
    return [(text, None)] + ([(child["task"], int(child["index"]))] if child else [])


def _tell_until_end(log: AnyLog, run_id: str, reading: LogReading, tell: Callable[[Line], None]) -> None:
    """Print what there is and what comes, until the run has ended."""
    looks = 0
    while True:
        row = log.run(run_id)  # before reading: what comes in between is read
        for line in reading.new():
            tell(line)
        if not row.goes_on:
            _tell_end(row)
            return
        time.sleep(LOOK_EVERY_S)  # another process writes, and tells nobody
        looks += 1
        if looks % SWEEP_EVERY == 0:
            look_for_dead(log)  # it may have lost its process meanwhile


def _tell_end(row: RunRow) -> None:
    from notebook_flows.cli.screen import ended
    from notebook_flows.views.text import told_duration

    said = f": {row.message}" if row.message and row.state not in {S.SUCCESS, S.FAILED} else "."
    seconds = seconds_of(row) or 0.0
    click.echo(f"Run {_short(row)} of {row.flow!r} {ended(row.state)} after {told_duration(seconds)}{said}", err=True)


def _short(row: RunRow) -> str:
    return row.run_id[:SHORT_ID]


def _tell_json(line: Line) -> None:
    known = {
        "at": iso(line.at_us),
        "level": _level(line),
        "logger": line.logger,
        "task": line.task,
        "index": line.child if line.child >= 0 else None,
        "attempt": line.attempt or None,
        "message": line.message,
        "run_id": line.run_id,
        "inside": list(line.where),
    }
    click.echo(json.dumps(known, ensure_ascii=False))


def _called(line: Line) -> str:
    """The task, which child of it, and which attempt."""
    name = child_name(line.task or "", line.child)
    return f"{name} ({line.attempt})" if line.attempt > 1 else name


def _level(line: Line) -> str:
    return logging.getLevelName(line.level).lower()


def _teller() -> Callable[[Line], None]:
    from rich.text import Text

    from notebook_flows.cli import screen
    from notebook_flows.views.text import printable
    from notebook_flows.views.tracebacks import error_lines

    console = screen.stdout()
    styles = {"warning": "yellow", "error": "red", "critical": "bold red", "err": "yellow"}

    def tell(line: Line) -> None:
        kind = _STREAMS.get(line.logger) or _level(line)
        name = " > ".join(printable(part) for part in (*line.where, _called(line)) if part)
        text = Text(f"{clock(line.at_us)} ", style="dim")
        text.append(f"{kind:<8}", style=styles.get(kind, "default"))
        text.append(f"{name}  " if name else "", style="cyan")
        first, *more = line.message.splitlines() or [""]
        if line.logger in ERRORS:
            error = error_lines(line.message)
            if error and error[0] != first:
                first, more = error[0], [first, *more]  # the error, then how it came to it
        text.append_text(Text.from_ansi(first, style="default"))
        for one in more:
            text.append("\n    ").append_text(Text.from_ansi(one, style="default"))
        console.print(Text(screen.carried(text.plain, console.encoding), spans=text.spans), soft_wrap=True)

    return tell
