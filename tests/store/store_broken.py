"""Stores that break one promise each, on purpose: the promises must catch them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from store_benches import FarPostgresBench, MemoryBench, PostgresBench, SqliteBench

from notebook_flows.core.lifecycle import S
from notebook_flows.store import memory, phrases, runlog, serverplace, sweeping, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def acknowledges_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runlog.StoredRunLog, "flush", lambda *_: None)
    patch.setattr("notebook_flows.store.writer.GATHER_S", 1.0)


def loses_what_is_queued_at_close(patch: pytest.MonkeyPatch) -> None:
    def close(self: Any, patience_s: float | None = None) -> None:
        self._events.clear()
        self._writer.abandon(self)

    patch.setattr(runlog.StoredRunLog, "close", close)


def has_no_unique_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory._Kept, "add", lambda self, events: self.events.extend(events))


def lets_the_last_word_win(patch: pytest.MonkeyPatch) -> None:
    def add(self: Any, events: Any) -> None:
        for event in events:
            self.events[event.seq - 1 : event.seq] = [event]

    patch.setattr(memory._Kept, "add", add)


def does_not_look_at_the_owner(patch: pytest.MonkeyPatch) -> None:
    def advance(connection: Any, run_no: int, owner_epoch: int, batch: Any) -> bool:
        connection.execute("UPDATE run SET last_seq = ? WHERE run_no = ?", (batch.last_seq, run_no))
        return True

    patch.setattr(writing, "_advance", advance)
    patch.setattr(writing, "EVENTS", writing.EVENTS.replace("INSERT", "INSERT OR REPLACE"))


def takes_the_live_for_dead(patch: pytest.MonkeyPatch) -> None:
    class NoLock:
        def __init__(self, path: Path) -> None:
            self.path = path

        def acquire(self) -> bool:
            return True

        def release(self, **_: Any) -> None:
            pass

    patch.setattr(sweeping, "lock_of_run", lambda path, _: NoLock(path))


def never_finds_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory.MemoryEventLog, "sweep", lambda _: [])


def guesses_success(patch: pytest.MonkeyPatch) -> None:
    def events(*args: Any) -> Any:
        for event in sweeping.crash_events(*args):
            yield event._replace(state=S.SUCCESS)

    patch.setattr(memory, "crash_events", events)


def tears_a_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writing, "write_projections", lambda *_: None)


def forgets_large_events(patch: pytest.MonkeyPatch) -> None:
    honest = writing.write_events

    def write_events(connection: Any, run_no: int, batch: Any) -> None:
        honest(connection, run_no, replace(batch, large=[]))

    patch.setattr(writing, "write_events", write_events)


def reads_one_too_many(patch: pytest.MonkeyPatch) -> None:
    honest = memory.MemoryEventLog.read
    patch.setattr(
        memory.MemoryEventLog,
        "read",
        lambda self, run_id, after=0, limit=None: honest(self, run_id, max(after - 1, 0), limit),
    )


def hands_requests_out_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory.MemoryRunLog, "requests", lambda self: list(self._kept.requests))


def prunes_what_still_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory, "IS_FINAL", (True,) * 40)


def says_no_lock_to_the_server(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(serverplace.PostgresPlace, "take", lambda *_, **__: True)


def forgets_what_an_attempt_said(patch: pytest.MonkeyPatch) -> None:
    said = phrases._SAID_AGAIN[writing.OTHER].replace("coalesce(excluded.started_us, old.started_us)", "NULL")
    patch.setitem(phrases._SAID_AGAIN, writing.OTHER, said)
    phrases.said_to_postgres.cache_clear()


def counts_every_attempt(patch: pytest.MonkeyPatch) -> None:
    said = phrases._SAID_AGAIN[writing.COUNTS].replace("DISTINCT ON (node, map_index)", "")
    patch.setitem(phrases._SAID_AGAIN, writing.COUNTS, said)
    phrases.said_to_postgres.cache_clear()


BROKEN: list[tuple[Callable[[pytest.MonkeyPatch], None], type]] = [
    (acknowledges_before_the_commit, SqliteBench),
    (loses_what_is_queued_at_close, SqliteBench),
    (does_not_look_at_the_owner, SqliteBench),
    (takes_the_live_for_dead, SqliteBench),
    (tears_a_batch, SqliteBench),
    (forgets_large_events, SqliteBench),
    (has_no_unique_key, MemoryBench),
    (lets_the_last_word_win, MemoryBench),
    (never_finds_the_dead, MemoryBench),
    (guesses_success, MemoryBench),
    (reads_one_too_many, MemoryBench),
    (hands_requests_out_again, MemoryBench),
    (prunes_what_still_runs, MemoryBench),
]

BROKEN_SERVERS: list[tuple[Callable[[pytest.MonkeyPatch], None], type]] = [
    (acknowledges_before_the_commit, PostgresBench),
    (does_not_look_at_the_owner, PostgresBench),
    (forgets_large_events, PostgresBench),
    (forgets_what_an_attempt_said, PostgresBench),
    (counts_every_attempt, PostgresBench),
    (says_no_lock_to_the_server, FarPostgresBench),
]
