"""The history's statements as PostgreSQL understands them: there is one text of each, and what SQLite says its own way
is said again here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from notebook_flows.core.lifecycle import S
from notebook_flows.store import attached, kept, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection as SqlConnection, RootTransaction

_EVENTS = """
INSERT INTO event (run_no, seq, body)
SELECT ?1, ?2 + place - 1, body::text FROM json_array_elements(?3::json) WITH ORDINALITY AS told (body, place)
"""

_PLAIN = """
INSERT INTO task_run AS old (run_no, map_index, loop, attempt, node, seq, state, started_us, ended_us)
SELECT ?1, -1, 1, 1, (told->>0)::bigint, (told->>1)::bigint, (told->>2)::smallint, (told->>3)::bigint,
       (told->>4)::bigint
FROM json_array_elements(?2::json) AS rows (told)
ON CONFLICT (run_no, node, map_index, loop, attempt) DO UPDATE SET state = excluded.state, seq = excluded.seq,
       started_us = coalesce(excluded.started_us, old.started_us), ended_us = excluded.ended_us
"""

_OTHER = """
INSERT INTO task_run AS old
       (run_no, node, map_index, loop, attempt, seq, state, started_us, ended_us, message, result)
SELECT ?1, (told->>0)::bigint, (told->>1)::bigint, (told->>2)::bigint, (told->>3)::bigint, (told->>4)::bigint,
       (told->>5)::smallint, (told->>6)::bigint, (told->>7)::bigint, told->>8, told->>9
FROM json_array_elements(?2::json) AS rows (told)
ON CONFLICT (run_no, node, map_index, loop, attempt) DO UPDATE SET state = excluded.state, seq = excluded.seq,
       started_us = coalesce(excluded.started_us, old.started_us), ended_us = excluded.ended_us,
       message = coalesce(excluded.message, old.message), result = coalesce(excluded.result, old.result)
"""

_LINES = """
INSERT INTO log (run_no, number, at_us, level, logger, message, node, map_index, attempt)
SELECT ?1, ?2 + place - 1, (told->>0)::bigint, (told->>1)::bigint, told->>2, told->>3, (told->>4)::bigint,
       (told->>5)::bigint, (told->>6)::bigint
FROM json_array_elements(?3::json) WITH ORDINALITY AS rows (told, place)
ON CONFLICT DO NOTHING
"""

_COUNTS = f"""
SELECT state, count(*) FROM (
    SELECT DISTINCT ON (node, map_index) node, state FROM task_run WHERE run_no = ?1
    ORDER BY node, map_index, seq DESC
) AS latest
WHERE state NOT IN ({S.EXPANDED:d}, {S.MAPPED:d}) OR NOT EXISTS (
    SELECT 1 FROM task_run AS child WHERE child.run_no = ?1 AND child.node = latest.node AND child.map_index >= 0
)
GROUP BY state
"""  # noqa: S608 - numbers of our own

_EACH, _TEXTS = "SELECT value FROM json_each(?{})", "SELECT json_array_elements_text(?{}::json)"
_SAID_AGAIN = {
    kept.CONTENT_TABLE: kept.CONTENT_TABLE.replace("BLOB", "BYTEA").replace("INTEGER", "BIGINT"),
    kept.CACHED_TABLE: kept.CACHED_TABLE.replace("INTEGER", "BIGINT").replace(" WITHOUT ROWID", ""),
    attached.TABLE: attached.TABLE.replace("INTEGER", "BIGINT").replace(" WITHOUT ROWID", ""),
    attached.HAS_TABLE: "SELECT 1 WHERE to_regclass('artifact') IS NOT NULL",
    kept.HAS_TABLES: "SELECT 1 WHERE to_regclass('cached') IS NOT NULL",
    kept.MARK_USED: kept.MARK_USED.replace(_EACH.format(2), _TEXTS.format(2)),
    kept.AHEAD: kept.AHEAD.replace("instr(", "strpos("),
    kept.FORGET: kept.FORGET.replace(_EACH.format(1), _TEXTS.format(1)),
    kept.FORGET_CONTENT: kept.FORGET_CONTENT.replace(_EACH.format(1), _TEXTS.format(1)),
    kept.REFERENCES: kept.REFERENCES.replace("json_extract(result, '$.sha256')", "result::json->>'sha256'"),
    kept.HELD: kept.HELD.replace("json_extract(result, '$.cached')", "result::json->>'cached'"),
    writing.EVENTS: _EVENTS,
    writing.PLAIN: _PLAIN,
    writing.OTHER: _OTHER,
    writing.LINES: _LINES,
    writing.COUNTS: _COUNTS,
    writing.LOCK: f"{writing.LOCK} FOR UPDATE",
}
_MARK = re.compile(r"\?(\d*)")


@lru_cache(maxsize=256)
def said_to_postgres(sql: str) -> str:
    """The statement with named places for its values.

    >>> said_to_postgres("SELECT 1 FROM run WHERE flow = ? AND run_no > ?2 + ?1")
    'SELECT 1 FROM run WHERE flow = %(v1)s AND run_no > %(v2)s + %(v1)s'
    """
    highest = 0

    def named(mark: re.Match[str]) -> str:
        nonlocal highest
        number = int(mark[1]) if mark[1] else highest + 1  # as SQLite counts
        highest = max(highest, number)
        return f"%(v{number})s"

    return _MARK.sub(named, _SAID_AGAIN.get(sql, sql))


class PostgresConnection:
    """Fits `place.Connection`: says the history's statements to a server.

    Args:
        inner: SQLAlchemy's connection.
        own: psycopg's, where it is to be closed too: SQLAlchemy only forgets a detached one when the server goes away.
    """

    def __init__(self, inner: SqlConnection, own: Any = None) -> None:
        self.inner = inner
        self._raw = own

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Say one statement; the answer is SQLAlchemy's `CursorResult`."""
        named = {f"v{number}": value for number, value in enumerate(values, 1)}
        return self.inner.exec_driver_sql(said_to_postgres(sql), named or None)

    def begin(self) -> RootTransaction:
        """A transaction, as a context."""
        return self.inner.begin()

    def close(self) -> None:
        """End the session, and with it all that it holds."""
        self.inner.close()
        if self._raw is not None:
            self._raw.close()
