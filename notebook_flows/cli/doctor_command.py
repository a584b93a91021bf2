"""``notebook-flows doctor``."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from notebook_flows._version import __version__
from notebook_flows.cli.exits import Exit
from notebook_flows.cli.guard import command
from notebook_flows.cli.history import echo_json
from notebook_flows.errors import FlowError
from notebook_flows.views.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.settings import Settings
    from notebook_flows.store.eventlog import StoredEventLog

_PACKAGES = ("click", "rich", "papermill", "nbclient", "nbconvert", "nbformat", "ipykernel", "graphviz", "pygraphviz")
_EXTRAS = ("sqlalchemy", "alembic", "jupyterlab", "distributed", "boto3", "psycopg")
_MIB = 2**20
_LOW_DISK = 500 * _MIB


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        verdict: ``ok``; ``note``: worth knowing; ``broken``: something will not work.
    """

    what: str
    verdict: str
    told: str


@command("doctor")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command_line(ctx: click.Context, wants_json: bool) -> None:
    """Check this installation: Python, packages, history, results, Graphviz, kernels, and the settings in force.

    Of a bucket it is tried whether a few bytes can be written, read and removed. The exit code is 1 if something is broken.
    """
    findings = list(_findings())
    if wants_json:
        echo_json([finding._asdict() for finding in findings])
    else:
        _tell(findings)
    broken = [finding for finding in findings if finding.verdict == "broken"]
    if broken:
        ctx.exit(Exit.FAILED)


def _findings() -> Iterator[Finding]:
    yield _python()
    yield Finding("notebook_flows", "ok", f"{__version__}, in {Path(__file__).parent.parent}")
    yield from _packages()
    yield Finding("SQLite", "ok", sqlite3.sqlite_version)
    yield from _settings_and_history()
    yield _graphviz()
    yield from _kernels()


def _python() -> Finding:
    told = f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    return Finding("Python", "ok", told)


def _packages() -> Iterator[Finding]:
    needed = {name for one in metadata_requires() if (name := _name_of(one))}
    missing = [name for name in _PACKAGES if name in needed and _version(name) is None]
    found = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    yield Finding("Packages", "ok", ", ".join(found))
    if missing:
        yield Finding(
            "Packages", "broken", f"not installed: {', '.join(missing)}. Install them: pip install {' '.join(missing)}"
        )
    extras = [f"{name} {version}" for name in _EXTRAS if (version := _version(name))]
    if extras:
        yield Finding("Extras", "ok", ", ".join(extras))


def metadata_requires() -> list[str]:
    """What this package says that it needs."""
    try:
        return metadata.requires("notebook-flows") or []
    except metadata.PackageNotFoundError:
        return []


def _name_of(requirement: str) -> str | None:
    if "extra ==" in requirement:
        return None
    name = requirement.strip()
    for mark in "<>=!~ ;[(":
        name = name.partition(mark)[0]
    return name


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _settings_and_history() -> Iterator[Finding]:
    from notebook_flows.settings import SettingsError, settings_from

    try:
        settings = settings_from()
    except SettingsError as error:
        for sentence in error.sentences:
            yield Finding("Settings", "broken", sentence)
        return
    yield from _settings(settings)
    if settings.history == "on":
        yield from _server(settings) if isinstance(settings.store, str) else _file(settings.store)
    else:
        yield Finding("History", "note", f"{settings.history}: runs are not kept after their process")
    yield _writable("Results", settings.results)
    if settings.history != "off":
        yield from _bucket(settings.blobs) if isinstance(settings.blobs, str) else [_writable("Blobs", settings.blobs)]


def _settings(settings: Settings) -> Iterator[Finding]:
    from notebook_flows.settings import PREFIX, is_stray, setting_files

    for file in setting_files():
        yield Finding("Settings", "ok", f"read from {file}")
    told = {
        "history": settings.history,
        "store": settings.store_name,
        "results": str(settings.results),
        "blobs": str(settings.blobs),
        "cache": settings.cache,
        "keep_results": settings.keep_results,
        "max_result_size": f"{settings.max_result_size:,} bytes" if settings.max_result_size else "any",
        "live_picture": settings.live_picture,
        "keep_days": f"{settings.keep_days:g}",
    }
    if isinstance(settings.store, str) and "keep_days" not in settings.origins:
        told["keep_days"] = "any, for the history is on a server"
    for name, value in told.items():
        yield Finding(f"{PREFIX}{name.upper()}", "ok", f"{value} ({_origin(settings.origins.get(name))})")
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and is_stray(variable):
            yield Finding("Settings", "note", f"the variable {variable} is no setting, and changes nothing")
    origin = settings.origins.get("store", "")
    if settings.store_name != str(settings.store) and " in " in origin and not origin.startswith(PREFIX):
        yield Finding(
            "Settings",
            "note",
            f"{origin} holds a password, and whoever reads the file reads it: put it into ~/.pgpass, or the whole URL "
            f"into {PREFIX}STORE",
        )


def _origin(origin: str | None) -> str:
    from notebook_flows.settings import PREFIX

    if origin is None:
        return "default"
    return "from the environment" if origin.startswith(PREFIX) else f"from {origin.partition(' in ')[2]}"


def _server(settings: Settings) -> Iterator[Finding]:
    from notebook_flows.workspace import stored_log

    try:
        log = stored_log(settings.store)
        yield Finding("History", "ok", log.describe())
        yield from _soundness(log)
    except FlowError as error:
        yield Finding("History", "broken", str(error))


def _file(path: Path) -> Iterator[Finding]:
    from notebook_flows.store.sqlite import SqliteEventLog

    log = SqliteEventLog(path)
    try:
        is_begun = log.place.is_begun()
    except FlowError as error:
        yield Finding("History", "broken", str(error))
        return
    if not is_begun:
        yield _writable("History", path.parent, f"{path} is begun with the first run")
        return
    size = sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
    yield Finding("History", "ok", f"{path}, {size / _MIB:.1f} MiB")
    yield _writable("History", path.parent)
    if not os.access(path, os.W_OK):
        yield Finding("History", "broken", f"{path} cannot be written. Make it yours: chmod u+w {path}")
        return
    try:
        yield from _soundness(log)
    except FlowError as error:
        yield Finding("History", "broken", str(error))
    finally:
        log.close()


def _soundness(log: StoredEventLog) -> Iterator[Finding]:
    problems = log.check()
    for problem in problems:
        yield Finding("History", "broken", problem)
    if problems:
        return
    dead = log.sweep()
    yield Finding("History", "ok", f"sound, {counted(len(log.runs(limit=None)), 'run')}")
    if dead:
        yield Finding("History", "note", f"crashed, for the process is gone: {counted(len(dead), 'run')}")


def _writable(what: str, folder: Path, told: str = "") -> Finding:
    """Whether files can be made in a folder, or it in the nearest one that there is."""
    nearest = folder
    while not os.access(nearest, os.F_OK) and nearest != nearest.parent:  # which raises nothing, whatever the path
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:  # that is told below
            return Finding(what, "broken", f"{nearest} cannot be written: {error.strerror}.")
    free = shutil.disk_usage(nearest).free
    room = f"{free / _MIB / 1024:.1f} GiB free"
    if free < _LOW_DISK:
        return Finding(what, "note", f"{folder}: only {free / _MIB:.0f} MiB are free")
    return Finding(what, "ok", f"{told or folder}, writable, {room}")


def _bucket(address: str) -> Iterator[Finding]:
    """Whether a bucket takes a few bytes, and lets them go again."""
    from notebook_flows.store.blob_bucket import BlobBucket

    content = os.urandom(32)
    name = hashlib.sha256(content).hexdigest()
    try:
        bucket = BlobBucket(address, read_timeout_s=10, attempts=1)
        bucket.put(name, content)
    except FlowError as error:
        yield Finding("Blobs", "broken", str(error))
        return
    yield Finding("Blobs", "ok", f"{address}, writable")
    try:
        bucket.get(name)
        bucket.remove(name)
    except FlowError as error:
        yield Finding("Blobs", "note", str(error))


def _graphviz() -> Finding:
    dot = shutil.which("dot")
    if dot is not None:
        return Finding("Graphviz", "ok", dot)
    if _version("pygraphviz"):
        return Finding("Graphviz", "ok", "no `dot` program; the libraries in pygraphviz's wheel draw instead")
    told = "neither a `dot` program nor pygraphviz: pictures come as DOT only. Install one: pip install pygraphviz"
    return Finding("Graphviz", "note", told)


def _kernels() -> Iterator[Finding]:
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        yield Finding("Kernels", "note", "jupyter_client is not installed: notebooks cannot run")
        return
    specs = KernelSpecManager().get_all_specs()
    if not specs:
        yield Finding("Kernels", "broken", "none: notebooks cannot run. Install one: pip install ipykernel")
    for name, known in sorted(specs.items()):
        argv = known["spec"].get("argv") or [""]
        program = shutil.which(argv[0])
        told = f"{known['spec'].get('display_name', '')}, {argv[0]}"
        if program is None:
            verdict, told = "broken", f"{told}: there is no such program. Remove it: jupyter kernelspec remove {name}"
        else:
            verdict = "ok"
        yield Finding(f"Kernel {name}", verdict, told)


def _tell(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from notebook_flows.cli import screen
    from notebook_flows.core.lifecycle import S

    console = screen.stdout()
    looks = {"ok": (S.SUCCESS, "green"), "note": (S.PAUSED, "yellow"), "broken": (S.FAILED, "bold red")}
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for what, verdict, told in findings:
        state, style = looks[verdict]
        mark = Text(screen.glyph(state, console.encoding).plain, style=style)
        table.add_row(mark, what, Text(screen.carried(told, console.encoding), style="" if verdict == "ok" else style))
    screen.print_table(console, table)
