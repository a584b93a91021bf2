"""Writes the histories in tests/golden/stores: one of each version, in a file and on a server, that later versions read.

    python tests/store/write_golden_stores.py

Those of versions before this one stay as they are: only a notebook_flows of that time could write them.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from store_bench import BEGUN, HandClock, info, line, run_is, task_is
from store_server import QUOTED, Server

from notebook_flows.core.lifecycle import S
from notebook_flows.store import locks
from notebook_flows.store.postgres import PostgresEventLog
from notebook_flows.store.rows import Owner
from notebook_flows.store.schema import VERSION
from notebook_flows.store.sqlite import SqliteEventLog

FOLDER = Path(__file__).parent.parent / "golden" / "stores"
ENDED, PAUSED, DEAD = "e" * 32, "a" * 32, "d" * 32
ELSEWHERE = Owner(host="golden", boot_id="golden", pid=1, process_started=1)


def fill(log: Any) -> None:
    """A run that has ended, one that is paused, and one whose process is gone."""
    ended = log.begin(info(ENDED, parameters={"year": 2024}, environment={"git": "abc"}))
    ended.add_log_lines([line("reading"), line("é ␀ 𝄞", node=-1)])
    ended.append([*BEGUN, task_is(S.RETRYING, 5, 1, message="no network"), task_is(S.RUNNING, 6, 1, attempt=2)])
    ended.append([task_is(S.SUCCESS, 7, 1, attempt=2, result={"key": "r1"}), task_is(S.FAILED, 8, 2, message="oh")])
    ended.append([run_is(S.FAILED, 9, "report failed")])
    ended.close()
    paused = log.begin(info(PAUSED))
    paused.append([*BEGUN, task_is(S.PAUSED, 5, 1), run_is(S.PAUSED, 6)])
    paused.close()
    dead = log.begin(info(DEAD))
    dead.append(BEGUN)
    dead.flush()
    log.request(DEAD, "cancel", {"reason": "golden"})
    dead.close()


def write_file() -> None:
    """The history in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        log = SqliteEventLog(path, clock=HandClock())
        fill(log)
        log.close()
        packed = gzip.compress(path.read_bytes(), mtime=0)
    (FOLDER / f"version-{VERSION}.sqlite.gz").write_bytes(packed)


def write_dump() -> None:
    """The history on a server, as SQL."""
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = PostgresEventLog(server.url(schema="golden"), Path(folder), clock=HandClock())
            fill(log)
            log._writer.call(lambda connection: connection.execute("UPDATE presence SET seen_us = 1"))
            log.close()
        done = subprocess.run(
            [str(server._programs / "pg_dump"), "--schema=golden", "--inserts", "--no-owner", "--no-privileges",
             server.url()],
            capture_output=True, text=True, check=True, env={"PGPASSWORD": QUOTED},
        )  # fmt: skip
    finally:
        server.remove()
    wanted = [row for row in done.stdout.splitlines() if row and not row.startswith(("\\", "--", "SET ", "SELECT pg_catalog.set_config"))]  # fmt: skip
    (FOLDER / f"version-{VERSION}.postgres.sql").write_text("\n".join(wanted) + "\n", encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    locks.this_process = lambda: ELSEWHERE
    for module in ("eventlog", "sweeping", "serverplace", "place"):
        sys.modules[f"notebook_flows.store.{module}"].this_process = lambda: ELSEWHERE
    write_file()
    write_dump()
    print(*sorted(FOLDER.iterdir()), sep="\n")
