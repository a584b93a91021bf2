"""Looking after what is kept of results: what there is, whether it is whole, and what nobody needs any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from notebook_flows.errors import StoreError
from notebook_flows.store import attached
from notebook_flows.store.keeping import verified
from notebook_flows.store.kept import FORGET, FORGET_CONTENT, HELD, REFERENCES, has_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from notebook_flows.store.keeping import ResultStore
    from notebook_flows.store.kept import KeptReader
    from notebook_flows.store.place import Connection
    from notebook_flows.store.writer import Writer

DAY_US = 86_400 * 1_000_000
GRACE_US = DAY_US
"""What was written within a day may belong to a run whose events are still on their way."""

FOR_EVER_US = (1 << 63) - 1
"""No run has ended later than that: only those that go on count."""


class Cleaned(NamedTuple):
    """What was removed.

    Attributes:
        keys: results that no run will find any more.
        contents: pieces of content, in the history and elsewhere.
        freed_bytes: all in all.
    """

    keys: int
    contents: int
    freed_bytes: int


def clean(
    writer: Writer,
    store: ResultStore,
    *,
    now_us: int,
    keep_days: float | None,
    most_bytes: int | None,
    is_shared: bool = False,
) -> Cleaned:
    """Forget what was of no use for long, or is too much, and the content that nothing refers to any more.

    What a run that goes on has found stays in any case, and what somebody begins to use meanwhile.
    Of the place where large content is, the history's own part is cleaned: in others may be what other histories name.

    Args:
        writer: of the history.
        store: where large content is.
        now_us: microseconds since 1970.
        keep_days: results that were of no use for longer go, and those of runs that ended earlier; None: none goes.
        most_bytes: of content under keys; what was of use last stays; None: as much as there is.
        is_shared: others may write to the place, too: then what lies in no part is left alone.
    """
    before_us = 0 if keep_days is None else now_us - int(keep_days * DAY_US)
    keys, contents, freed, needed = writer.call(
        lambda connection: _clean(connection, now_us, before_us, most_bytes), frees=True
    )
    places = [] if is_shared else [store.blobs]
    if store.part:
        places.append(store.blobs.part(store.part))
    fresh_us = now_us - GRACE_US
    for blobs in places:
        for one in blobs.all():
            if one.name in needed or one.used_us >= fresh_us:
                continue
            if blobs.remove(one.name, unused_since_us=fresh_us):
                contents += 1
                freed += one.size_bytes
    return Cleaned(keys, contents, freed)


def _clean(
    connection: Connection, now_us: int, before_us: int, most_bytes: int | None
) -> tuple[int, int, int, frozenset[str]]:
    if not has_tables(connection):
        return 0, 0, 0, attached.needed(connection)
    unused = {key for (key,) in connection.execute("SELECT key FROM cached WHERE used_us < ?", (before_us,))}
    if unused:
        unused -= {key for (key,) in connection.execute(HELD, (before_us,))}
    if most_bytes is not None:
        unused |= _too_much(connection, unused, most_bytes)
    connection.execute(FORGET, (json.dumps(sorted(unused)),))
    needed = {name for (name,) in connection.execute("SELECT DISTINCT sha256 FROM cached")}
    needed |= {name for (name,) in connection.execute(REFERENCES, (before_us,))}
    needed |= attached.needed(connection)
    old = connection.execute(
        "SELECT sha256, length(content) FROM content WHERE used_us < ?", (now_us - GRACE_US,)
    ).fetchall()
    removed = [(name, size) for name, size in old if name not in needed]
    connection.execute(FORGET_CONTENT, (json.dumps([name for name, _ in removed]),))
    return len(unused), len(removed), sum(size for _, size in removed), frozenset(needed)


def _too_much(connection: Connection, unused: Collection[str], most_bytes: int) -> set[str]:
    """The keys, of those that stay, that have to go for lack of room: those that were of use longest ago."""
    held = {key for (key,) in connection.execute(HELD, (FOR_EVER_US,))}
    left = most_bytes
    too_much = set()
    seen: set[str] = set()
    for key, name, size in connection.execute(
        "SELECT key, sha256, size FROM cached ORDER BY used_us DESC, key"
    ).fetchall():
        if key in unused:
            continue
        left -= 0 if name in seen else size
        seen.add(name)
        if left < 0 and key not in held:
            too_much.add(key)
    return too_much


def forget(writer: Writer, keys: Collection[str]) -> int:
    """Forget the results under these keys; their content goes with the next cleaning."""

    def remove(connection: Connection) -> int:
        return connection.execute(FORGET, (json.dumps(list(keys)),)).rowcount if has_tables(connection) else 0

    return writer.call(remove, frees=True)


def damaged(reader: KeptReader, store: ResultStore, looked_at: Callable[[], None] = lambda: None) -> dict[str, str]:
    """The keys whose content is gone or not what was written, each with the sentence that says so. Reads everything."""
    found: dict[str, str] = {}
    for one in reader.all():
        reference = one.reference
        try:
            inline = reference["in"] == "history"
            content = (
                reader.content(reference["sha256"]) if inline else store.blobs_of(reference).get(reference["sha256"])
            )
            if content is None:
                found[one.key] = f"The content {reference['sha256'][:12]} of a result is not in the history any more."
            else:
                verified(content, reference)
        except StoreError as error:
            found[one.key] = str(error)
        looked_at()
    return found
