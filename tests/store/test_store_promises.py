"""Every store keeps every promise; and the promises are sharp enough to catch stores that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from store_bench import PROMISES
from store_benches import FarPostgresBench, MemoryBench, PostgresBench, SqliteBench, bench_of
from store_broken import BROKEN, BROKEN_SERVERS

from notebook_flows.store import phrases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from store_server import Server


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("kind", [SqliteBench, MemoryBench], ids=["sqlite", "memory"])
def test_a_store_keeps(kind: Any, promise: Callable[[Any], None], tmp_path: Path) -> None:
    with bench_of(kind, tmp_path) as bench:
        promise(bench)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("kind", [PostgresBench, FarPostgresBench], ids=["postgres", "postgres_from_afar"])
def test_a_server_keeps(kind: Any, promise: Callable[[Any], None], tmp_path: Path, server: Server) -> None:
    with bench_of(kind, tmp_path, server) as bench:
        promise(bench)


@pytest.mark.parametrize(("breaking", "kind"), BROKEN, ids=[breaking.__name__ for breaking, _ in BROKEN])
def test_the_promises_catch_a_store_that(
    breaking: Callable[[pytest.MonkeyPatch], None], kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch)

    is_caught = any(_is_broken(promise, kind, tmp_path / promise.__name__) for promise in PROMISES)

    assert is_caught


@pytest.mark.parametrize(
    ("breaking", "kind"), BROKEN_SERVERS, ids=[breaking.__name__ for breaking, _ in BROKEN_SERVERS]
)
def test_the_promises_catch_a_history_on_a_server_that(
    breaking: Callable[[pytest.MonkeyPatch], None],
    kind: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    breaking(monkeypatch)

    is_caught = any(_is_broken(promise, kind, tmp_path / promise.__name__, server) for promise in PROMISES)

    phrases.said_to_postgres.cache_clear()
    assert is_caught


def _is_broken(promise: Callable[[Any], None], kind: Any, folder: Path, *more: Any) -> bool:
    folder.mkdir()
    try:
        with bench_of(kind, folder, *more) as bench:
            promise(bench)
    except (Exception, pytest.fail.Exception):
        return True
    return False
