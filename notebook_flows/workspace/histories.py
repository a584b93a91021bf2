"""Where runs keep their history and files: what the settings name, unless the surroundings say otherwise."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.errors import StoreError, StoreUnavailable
from notebook_flows.settings import data_folder, settings_from
from notebook_flows.store.filesystem import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from notebook_flows.engine.ports import EventLog, WaitingClock
    from notebook_flows.store.eventlog import StoredEventLog
    from notebook_flows.store.keeping import ResultStore
    from notebook_flows.store.memory import MemoryEventLog

DAY_S = 86_400


@cache
def stored_log(store: Path | str) -> StoredEventLog:
    """The history in a file, or on the server that a URL names.

    Raises:
        StoreError: the URL cannot be understood, or its driver is not installed.
    """
    if isinstance(store, str):
        from notebook_flows.store.postgres import PostgresEventLog

        return PostgresEventLog(store, data_folder() / "servers")
    from notebook_flows.store.sqlite import SqliteEventLog

    return SqliteEventLog(store)


@cache
def _memory_log() -> MemoryEventLog:
    from notebook_flows.store.memory import MemoryEventLog

    return MemoryEventLog()


def event_log() -> StoredEventLog | MemoryEventLog:
    """The history that the settings name."""
    settings = settings_from()
    return _memory_log() if settings.history == "memory" else stored_log(settings.store)


class _Surroundings(NamedTuple):
    log: EventLog
    results: Any


_surroundings: ContextVar[_Surroundings | None] = ContextVar("notebook_flows.surroundings", default=None)


@contextmanager
def surroundings(log: EventLog, results: Any) -> Iterator[None]:
    """Inside, runs, and runs inside their tasks, keep their history and files here, whatever the settings say.

    Args:
        log: the history.
        results: for tasks with a ``target``; see `store.results`.
    """
    token = _surroundings.set(_Surroundings(log, results))
    try:
        yield
    finally:
        _surroundings.reset(token)


def log_for(history: bool | None) -> EventLog:
    """The history that a run is to go into; False: none, None: as the settings say."""
    given = _surroundings.get()
    if given is not None and history is not False:
        return given.log
    choice = settings_from().history
    if history is False or (history is None and choice == "off"):
        from notebook_flows.engine.nolog import NoEventLog

        return NoEventLog()
    return event_log()


def default_results() -> Any:
    """Where the files of tasks with a ``target`` go, unless their task or flow says otherwise."""
    given = _surroundings.get()
    if given is not None:
        return given.results
    from notebook_flows.store.results import LocalResult

    return LocalResult(settings_from().results)


def result_store() -> ResultStore:
    """Where the results are kept that other runs may take."""
    from notebook_flows.store.keeping import ResultStore, blobs_at
    from notebook_flows.store.parts import part_of

    settings = settings_from()
    most = settings.max_result_size or None
    if _surroundings.get() is not None or settings.history == "memory":
        return ResultStore(blobs_at(settings.blobs), most_inline=sys.maxsize, most=most)  # it ends with the history
    return ResultStore(blobs_at(settings.blobs), most=most, part=lambda: part_of(event_log()))


def ends_with_process(history: Any) -> bool:
    """Whether it is only kept in memory."""
    return not hasattr(history, "place")


def secret_key() -> bytes:
    """With which secrets are hashed for keys: made once for each history, beside it, and for its owner only."""
    settings = settings_from()
    if _surroundings.get() is not None or settings.history == "memory":
        return _key_of_process()
    folder = settings.store.parent if isinstance(settings.store, Path) else data_folder()
    path = folder / "secrets.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass  # made now
    try:
        return _made_key(path)
    except OSError as error:
        raise StoreUnavailable(f"The key for secrets cannot be kept in {path}: {error.strerror}.") from error


def _made_key(path: Path) -> bytes:
    make_private_folder(path.parent)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with os.fdopen(open_private(aside, os.O_WRONLY | os.O_EXCL), "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # fails if another process was faster: then its key counts
    except FileExistsError:
        pass  # as said
    finally:
        aside.unlink()
    return path.read_bytes()


@cache
def _key_of_process() -> bytes:
    return secrets.token_bytes(32)


def forget_old_runs(histories: EventLog, clock: WaitingClock) -> None:
    """Once a day: let the history forget what is older than the settings want.

    On a server, which others use too, only if somebody has set it.
    """
    settings = settings_from()
    keep_days = settings.keep_days
    path = getattr(histories, "path", None)
    if path is None or keep_days <= 0:
        return
    is_file = os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for some paths
    is_wanted_of_server = os.path.isdir(path.parent) and "keep_days" in settings.origins  # noqa: PTH112 - as above
    if not (is_wanted_of_server if histories.place.asks_server else is_file):  # type: ignore[attr-defined] # as below
        return
    marker = path.with_name(f"{path.name}.pruned")
    if marker.exists() and clock.now_us() / 1e6 - marker.stat().st_mtime < DAY_S:
        return
    try:
        marker.touch(mode=0o600)
        if histories.prune(keep_days=keep_days):  # type: ignore[attr-defined] # those with a path have it
            cleaning = threading.Thread(
                target=_forget_contents_of, args=(histories,), name="notebook-flows-cleaning", daemon=True
            )
            cleaning.start()  # no run waits for it; what it does not get to is left to `cache gc`
    except (OSError, StoreError) as error:  # no warning: the run that begins now meets the same trouble, and tells it
        logging.getLogger(__name__).info("Old runs could not be forgotten; the next try is tomorrow: %s", error)


def _forget_contents_of(history: Any) -> None:
    try:
        forget_contents(history)
    except (OSError, StoreError):
        logging.getLogger(__name__).warning("What old runs had kept could not be removed.", exc_info=True)


def forget_contents(history: Any) -> int:
    """Remove the content that only forgotten runs referred to; returns how many pieces there were.

    Only from where this history alone keeps it: into a place that was set others may write, too.

    Raises:
        StoreError: it cannot be removed.
    """
    from notebook_flows.store.cleaning import clean

    settings = settings_from()
    if "blobs" in settings.origins or ends_with_process(history):
        return 0
    return clean(
        history._writer, result_store(), now_us=time.time_ns() // 1000, keep_days=None, most_bytes=None
    ).contents
