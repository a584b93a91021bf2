"""``notebook-flows cache``: the results that runs leave to one another."""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import SHORT_ID, echo_json, graph_of
from notebook_flows.cli.times import iso, local
from notebook_flows.errors import NoSuchRun, StoreError
from notebook_flows.settings import bytes_of, settings_from
from notebook_flows.views.text import counted

if TYPE_CHECKING:
    from notebook_flows.engine.ports import KnownResult
    from notebook_flows.store.eventlog import StoredEventLog

SHORT_KEY = 12


@click.group("cache")
def command_line() -> None:
    """Look after the results of tasks with cache=True."""


def _history() -> StoredEventLog:
    from notebook_flows.store.eventlog import StoredEventLog
    from notebook_flows.workspace import event_log

    log = event_log()
    if not isinstance(log, StoredEventLog):
        raise StoreError("The history is in memory only, so nothing is kept for other runs.")
    return log


def _all(log: StoredEventLog, task: str | None) -> list[KnownResult]:
    reader = log.known_results()
    try:
        rows = reader.all()
    finally:
        reader.close()
    if task is None:
        return rows
    names = _Names(log)
    return [one for one in rows if task in {one.task, one.task.rsplit("-", 1)[0], names.of(one)[1]}]


class _Names:
    """How people call the flows and tasks whose results are kept; each run is read once."""

    def __init__(self, log: StoredEventLog) -> None:
        self._log = log
        self._known: dict[str, tuple[str, dict[str, str]]] = {}

    def of(self, result: KnownResult) -> tuple[str, str]:
        """(flow or notebook, task); of a run that the history has forgotten, no more than the slug is known."""
        if result.run_id not in self._known:
            self._known[result.run_id] = self._read(result.run_id)
        flow, tasks = self._known[result.run_id]
        return flow, tasks.get(result.task, result.task)

    def _read(self, run_id: str) -> tuple[str, dict[str, str]]:
        try:
            row = self._log.run(run_id)
            names = graph_of(self._log, run_id)["names"]
        except (NoSuchRun, StoreError):
            return "", {}
        return row.flow, dict(zip(row.slugs, names, strict=False))


@command("ls")
@click.option("--task", metavar="NAME", help="Only results of this task.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def ls(task: str | None, wants_json: bool) -> None:
    """List the results, the newest first."""
    from notebook_flows.cli import screen
    from notebook_flows.views.text import child_name, printable

    log = _history()
    rows, names = _all(log, task), _Names(log)
    if wants_json:
        echo_json([_as_json(one, *names.of(one)) for one in rows])
        return
    if not rows:
        click.echo("Nothing is cached. Tasks with @task(cache=True) leave their results to later runs.", err=True)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("key", "flow", "task", "made", "took", "size", "run"):
        table.add_column(title, justify="right" if title in {"took", "size"} else "left", no_wrap=True)
    for one in rows:
        flow, called = names.of(one)
        table.add_row(
            shown_key(one.key, is_short=True),
            printable(flow),
            printable(child_name(called, one.index)),
            local(one.created_us),
            f"{one.took_us / 1e6:.1f} s",
            told_bytes(one.reference["size"]),
            one.run_id[:SHORT_ID],
        )
    screen.stdout().print(table)
    total = sum({one.reference["sha256"]: one.reference["size"] for one in rows}.values())
    click.echo(f"{counted(len(rows), 'result')}, {told_bytes(total)}.", err=True)


def _as_json(one: KnownResult, flow: str, name: str) -> dict[str, Any]:
    return {
        "key": shown_key(one.key),
        "flow": flow,
        "task": one.task,
        "name": name,
        "index": None if one.index < 0 else one.index,
        "run_id": one.run_id,
        "made": iso(one.created_us),
        "took_s": one.took_us / 1e6,
        **{name: one.reference[name] for name in ("format", "size", "sha256", "in")},
    }


@command("rm")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--task", metavar="NAME", help="All results of this task.")
@click.option("--all", "wants_all", is_flag=True, help="All results.")
@click.pass_context
def rm(ctx: click.Context, keys: tuple[str, ...], task: str | None, wants_all: bool) -> None:
    """Forget results, by key or the beginning of one; their tasks run again. `gc` frees the space."""
    from notebook_flows.store.cleaning import forget

    if not keys and task is None and not wants_all:
        raise click.UsageError("Say which: KEYs, --task NAME, or --all.", ctx)
    if bool(keys) + (task is not None) + wants_all > 1:
        raise click.UsageError("KEYs, --task NAME and --all are three ways to say which: give one of them.", ctx)
    if any(not key.strip() for key in keys):  # as of a variable that is not set: every key begins so
        raise click.UsageError("A KEY is empty. All results are meant by --all.", ctx)
    log = _history()
    rows = _all(log, task)
    if not wants_all and task is None:
        shown = {one.key: shown_key(one.key) for one in rows}
        unknown = [key for key in keys if not any(one.startswith(key) for pair in shown.items() for one in pair)]
        if unknown:
            likely = f" `--task {shlex.quote(unknown[0])}` means all of this task." if _all(log, unknown[0]) else ""
            raise click.UsageError(
                f"There is no result {unknown[0]!r}.{likely or ' `notebook-flows cache ls` lists them.'}", ctx
            )
        rows = [one for one in rows if one.key.startswith(keys) or shown[one.key].startswith(keys)]
    count = forget(log._writer, [one.key for one in rows]) if rows else 0
    click.echo(f"{_are(count)} forgotten.", err=True)


def _are(results: int) -> str:
    """So many results, as the beginning of a sentence.

    >>> _are(1), _are(2)
    ('1 result is', '2 results are')
    """
    return f"{counted(results, 'result')} {'is' if results == 1 else 'are'}"


def days(text: str) -> float:
    """A number of days.

    >>> days("30d"), days("12h")
    (30.0, 0.5)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([dhw]?)", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"{text!r} is no time such as 30d, 12h or 4w.")
    return float(found[1]) * {"h": 1 / 24, "w": 7}.get(found[2], 1)


def size(text: str) -> int:
    """A number of bytes.

    >>> size("5GB"), size("100 k")
    (5000000000, 100000)
    """
    found = bytes_of(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no size such as 500MB or 5GB.")
    return found


def shown_key(key: str, *, is_short: bool = False) -> str:
    """A key as one word, so that it can be given back as it was printed.

    >>> shown_key("made 0123456789abcdef", is_short=True), shown_key("0123456789abcdef", is_short=True)
    ('made-0123456789ab', '0123456789ab')
    """
    kind, blank, digits = key.rpartition(" ")
    return f"{kind}{'-' if blank else ''}{digits[:SHORT_KEY] if is_short else digits}"


def told_bytes(count: int) -> str:
    """A size for people.

    >>> told_bytes(512), told_bytes(65_536), told_bytes(5_000_000_000)
    ('512 B', '65.5 kB', '5.0 GB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


@command("gc")
@click.option(
    "--older-than", type=days, default="30d", show_default=True, metavar="TIME", help="Of no use for so long."
)
@click.option("--max-size", type=size, metavar="SIZE", help="Keep at most so much, what was of use last.")
def gc(older_than: float, max_size: int | None) -> None:
    """Remove results that were of no use for long, and content that nothing refers to; what is younger than a day stays."""
    from notebook_flows.store.cleaning import clean
    from notebook_flows.workspace.histories import result_store

    log = _history()
    if not log.place.is_begun():
        click.echo("There is no history yet, and nothing to clean.", err=True)
        return
    cleaned = clean(
        log._writer,
        result_store(),
        now_us=time.time_ns() // 1000,
        keep_days=older_than,
        most_bytes=max_size,
        is_shared="blobs" in settings_from().origins,
    )
    click.echo(
        f"{_are(cleaned.keys)} forgotten, {counted(cleaned.contents, 'content')} removed: "
        f"{told_bytes(cleaned.freed_bytes)} freed.",
        err=True,
    )
    if cleaned.keys and not cleaned.contents:
        click.echo("Content stays for a day, and that of runs for as long as --older-than says.", err=True)


@command("verify")
@click.option("--remove", is_flag=True, help="Forget what is damaged, so that its tasks run again.")
@click.pass_context
def verify(ctx: click.Context, remove: bool) -> None:
    """Read every result, and say which are gone or damaged. The exit code is 1 if there is one."""
    from notebook_flows.store.cleaning import damaged, forget
    from notebook_flows.workspace.histories import result_store

    log = _history()
    reader = log.known_results()
    try:
        count = len(reader.all())
        found = damaged(reader, result_store())
    finally:
        reader.close()
    for key, sentence in found.items():
        click.echo(f"{shown_key(key, is_short=True)}  {sentence}")
    if found and remove:
        forget(log._writer, list(found))
    click.echo(
        f"{counted(count, 'result')}, {len(found)} damaged{' and forgotten' if found and remove else ''}.", err=True
    )
    if found and not remove:
        ctx.exit(Exit.FAILED)


for one in (ls, rm, gc, verify):
    command_line.add_command(one)
