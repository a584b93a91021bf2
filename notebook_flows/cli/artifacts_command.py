"""``notebook-flows artifacts``."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from notebook_flows.cli.guard import command
from notebook_flows.cli.history import SHORT_ID, complete_run, echo_json, graph_of, run_named
from notebook_flows.cli.logs_command import check_child, task_named
from notebook_flows.cli.outputs import OutputFolder
from notebook_flows.cli.times import iso
from notebook_flows.errors import FlowError, NoSuchRun, did_you_mean
from notebook_flows.views.text import child_name
from notebook_flows.workspace.earlier import artifacts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.cli.history import AnyLog
    from notebook_flows.store.rows import ArtifactRow, RunRow

_UNSAFE = re.compile(r"[^\w.\-]+")
LONGEST_NAME = 100


class NotSaved(FlowError):  # noqa: N818 - the sentence that people read
    """An artifact that cannot be written to where it was wanted."""


@command("artifacts")
@click.argument("run", shell_complete=complete_run)
@click.argument("task", required=False)
@click.option("--key", help="Only what was attached under this key.")
@click.option(
    "--all", "all_versions", is_flag=True, help="Earlier versions too: those of attempts that were tried again."
)
@click.option("--print", "prints", is_flag=True, help="Print what they are: tables, texts, links.")
@click.option("--save", type=OutputFolder(), help="Write them to files in this folder.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def command_line(
    run: str,
    task: str | None,
    key: str | None,
    all_versions: bool,
    prints: bool,
    save: Path | None,
    wants_json: bool,
) -> None:
    """List what the tasks of a run, or one of them, have attached; print it, or save it.

    RUN is a run's id, the beginning of one, or `latest`. TASK is a task's name or slug; `clean[3]` is one child of a
    mapped task.
    """
    from notebook_flows.workspace import event_log

    log = event_log()
    row = run_named(log, run)
    names = graph_of(log, row.run_id)["names"]
    found = _wanted(log, row, names, task, key, all_versions=all_versions)
    if save is not None:
        _save(log, found, save, names)
    elif wants_json:
        echo_json([_as_json(one, names) for one in found])
    elif not found:
        who = f"Task {task!r} of run {row.run_id[:8]}" if task else f"Run {row.run_id[:8]} of {row.flow!r}"
        click.echo(f"{who} has no artifacts.", err=True)
    elif prints:
        _print(log, found, names)
    else:
        _list(found, names)


def _wanted(
    log: AnyLog, row: RunRow, names: Sequence[str], task: str | None, key: str | None, *, all_versions: bool
) -> list[ArtifactRow]:
    found = artifacts_of(log, row.run_id, all_versions=all_versions)
    if task is not None:
        node, index = task_named(task, names, row)
        found = [one for one in found if one.node == node and index in {None, one.index}]
        if not found and index is not None:
            check_child(log, row, child_of=names[node], node=node, index=index)
    if key is None:
        return found
    known = {one.key for one in found}
    if key not in known:
        raise NoSuchRun(f"Nothing was attached as {key!r} there.{did_you_mean(key, known)}")
    return [one for one in found if one.key == key]


def who(one: ArtifactRow, names: Sequence[str]) -> str:
    """The task that has attached it."""
    name = names[one.node] if 0 <= one.node < len(names) else one.slug
    return child_name(name, one.index)


def mark_of(one: ArtifactRow) -> str:
    """What is said of one that was attached in an earlier run."""
    return f" (from run {one.from_run[:SHORT_ID]})" if one.from_run else ""


def _list(found: Sequence[ArtifactRow], names: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from notebook_flows.cli import screen
    from notebook_flows.views.text import printable

    console = screen.stdout()
    has_earlier = any(one.from_run for one in found)
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("Task", "Key", "Kind", "Title", "What", *(["From run"] if has_earlier else [])):
        table.add_column(heading, overflow="fold")
    for one in found:
        cells = [who(one, names), one.key, one.kind, one.title, one.summary]
        cells += [one.from_run[:SHORT_ID]] if has_earlier else []
        table.add_row(*[Text(screen.carried(printable(cell), console.encoding)) for cell in cells])
    console.print(table)


def shown(log: AnyLog, one: ArtifactRow) -> Any:
    """It with its content, to be shown below a line that says its key; a `views.artifacts.Shown`."""
    from notebook_flows.views.artifacts import Shown
    from notebook_flows.workspace.attachments import content_of

    return Shown(
        kind=one.kind,
        heading=one.title,
        description=one.description,
        media_type=one.media_type,
        summary=one.summary,
        content=content_of(log, one),
    )


def _print(log: AnyLog, found: Sequence[ArtifactRow], names: Sequence[str]) -> None:
    from rich.text import Text

    from notebook_flows.cli import screen
    from notebook_flows.views.text import printable

    console = screen.stdout()
    for place, one in enumerate(found):
        text = shown(log, one).text(width=console.width)
        head = printable(f"{who(one, names)}: {one.kind} {one.key!r}{mark_of(one)}")
        console.print(Text(("\n" if place else "") + screen.carried(head, console.encoding), style="dim"))
        console.print(Text(screen.carried(text, console.encoding)), soft_wrap=True)


def _as_json(one: ArtifactRow, names: Sequence[str]) -> dict[str, Any]:
    content = one.content or {}
    return {
        "task": names[one.node] if 0 <= one.node < len(names) else one.slug,
        "slug": one.slug,
        "index": one.index if one.index >= 0 else None,
        "attempt": one.attempt,
        "at": iso(one.at_us),
        "key": one.key,
        "kind": one.kind,
        "title": one.title,
        "description": one.description,
        "summary": one.summary,
        "type": one.media_type,
        "name": one.file_name,
        "link": one.link,
        "size_bytes": one.size_bytes,
        "sha256": content.get("sha256"),
        "from_run": one.from_run or None,
    }


# -- files -------------------------------------------------------------------------------------------------------------


def _save(log: AnyLog, found: Sequence[ArtifactRow], folder: Path, names: Sequence[str]) -> None:
    taken: set[str] = set()
    for one in found:
        ending, content = shown(log, one).file()
        path = folder / _file_name(one, names, ending, taken)
        _write(path, content)
        click.echo(str(path))


def _file_name(one: ArtifactRow, names: Sequence[str], ending: str, taken: set[str]) -> Path:
    """Below a folder for each task; safe on every file system, and no two the same."""
    place = _safe(names[one.node] if 0 <= one.node < len(names) else one.slug)
    if one.index >= 0:
        place += f"-{one.index}"
    stem, suffix = _safe(one.key), ending
    if one.file_name:
        given = Path(_safe(one.file_name))
        stem, suffix = given.stem, given.suffix or ending
    number, name = 1, f"{stem}{suffix}"
    while f"{place}/{name}".casefold() in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    taken.add(f"{place}/{name}".casefold())
    return Path(place, name)


def _safe(text: str) -> str:
    r"""A name for a file or folder.

    >>> _safe("../../etc/passwd"), _safe("bad rows: 3"), _safe("..")
    ('etc_passwd', 'bad_rows_3', '_')
    """
    plain = _UNSAFE.sub("_", text).strip("._")
    if len(plain) > LONGEST_NAME:
        ending = Path(plain).suffix[:20]
        plain = plain[: LONGEST_NAME - len(ending)] + ending
    return plain or "_"


def _write(path: Path, content: bytes) -> None:
    """Write a file, which is whole or not there; what is there and is another stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            if path.is_file() and path.read_bytes() == content:
                return
            raise NotSaved(f"{path} is there already, and is something else: name another folder, or move it away.")
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(aside).chmod(0o644)
            Path(aside).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(aside).unlink()
            raise
    except OSError as error:
        raise NotSaved(f"{path} cannot be written: {error.strerror or error}.") from error
