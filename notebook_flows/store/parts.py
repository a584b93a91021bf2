"""The part of a place for content that is one history's own: several histories may share a folder or a bucket.

Its name is in the history itself, so that it is the same for all who write to that history, wherever they are.
"""

from __future__ import annotations

import re
import secrets
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from notebook_flows.errors import StoreError

if TYPE_CHECKING:
    from notebook_flows.store.place import Connection

TABLE = "CREATE TABLE IF NOT EXISTS blob_part (one INTEGER PRIMARY KEY, part TEXT NOT NULL)"
_ADD = "INSERT INTO blob_part (one, part) VALUES (1, ?) ON CONFLICT DO NOTHING"
_PART = re.compile(r"of-[0-9a-f]{16}")
_known: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
_looking = threading.Lock()


def part_of(history: Any) -> str:
    """The name of a history's part, made when it is asked for first; empty: it has none, as it cannot be reached.

    Args:
        history: an event log; those in memory have no part.
    """
    if not hasattr(history, "place"):
        return ""
    with _looking:
        if history not in _known:
            try:
                _known[history] = history._writer.call(_part_in)
            except StoreError:  # whoever writes results there is told by the history itself
                return ""
        return _known[history]


def _part_in(connection: Connection) -> str:
    connection.execute(TABLE)
    connection.execute(_ADD, (f"of-{secrets.token_hex(8)}",))
    (part,) = connection.execute("SELECT part FROM blob_part").fetchone()
    return checked_part(part)


def checked_part(name: str) -> str:
    """The name of a part, if it is one; it becomes part of paths and addresses.

    Raises:
        StoreError: it is none.
    """
    if not _PART.fullmatch(name):
        raise StoreError(f"{name[:80]!r} names no part of a place for results.")
    return name
