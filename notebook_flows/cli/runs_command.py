"""``notebook-flows runs``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.guard import command
from notebook_flows.cli.history import (
    SHORT_ID,
    as_json,
    complete_state,
    counts_of,
    echo_json,
    seconds_of,
    state_option,
)
from notebook_flows.cli.times import local, past
from notebook_flows.core.lifecycle import IS_FAILED, S
from notebook_flows.errors import NoSuchRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.text import Text

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import RunRow

NARROW = 76
"""With fewer columns than this, times are without year and seconds."""
WIDE = 110
"""From this many columns on there is room for what a run said and was given."""
KNOWN_FLOWS = 1_000
BORING = frozenset({S.SUCCESS, S.FAILED})
"""States whose message says nothing that the counts do not, where these count failures."""


@command("runs")
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option(
    "--state",
    type=state_option,
    shell_complete=complete_state,
    metavar="STATE",
    help="Only runs in this state: failed, success, running, ...",
)
@click.option(
    "--since", type=past, metavar="MOMENT", help="Only runs begun since: 2h, 3d, today, or as in 2026-01-31T08:00."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0, max=10**9),
    default=20,
    show_default=True,
    help="At most so many; 0 for all.",
)
@click.option("--cells", "wants_cells", is_flag=True, help="Also task cells that were executed by hand.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def command_line(
    flow: str | None, state: S | None, since: datetime | None, limit: int, wants_cells: bool, wants_json: bool
) -> None:
    """List the runs in the history, newest first, each with those that its tasks have begun. Times are local."""
    from notebook_flows.workspace import event_log

    log = event_log()
    asked: dict[str, Any] = {"flow": flow, "state": state, "since": since}
    rows, hidden = (log.runs(**asked, limit=limit or None), 0) if wants_cells else _without_cells(log, asked, limit)
    if wants_json:
        echo_json([as_json(row) for row in rows])
        return
    if not rows:
        if hidden:
            click.echo(f"Nothing but {_cells(hidden)}; --cells shows {'it' if hidden == 1 else 'them'}.", err=True)
        else:
            click.echo(_nothing_found(log, flow, is_filtered=state is not None or since is not None), err=True)
        return
    is_cut = bool(limit) and len(rows) == limit
    _tell(rows if any(asked.values()) else _with_those_around(log, rows))
    if is_cut:
        click.echo(f"The newest {limit} are shown; --limit 0 shows all.", err=True)
    if hidden:
        click.echo(f"And {_cells(hidden)}; --cells shows {'it' if hidden == 1 else 'them'}.", err=True)


def _cells(count: int) -> str:
    from notebook_flows.views.text import counted

    return f"{counted(count, 'cell')} run by hand"


def _without_cells(log: AnyLog, asked: Mapping[str, Any], limit: int) -> tuple[list[RunRow], int]:
    """The newest runs but those of cells by hand, and how many of these stand among them."""
    looked_at = limit
    while True:
        rows = log.runs(**asked, limit=looked_at or None)
        found = [number for number, row in enumerate(rows) if not row.is_by_hand]
        if limit and len(found) >= limit:
            found = found[:limit]
            return [rows[number] for number in found], found[-1] + 1 - limit
        if not looked_at or len(rows) < looked_at:
            return [rows[number] for number in found], len(rows) - len(found)
        looked_at *= 4


def _with_those_around(log: AnyLog, rows: Sequence[RunRow]) -> list[RunRow]:
    """The runs, newest first, with those whose tasks have begun one of them: a run inside stands below the one around it."""
    found = {row.run_id: row for row in rows}
    waiting = list(rows)
    while waiting:
        parent = waiting.pop().parent_run_id
        if parent is None or parent in found:
            continue
        with suppress(NoSuchRun):  # it was removed
            found[parent] = log.run(parent)
            waiting.append(found[parent])
    return sorted(found.values(), key=lambda row: row.created_us, reverse=True)


def _nothing_found(log: AnyLog, flow: str | None, *, is_filtered: bool) -> str:
    from notebook_flows.errors import did_you_mean

    if flow is not None:
        known = {row.flow for row in log.runs(limit=KNOWN_FLOWS)}
        if flow not in known:
            return f"No flow named {flow!r} has run.{did_you_mean(flow, known)}"
    return "No run is like this." if is_filtered or flow is not None else "There are no runs yet."


def _news(row: RunRow) -> str:
    """What a run says that its state and its counts do not."""
    is_counted = row.state is S.SUCCESS or any(IS_FAILED[state] for state in counts_of(row))
    return "" if row.state in BORING and is_counted else row.message


def nested(rows: Sequence[RunRow]) -> list[tuple[int, RunRow]]:
    """The runs, each followed by those that its tasks have begun, and how deep inside of others each is."""
    known = {row.run_id for row in rows}
    inside: dict[str | None, list[RunRow]] = {}
    for row in rows:
        inside.setdefault(row.parent_run_id if row.parent_run_id in known else None, []).append(row)
    found: list[tuple[int, RunRow]] = []
    waiting = [(0, row) for row in reversed(inside.get(None, []))]
    while waiting:
        depth, row = waiting.pop()
        found.append((depth, row))
        waiting += [(depth + 1, child) for child in inside.get(row.run_id, [])]  # the first to begin comes first
    return found


def _tell(rows: Sequence[RunRow]) -> None:
    from rich.table import Table

    from notebook_flows.cli import screen
    from notebook_flows.views.text import printable, told_duration
    from notebook_flows.views.tree import in_encoding

    console = screen.stdout()
    encoding = console.encoding
    is_wide, is_narrow = console.width >= WIDE, console.width < NARROW
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Run", no_wrap=True, min_width=SHORT_ID, style="cyan")
    table.add_column("Flow", no_wrap=True, overflow="ellipsis", max_width=None if is_wide else 18)
    table.add_column("State", no_wrap=True, overflow="ellipsis")
    table.add_column("Started", no_wrap=True, min_width=11 if is_narrow else 19)
    table.add_column("Took", no_wrap=True, min_width=5, justify="right")
    table.add_column("Tasks", no_wrap=True, overflow="ellipsis")
    if is_wide:
        table.add_column("Message", no_wrap=True, overflow="ellipsis")
    for depth, row in nested(rows):
        seconds = seconds_of(row)
        started = local(row.started_us or row.created_us)
        cells: list[str | Text] = [
            row.run_id[:SHORT_ID],
            in_encoding("  " * (depth - 1) + "└ " * bool(depth), encoding, set())
            + screen.carried(printable(row.flow), encoding),
            screen.word(row.state, encoding),
            started[5:-3] if is_narrow else started,
            "" if seconds is None else told_duration(seconds),
            screen.short_counts(counts_of(row), encoding),
            screen.carried(printable(_news(row)), encoding),
        ]
        table.add_row(*cells[: len(table.columns)])
    screen.print_table(console, table)
