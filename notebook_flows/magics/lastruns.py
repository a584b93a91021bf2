"""Which run a line is about that names none: the last one of this kernel, else of this notebook, in which the task ran."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from notebook_flows.core.lifecycle import S, facts_of
from notebook_flows.errors import NoSuchRun, did_you_mean
from notebook_flows.magics.errors import FlowLineError
from notebook_flows.session.saved import NO_NAME
from notebook_flows.views.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.magics.here import Here
    from notebook_flows.session.record import CellRecord
    from notebook_flows.store.rows import RunRow

_BEGINNING_OF_ID = re.compile(r"[0-9a-fA-F]{4,}")
LOOKED_AT = 200
"""So many of the newest runs of the notebook are looked through."""


class Found(NamedTuple):
    """A run.

    Attributes:
        row: as the history has it.
        task: the task's name, or its slug where it has no name of its own there; None where none was asked for.
        is_own: it is of this kernel.
    """

    row: RunRow
    task: str | None
    is_own: bool = False


def with_run(here: Here, options: Sequence[str], *, tells_own: bool = True) -> tuple[str, ...]:
    """The words of a line `[RUN] [TASK]` with a run; one that nobody has named is told.

    Args:
        here: the notebook.
        options: the words, among them options that begin with ``-``.
        tells_own: tell it, too, if it is of this kernel.

    Raises:
        FlowLineError: there is no such run.
        FlowError: the history cannot be read.
    """
    names = [one.name for one in here.session.book.tasks()]
    words = [word for word in options if not word.startswith("-")]
    if words and words[0] not in names:
        _check_named(words, names)
        return tuple(options)
    task = words[0] if words else None
    found = last_run(here, task)
    if "--json" not in options and (tells_own or not found.is_own):
        click.echo(told_run(found.row))
    rest = [found.task if word == task and found.task is not None else word for word in options]
    return (found.row.run_id, *rest)


def tell_by_hand_since(here: Here, options: Sequence[str]) -> None:
    """After the logs of a task's last run: it was executed by hand since then, of which there are none."""
    words = [word for word in options if not word.startswith("-")]
    record = next((one for one in here.session.book.tasks() if words and one.name == words[0]), None)
    if record is None or record.has_succeeded is None or "--json" in options:
        return
    row = last_run(here, record.name).row
    if record.executed_us > (row.ended_us or record.executed_us) and not row.is_by_hand:
        how = "went well" if record.has_succeeded else "failed"
        click.echo(
            f"{printable(record.name)!r} was executed by hand since then, and {how}: what that put out stands below "
            "its cell."
        )


def _check_named(words: Sequence[str], names: Sequence[str]) -> None:
    """One word alone may be a task or a run."""
    from notebook_flows.cli.history import LATEST, run_named
    from notebook_flows.workspace import event_log

    if words[0].lower() == LATEST or len(words) > 1:
        return
    try:
        run_named(event_log(), words[0])
    except NoSuchRun as error:
        likely = did_you_mean(words[0], names)
        if not likely and _BEGINNING_OF_ID.fullmatch(words[0]):
            raise
        raise FlowLineError(f"There is no task and no run {words[0]!r}.{likely}") from error


def last_run(here: Here, task: str | None) -> Found:
    """The last run that a task was in, or the last one of all.

    Args:
        here: the notebook.
        task: a name of a task of the notebook.

    Raises:
        FlowLineError: there is none.
        FlowError: the history cannot be read.
    """
    from notebook_flows.workspace import event_log

    log = event_log()
    records = [one for one in here.session.book.tasks() if one.name == task]
    found = _of_this_kernel(here, log, records, task) or _of_the_history(here, log, records, task)
    if found is None:
        raise FlowLineError(_none(here, task))
    return found


def newest_runs(here: Here, most: int = 10) -> list[RunRow]:
    """The newest runs of this notebook that are more than a cell by hand; of all flows where it has no name.

    Raises:
        FlowError: the history cannot be read.
    """
    from notebook_flows.workspace import event_log

    name = here.session.saved.name
    rows = event_log().runs(flow=None if name == NO_NAME else name, limit=LOOKED_AT)
    return [row for row in rows if not row.is_by_hand][:most]


def told_run(row: RunRow, how: str = "") -> str:
    """Which run it is, in a line.

    Args:
        row: of the run.
        how: it stands; empty: as the row tells.
    """
    begun = datetime.fromtimestamp(row.created_us / 1e6, UTC).astimezone()
    if not how:
        how = "goes on" if row.goes_on else facts_of(row.state).word
    return f"Run {row.run_id[:8]} of {printable(row.flow)!r}, of {begun:%Y-%m-%d %H:%M:%S}: {how}."


def _of_this_kernel(here: Here, log: AnyLog, records: Iterable[CellRecord], task: str | None) -> Found | None:
    last, going = here.flow.last, here.flow.going
    ran_in = [here.flow.ran_in[one.key] for one in records if one.key in here.flow.ran_in]
    run_id = ran_in[0] if ran_in else last.run_id if last is not None and task is None else ""
    if going is not None and (task is None or any(one.key in going.tasks for one in records)):
        run_id = going.run_id
    try:
        return Found(log.run(run_id), task, is_own=True) if run_id else None
    except NoSuchRun:  # it left no trace, or was removed since
        return None


def _of_the_history(here: Here, log: AnyLog, records: Iterable[CellRecord], task: str | None) -> Found | None:
    name = here.session.saved.name
    if name == NO_NAME:
        return None  # other notebooks have no name, too
    slugs = {slug for one in records for slug in one.slugs}
    rows = log.runs(flow=name, limit=LOOKED_AT)
    for row in sorted(rows, key=lambda row: row.is_by_hand):  # newest first; a cell by hand where there is nothing else
        if task is None:
            return Found(row, None)
        ran = [one for one in log.task_runs(row.run_id) if one.started_us is not None or one.state is S.CACHED]
        slug = next((one.slug for one in ran if one.slug in slugs), None)
        if slug is not None:
            return Found(row, slug)
    return None


def _none(here: Here, task: str | None) -> str:
    notebook = here.session.saved.name
    what = "No run" if task is None else f"No run of task {task!r}"
    where = "this kernel" if notebook == NO_NAME else f"notebook {notebook!r}"
    return f"{what} of {where} is in the history. `%flow runs` lists all that it has; `%flow logs RUN` tells of one."
