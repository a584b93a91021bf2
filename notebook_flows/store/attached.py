"""The artifacts of runs: their events, and an index of these, so that nobody has to read all events to find them.

The index is a table that is made with the first artifact; a notebook_flows that does not know it leaves it alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notebook_flows.core.events import Kind
from notebook_flows.store.encoding import clean_text, decode
from notebook_flows.store.rows import ArtifactRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from notebook_flows.core.events import Event
    from notebook_flows.store.place import Connection

TABLE = """
CREATE TABLE IF NOT EXISTS artifact (
    run_no  INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    sha256  TEXT,
    PRIMARY KEY (run_no, seq)
) WITHOUT ROWID"""
HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'artifact'"
_ADD = "INSERT INTO artifact (run_no, seq, sha256) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_EVENTS = """
SELECT event.seq, event.body FROM artifact JOIN event USING (run_no, seq) WHERE artifact.run_no = ? ORDER BY event.seq
"""
_NEEDED = "SELECT DISTINCT sha256 FROM artifact WHERE sha256 IS NOT NULL"


def has_table(connection: Connection) -> bool:
    """Whether anything was ever attached in this history."""
    return connection.execute(HAS_TABLE).fetchone() is not None


def index(connection: Connection, run_no: int, attached: Iterable[tuple[int, str | None]]) -> None:
    """Add (seq, sha256 of the content) of artifacts, within the caller's transaction."""
    if not has_table(connection):
        connection.execute(TABLE)
    for seq, sha256 in attached:
        connection.execute(_ADD, (run_no, seq, sha256))


def forget(connection: Connection, run_no: int) -> None:
    """Take a run's artifacts out of the index."""
    if has_table(connection):
        connection.execute("DELETE FROM artifact WHERE run_no = ?", (run_no,))


def needed(connection: Connection) -> frozenset[str]:
    """The content that artifacts of any run refer to."""
    if not has_table(connection):
        return frozenset()
    return frozenset(name for (name,) in connection.execute(_NEEDED))


def events_of(connection: Connection, run_no: int) -> list[Event]:
    """The artifact events of a run, in their order."""
    if not has_table(connection):
        return []
    return decode(connection.execute(_EVENTS, (run_no,)).fetchall())


def artifact_rows(events: Iterable[Event], slugs: Sequence[str], *, all_versions: bool = False) -> list[ArtifactRow]:
    """The artifacts in some events of one run.

    Args:
        events: in their order; others than those of artifacts do not count.
        slugs: of the run's tasks.
        all_versions: also those whose place another has taken.
    """
    rows: dict[Any, ArtifactRow] = {}
    for event in events:
        if event.kind is Kind.ARTIFACT and event.data is not None:
            row = _row(event, slugs)
            place = (row.node, row.index, row.key) if not all_versions else row.seq
            rows.pop(place, None)  # it stands where its latest version was attached
            rows[place] = row
    return list(rows.values())


def _row(event: Event, slugs: Sequence[str]) -> ArtifactRow:
    data = event.data or {}

    def text(name: str) -> str:
        return clean_text(data.get(name) or "")

    return ArtifactRow(
        seq=event.seq,
        at_us=event.at_us,
        slug=slugs[event.node] if 0 <= event.node < len(slugs) else f"#{event.node}",
        node=event.node,
        index=event.index,
        attempt=event.attempt,
        loop=event.loop,
        key=text("key"),
        kind=text("kind"),
        title=text("title"),
        description=text("description"),
        media_type=text("type"),
        summary=text("summary"),
        file_name=text("name"),
        link=text("link"),
        content=data.get("content"),
    )
