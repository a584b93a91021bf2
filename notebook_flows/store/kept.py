"""What a history keeps beside events: small content of results, and the keys under which other runs find results.

Two tables that are made when the first result is kept; a notebook_flows that does not know them leaves them alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from notebook_flows.engine.ports import KnownResult
from notebook_flows.engine.reference import Reference
from notebook_flows.errors import StoreError
from notebook_flows.store.connection import as_store_error, open_for_reading
from notebook_flows.store.encoding import clean_text, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from notebook_flows.engine.ports import KeptContent
    from notebook_flows.store.place import Connection

T = TypeVar("T")

CONTENT_TABLE = """
CREATE TABLE IF NOT EXISTS content (
    sha256   TEXT PRIMARY KEY,
    content  BLOB NOT NULL,
    used_us  INTEGER NOT NULL
)"""
CACHED_TABLE = """
CREATE TABLE IF NOT EXISTS cached (
    key         TEXT PRIMARY KEY,
    run_id      TEXT NOT NULL,
    task        TEXT NOT NULL,
    map_index   INTEGER NOT NULL,
    took_us     INTEGER NOT NULL,
    created_us  INTEGER NOT NULL,
    used_us     INTEGER NOT NULL,
    sha256      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    result      TEXT NOT NULL
) WITHOUT ROWID"""
HAS_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'cached'"
MARK_USED = """
UPDATE cached SET used_us = ?1 WHERE key IN (SELECT value FROM json_each(?2)) AND used_us < ?1 - ?3
"""
FORGET = "DELETE FROM cached WHERE key IN (SELECT value FROM json_each(?1))"
FORGET_CONTENT = "DELETE FROM content WHERE sha256 IN (SELECT value FROM json_each(?1))"
REFERENCES = """
SELECT DISTINCT json_extract(result, '$.sha256') FROM task_run JOIN run USING (run_no)
WHERE result IS NOT NULL AND (run.ended_us IS NULL OR run.ended_us >= ?1) AND json_extract(result, '$.sha256') IS NOT NULL
"""
HELD = """
SELECT DISTINCT json_extract(result, '$.cached') FROM task_run JOIN run USING (run_no)
WHERE result IS NOT NULL AND (run.ended_us IS NULL OR run.ended_us >= ?1) AND json_extract(result, '$.cached') IS NOT NULL
"""
"""The keys under which runs have found results. It is only at their end that these count as used."""
USED_EVERY_US = 3_600 * 1_000_000
_CONTENT = """
INSERT INTO content (sha256, content, used_us) VALUES (?, ?, ?)
ON CONFLICT (sha256) DO UPDATE SET used_us = excluded.used_us
"""
_CACHED = """
INSERT INTO cached (key, run_id, task, map_index, took_us, created_us, used_us, sha256, size, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET run_id = excluded.run_id, task = excluded.task, map_index = excluded.map_index,
       took_us = excluded.took_us, created_us = excluded.created_us, used_us = excluded.used_us,
       sha256 = excluded.sha256, size = excluded.size, result = excluded.result
"""
_FIND = """
SELECT key, run_id, task, map_index, took_us, created_us, result, content.content, cached.used_us
FROM cached LEFT JOIN content ON content.sha256 = cached.sha256 WHERE cached.key = ?
"""
AHEAD = """
SELECT key, task, map_index, took_us, created_us, result, sha256, used_us FROM cached
WHERE run_id = ? AND size <= ? AND instr(result, '"in":"history"') > 0 LIMIT ?
"""
CONTENTS_AHEAD = """
SELECT sha256, content FROM content WHERE sha256 IN (SELECT sha256 FROM cached WHERE run_id = ? AND size <= ?)
"""
_ALL_CONTENTS = "SELECT sha256, content FROM content WHERE length(content) <= ?"
HITS_BEFORE_AHEAD = 32
"""After so many results of one run the next ones will be its own, too: all its small ones are read at once."""
SMALL = 512
MOST_AHEAD = 50_000
MOST_CONTENTS = 20_000
"""If a history has no more of them, all small ones are read."""
_ALL = """
SELECT key, run_id, task, map_index, took_us, created_us, result, NULL, used_us FROM cached ORDER BY created_us DESC
"""


class UnreadableError(StoreError):
    """What is kept cannot be read for the moment."""


def has_tables(connection: Connection) -> bool:
    """Whether results were ever kept in this history."""
    return connection.execute(HAS_TABLES).fetchone() is not None


def write_kept(connection: Connection, contents: Sequence[KeptContent], now_us: int) -> None:
    """Write contents and keys, within the caller's transaction; what is there already stays."""
    if not has_tables(connection):
        connection.execute(CONTENT_TABLE)
        connection.execute(CACHED_TABLE)
    for one in contents:
        if one.content is not None:
            connection.execute(_CONTENT, (one.sha256, one.content, now_us))
        if one.key is not None and one.found is not None:
            found = one.found
            told = (found["run_id"], clean_text(found["task"]), found["index"], found["took_us"], found["created_us"])
            reference = found["reference"]
            connection.execute(_CACHED, (one.key, *told, now_us, one.sha256, reference["size"], to_json(reference)))


def mark_used(connection: Connection, keys: Iterable[str], now_us: int) -> None:
    """These results were of use just now; that is written once an hour at most."""
    if has_tables(connection):
        connection.execute(MARK_USED, (now_us, json.dumps(list(keys)), USED_EVERY_US))


class KeptReader:
    """Fits `engine.ports.KnownResults`: reads what a history has kept, through a connection of its own.

    What cannot be read is not known: then its task runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._hits: Counter[str] = Counter()
        self._ahead: dict[str, Sequence[Any]] = {}

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._answer(list, statement, *values)

    def _answer(self, gather: Callable[[Iterable[Any]], T], statement: str, *values: Any) -> T:
        """What is made of the rows of an answer while they come."""
        if self._connection is None:
            try:
                self._connection = open_for_reading(self._path)
            except sqlite3.Error as error:
                raise self._unreadable(error) from error
            if self._connection is None:
                return gather(())
        try:
            return gather(self._connection.execute(statement, values))
        except sqlite3.Error as error:
            try:
                if not has_tables(self._connection):
                    return gather(())
            except sqlite3.Error:
                pass  # the first error says more
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> UnreadableError:
        return UnreadableError(str(as_store_error(error, self._path, doing="read")))

    def find(self, key: str) -> KnownResult | None:
        """The result under this key."""
        row = self._ahead.get(key)
        return self._asked_for(key) if row is None else _known(row)

    def _asked_for(self, key: str) -> KnownResult | None:
        try:
            rows = self._rows(_FIND, key)
            if not rows:
                return None
            found = _known(rows[0])
            if found.inline is not None and found.reference["in"] != "history":
                found = found._replace(inline=None)  # other results with this content are there, this one is elsewhere
            self._hits[found.run_id] += 1
            if self._hits[found.run_id] == HITS_BEFORE_AHEAD:
                self._read_ahead(found.run_id)
        except StoreError:
            return None
        return found

    def _read_ahead(self, run_id: str) -> None:
        """Read all small results of one run."""
        contents = self._contents_of(run_id)

        def known(rows: Iterable[Any]) -> dict[str, tuple[Any, ...]]:
            return {
                key: (key, run_id, task, index, took_us, created_us, result, contents[sha256], used_us)
                for key, task, index, took_us, created_us, result, sha256, used_us in rows
                if sha256 in contents
            }

        self._ahead.update(self._answer(known, AHEAD, run_id, SMALL, MOST_AHEAD))

    def _contents_of(self, run_id: str) -> dict[str, bytes]:
        """The small contents of one run, perhaps with others: to read one after the other costs a quarter of looking up."""
        (last,) = self._rows("SELECT coalesce(max(rowid), 0) FROM content")[0]
        if last <= MOST_CONTENTS:
            return self._answer(dict, _ALL_CONTENTS, SMALL)
        return self._answer(dict, CONTENTS_AHEAD, run_id, SMALL)

    def content(self, sha256: str) -> bytes | None:
        """Content that lies in the history."""
        try:
            rows = self._rows("SELECT content FROM content WHERE sha256 = ?", sha256)
        except StoreError:
            return None
        return bytes(rows[0][0]) if rows else None

    def all(self) -> list[KnownResult]:
        """All results that have a key, the newest first, without their content.

        Raises:
            StoreError: the history cannot be read.
        """
        return [_known(row) for row in self._rows(_ALL)]

    def close(self) -> None:
        """Close the connection; a later question opens another."""
        connection, self._connection = self._connection, None
        self._ahead.clear()
        if connection is not None:
            connection.close()


class _Row(KnownResult):
    """What a row says; its reference is a text, which is read where somebody wants to know."""

    __slots__ = ()

    @property
    def reference(self) -> Mapping[str, Any]:
        """To its content."""
        text: Any = self[6]
        return Reference(text)


_new = tuple.__new__  # twice as quick as the class itself


def _known(row: Sequence[Any]) -> KnownResult:
    """What a row says."""
    key, run_id, task, index, took_us, created_us, result, inline, used_us = row
    content = None if inline is None else bytes(inline)
    return _new(_Row, (key, run_id, task, index, took_us, created_us, result, content, used_us))
