"""What an artifact consists of, and the error where a value cannot be one."""

from __future__ import annotations

from typing import NamedTuple

from notebook_flows.errors import FlowError

TABLE, MARKDOWN, IMAGE, FILE, LINK = "table", "markdown", "image", "file", "link"
KINDS = (TABLE, MARKDOWN, IMAGE, FILE, LINK)
TABLE_TYPE = "application/vnd.notebook_flows.table+json"
"""Of a table's content: JSON with ``columns``, n names; ``rows``, each of n JSON values; ``row_count``, of the whole table."""


class ArtifactError(FlowError, ValueError):
    """A value that cannot be attached."""


class Content(NamedTuple):
    """An artifact's content.

    Attributes:
        kind: one of ``KINDS``.
        media_type: of the data; empty for a link.
        summary: what there is of it, in a few words.
        data: None for a link.
        file_name: that of a file, without its folder.
        link: the address of a link.
    """

    kind: str
    media_type: str
    summary: str
    data: bytes | None = None
    file_name: str = ""
    link: str = ""


def told_size(size_bytes: int) -> str:
    """A size for people.

    >>> told_size(0), told_size(1), told_size(2048), told_size(5 << 20)
    ('0 bytes', '1 byte', '2.0 KiB', '5.0 MiB')
    """
    if size_bytes < 1024:
        return f"{size_bytes} byte" + ("" if size_bytes == 1 else "s")
    size = size_bytes / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
