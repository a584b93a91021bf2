"""What the disk allows: an event and a task row per transition with the stdlib's sqlite3, WAL, synchronous=FULL."""

import sqlite3
from uuid import uuid4

from measure import Act, Case, main

SCHEMA = """
CREATE TABLE event (run_id TEXT, seq INTEGER, task INTEGER, state TEXT, PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
CREATE TABLE task_run (run_id TEXT, task INTEGER, state TEXT, PRIMARY KEY (run_id, task)) WITHOUT ROWID;
"""
EVENT = "INSERT INTO event VALUES (?, ?, ?, ?)"
TASK_RUN = "INSERT INTO task_run VALUES (?, ?, ?) ON CONFLICT (run_id, task) DO UPDATE SET state = excluded.state"


def history(case: Case) -> Act:
    db = sqlite3.connect(f"{uuid4().hex}.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(SCHEMA)
    size = 100 if case.variant == "batch" else 1
    transitions = [("run", 2 * i + k, i, ("started", "ended")[k]) for i in range(case.n) for k in (0, 1)]

    def act() -> dict[str, float]:
        for start in range(0, len(transitions), size):
            batch = transitions[start : start + size]
            db.execute("BEGIN IMMEDIATE")
            db.executemany(EVENT, batch)
            db.executemany(TASK_RUN, [(run, task, state) for run, _, task, state in batch])
            db.execute("COMMIT")
        return {"transitions": len(transitions)}

    return act


if __name__ == "__main__":
    main({"history": history})
