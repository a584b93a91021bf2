"""What a page is shown of an artifact: as much of it as is read there, and never more than a page can take."""

from __future__ import annotations

import base64
import shlex
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.views.artifacts import table_in
from notebook_flows.widget.marked import LONGEST_TEXT, marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from notebook_flows.store.rows import ArtifactRow

MOST_ARTIFACTS = 50
SHORT_ID = 8
MOST_ROWS = 100
MOST_COLUMNS = 50
LONGEST_CELL = 200
LONGEST_DESCRIPTION = 2_000
LARGEST_BYTES = 4_000_000
"""Larger content is not even read."""
MOST_MARKED = 100_000
"""Characters of all Markdown texts of one task together that are shown as such; what comes then is shown as it is written."""
MOST_BYTES = 2_000_000
"""Of all pictures of one task together."""
_SEEN_AS_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def told_artifacts(
    rows: Iterable[ArtifactRow], content_of: Callable[[ArtifactRow], bytes], *, run_id: str, room: int = MOST_BYTES
) -> list[dict[str, Any]]:
    """What a task run has attached, as the wire has it.

    Args:
        rows: of the artifacts, as the history has them.
        content_of: reads the content of one; its errors are told in place of it.
        run_id: of the run whose they are.
        room: bytes that their pictures may have together.
    """
    told = []
    room_of_texts = MOST_MARKED
    for row in list(rows)[:MOST_ARTIFACTS]:
        one = _told(row, content_of, room, run_id)
        room -= len(one.get("png", "")) + len(one.get("svg", ""))
        text = one.pop("text", None)
        if text is not None:
            room_of_texts -= min(len(text), LONGEST_TEXT)
            one |= _read(text, is_marked=room_of_texts >= 0)
        told.append(one)
    return told


def _read(text: str, *, is_marked: bool) -> dict[str, Any]:
    """A Markdown text: its tree, or else as it is written."""
    tree = marked(text) if is_marked else None
    if tree is not None:
        return {"marked": tree} if tree else {}
    return {"text": text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"}


def _told(row: ArtifactRow, content_of: Callable[[ArtifactRow], bytes], room: int, run_id: str) -> dict[str, Any]:
    told: dict[str, Any] = {"key": row.key, "kind": row.kind}
    mark = f" (from run {row.from_run[:SHORT_ID]})" if row.from_run else ""
    if row.title or mark:
        told["title"] = f"{(row.title or row.key)[:LONGEST_CELL]}{mark}"
    if row.description:
        told["description"] = row.description[:LONGEST_DESCRIPTION]
    if row.kind == "link":
        return {**told, "href": row.link}
    is_picture = row.kind == "image"
    if row.kind == "file" or row.size_bytes > (min(room, LARGEST_BYTES) if is_picture else LARGEST_BYTES):
        return {**told, "plain": _elsewhere(row, run_id)}
    try:
        return {**told, **_shown(row, content_of(row), run_id)}
    except (
        FlowError,
        ValueError,
        KeyError,
    ) as error:  # its content is gone, or damaged; the others are still to be seen
        return {**told, "plain": f"{row.summary}. It cannot be shown: {error}"}


def _shown(row: ArtifactRow, content: bytes, run_id: str) -> dict[str, Any]:
    if row.kind == "table":
        return {"table": _table(content)}
    if row.media_type in _SEEN_AS_PICTURES:
        return {"png": base64.b64encode(content).decode()}  # browsers go by what is in it, not by its name
    text = content.decode("utf-8", "replace")
    if row.media_type == "image/svg+xml":
        return {"svg": text}
    if row.kind == "image":
        return {"plain": _elsewhere(row, run_id)}
    return {"text": text}


def _table(content: bytes) -> dict[str, Any]:
    columns, rows, count = table_in(content)
    told: dict[str, Any] = {
        "columns": [str(name)[:LONGEST_CELL] for name in columns[:MOST_COLUMNS]],
        "rows": [[_cell(value) for value in row[:MOST_COLUMNS]] for row in rows[:MOST_ROWS]],
    }
    left = count - len(told["rows"])
    return {**told, "more": left} if left > 0 else told


def _cell(value: Any) -> Any:
    """As JSON that a page can read: no infinities, and nothing endless."""
    if value is None or isinstance(value, bool):
        return value
    return str(value)[:LONGEST_CELL]


def _elsewhere(row: ArtifactRow, run_id: str) -> str:
    """What there is, and how it can be had."""
    command = f"notebook-flows artifacts {run_id[:SHORT_ID]} {shlex.quote(row.slug)} --save FOLDER"
    return f"{row.summary}. `{command}` writes it to a file."
