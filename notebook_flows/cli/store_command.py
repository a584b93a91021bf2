"""``notebook-flows store``: what the history is, and what can be done about it."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import SHORT_ID, as_json, complete_run, echo_json, run_named
from notebook_flows.cli.outputs import OutputFile, write_file
from notebook_flows.cli.times import Amount
from notebook_flows.core.lifecycle import IS_FINAL, facts_of
from notebook_flows.errors import NoSuchRun, StoreCorrupt, StoreError
from notebook_flows.views.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.store.eventlog import StoredEventLog

MOST_DAYS = 1_000_000
_OF_SQLITE = b"SQLite format 3\0"
_PARTS = {"", "-wal", "-shm", "-journal", ".reserve", ".pruned"}
PIECE = 5_000
"""Events, or log lines, that are read at once."""


@click.group("store")
def command_line() -> None:
    """Look at the history itself: what it is, whether it is sound; bring it up, shorten it, take it elsewhere.

    Which history that is, is said by the settings; see `notebook-flows doctor`.
    """


def _log() -> StoredEventLog:
    """The history that the settings name."""
    from notebook_flows.settings import settings_from
    from notebook_flows.workspace import stored_log

    settings = settings_from()
    if settings.history != "on":
        origin = settings.origins.get("history", "the default")
        raise StoreError(f"There is no history to look at: it is {settings.history}, by {origin}.")
    return stored_log(settings.store)


@command("info")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def info(wants_json: bool) -> None:
    """Tell where the history is, its version, its size, and how many runs are in it."""
    from notebook_flows.store import schema

    log = _log()
    version = log.place.version()
    told: dict[str, Any] = {"store": log.name, "version": version, "version_of_this": schema.VERSION}
    if version == schema.VERSION:
        rows = log.runs(limit=None)
        states: dict[str, int] = {}
        for row in rows:
            states[facts_of(row.state).word] = states.get(facts_of(row.state).word, 0) + 1
        told |= {
            "what": log.describe(),
            "runs": len(rows),
            "states": states,
            "open": sum(not IS_FINAL[row.state] for row in rows),
            "newest": as_json(rows[0])["created"] if rows else None,
            "oldest": as_json(rows[-1])["created"] if rows else None,
            "spools": [str(spool.file) for spool in log.spools()],
        }
    if wants_json:
        echo_json(told)
        return
    _tell(told)


def _tell(told: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from notebook_flows.cli import screen

    console = screen.stdout()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    rows = {"History": told.get("what", told["store"])}
    if told["version"] is None:
        rows["Version"] = "none: it is begun with the first run"
    elif told["version"] < told["version_of_this"]:
        rows["Version"] = f"{told['version']}, older than {told['version_of_this']}: notebook-flows store upgrade"
    elif told["version"] > told["version_of_this"]:
        rows["Version"] = f"{told['version']}, newer than this notebook_flows: pip install -U notebook-flows"
    else:
        rows["Version"] = str(told["version"])
        listed = ", ".join(f"{count:,} {word}" for word, count in told["states"].items())
        rows["Runs"] = f"{told['runs']:,}{f' ({listed})' if listed else ''}"
    if told.get("newest"):
        rows["From"] = f"{_local_of(told['oldest'])} to {_local_of(told['newest'])}"
    if told.get("spools"):
        rows["Spool"] = "\n".join(f"{spool} waits to be read" for spool in told["spools"])
    for name, value in rows.items():
        table.add_row(name, Text(screen.carried(value, console.encoding)))
    screen.print_table(console, table)


def _local_of(told: str) -> str:
    """A moment that JSON has in UTC, as `runs` shows it."""
    return f"{datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M:%S}"


@command("upgrade")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def upgrade(wants_json: bool) -> None:
    """Bring a history that an older notebook_flows wrote up to this version.

    A file is brought up by itself, at its first use; before that a copy is made beside it. On a server, others may still
    work with the older version, so somebody has to say when; have a backup of your own.
    """
    log = _log()
    done = log.place.upgrade()
    if wants_json:
        echo_json(
            {
                "store": log.name,
                "was": done.was if done else None,
                "now": done.now if done else None,
                "backup": str(done.backup) if done and done.backup else None,
            }
        )
    elif done is None:
        click.echo("There is no history yet; it is begun with the first run, in this version.", err=True)
    elif done.was == done.now:
        click.echo(f"{log.name} is of version {done.now} already.", err=True)
    else:
        kept = f" What was before is kept as {done.backup}." if done.backup else ""
        click.echo(f"{log.name} is of version {done.now} now; it was of {done.was}.{kept}", err=True)


@command("check")
@click.option("--repair", is_flag=True, help="Derive rows that do not say what their events say anew.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, repair: bool, wants_json: bool) -> None:
    """Read everything, and tell what is wrong. The exit code is 1 if something is."""
    log = _log()
    problems = log.check()
    repaired: list[str] = []
    if problems and repair:
        for row in log.runs(limit=None):
            if any(row.run_id in problem and "rebuild_projections" in problem for problem in problems):
                log.rebuild_projections(row.run_id)
                repaired.append(row.run_id)
        problems = log.check()
    if wants_json:
        echo_json({"store": log.name, "problems": problems, "repaired": repaired})
    else:
        for problem in problems:
            click.echo(problem)
        if repaired:
            click.echo(f"{_runs(len(repaired))} put right.", err=True)
        if not problems:
            click.echo(f"{log.name} is sound.", err=True)
    if problems:
        ctx.exit(Exit.FAILED)


@command("prune")
@click.option(
    "--keep-days", type=Amount("days", min=0, max=MOST_DAYS), metavar="DAYS", help="Forget what ended longer ago."
)
@click.option("--keep-runs", type=click.IntRange(min=0), metavar="N", help="Forget all but the newest N.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def prune(keep_days: float | None, keep_runs: int | None, wants_json: bool) -> None:
    """Forget old runs that have ended; those under way, or paused, stay."""
    if keep_days is None and keep_runs is None:
        raise click.UsageError("Say what is to be kept: --keep-days, --keep-runs, or both.")
    from notebook_flows.workspace.histories import forget_contents

    log = _log()
    gone = log.prune(keep_days=keep_days, keep_runs=keep_runs)
    if gone:
        forget_contents(log)
    if wants_json:
        echo_json({"forgotten": gone})
    else:
        click.echo(f"{_runs(len(gone))} forgotten.", err=True)


def _runs(count: int) -> str:
    return "1 run is" if count == 1 else f"{count:,} runs are"


@command("export")
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_run)
@click.option("-o", "--output", type=OutputFile(), help="The file; stdout unless given.")
@click.pass_context
def export(ctx: click.Context, runs: tuple[str, ...], output: Path | None) -> None:
    """Write runs as JSON, one object a line: a run, then its events, then its log lines.

    RUN is a run's id, the beginning of one, or `latest`; all runs unless given, the oldest first. Of a run that is damaged
    there is what comes before the damage, and the exit code is 1.
    """
    log = _log()
    if output is not None:
        _check_export(output, log)
    ids = [run_named(log, run).run_id for run in runs]
    if not runs:
        ids = [row.run_id for row in reversed(log.runs(limit=None))]
    lines = Export(log, ids)
    if output is None:
        for line in lines:
            if sys.stdout is not None:  # as it is where nobody has opened it: `>&-`
                sys.stdout.write(line)
    else:
        write_file(output, (line.encode() for line in lines))
        click.echo(f"{counted(lines.count, 'run')} written to {output}.", err=True)
    for problem in lines.problems:
        click.echo(f"Error: {problem}", err=True)
    if lines.problems:
        ctx.exit(Exit.FAILED)


def _check_export(output: Path, log: StoredEventLog) -> None:
    """See to it that a slip of the hand does not cost anybody a history, or a part of one.

    Raises:
        click.UsageError: the file is one.
    """
    history, target = Path(os.path.realpath(log.path)), Path(os.path.realpath(output))  # links in a circle stay
    is_part = target.parent == history.parent and target.name.removeprefix(history.name) in _PARTS
    if is_part or (target.is_file() and _begin_of(target, len(_OF_SQLITE)) == _OF_SQLITE):
        raise click.UsageError(f"--output {output} is a history, or belongs to one; name another file.")


def _begin_of(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


class Export:
    """The lines of an export, read as they are asked for.

    Attributes:
        count: runs that were written as a whole; known at the end, as `problems`.
        problems: what is wrong with others.
    """

    def __init__(self, log: StoredEventLog, ids: list[str]) -> None:
        self.count = 0
        self.problems: list[str] = []
        self._log = log
        self._ids = ids

    def __iter__(self) -> Iterator[str]:
        for run_id in self._ids:
            try:
                yield from self._lines_of(run_id)
                self.count += 1
            except NoSuchRun:
                continue  # it has been forgotten since the export began
            except StoreCorrupt as error:
                self.problems.append(f"Run {run_id[:SHORT_ID]} is not whole there. {error}")

    def _lines_of(self, run_id: str) -> Iterator[str]:
        row = self._log.run(run_id)
        yield _line("run", {**as_json(row), "tasks": list(row.slugs), "last_seq": row.last_seq})
        after = 0
        while events := self._log.read(run_id, after=after, limit=PIECE):
            for event in events:
                told = {**event._asdict(), "kind": event.kind.value, "state": event.state.name.lower()}
                yield _line("event", {"run_id": run_id, **told})
            after = events[-1].seq
        after = 0
        while lines := self._log.log_lines(run_id, after=after, limit=PIECE):
            for line in lines:
                told = {name: getattr(line, name) for name in line.__slots__}
                yield _line("log", {"run_id": run_id, **told})
            after = lines[-1].number


def _line(kind: str, told: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **told}) + "\n"


for _one in (info, upgrade, check, prune, export):
    command_line.add_command(_one)
