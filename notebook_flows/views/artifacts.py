"""What tasks have attached, as notebooks, terminals and folders show it. No text of theirs ever becomes HTML."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from typing import TYPE_CHECKING, Any

from notebook_flows.views.text import columns_of, padded, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it import MarkdownIt

MOST_ROWS_SHOWN = 50
WIDEST_COLUMN = 40
_IMAGE_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}
_CLICKABLE = ("http://", "https://", "mailto:", "ftp://")


class Shown:
    """One artifact with its content.

    Args:
        kind: ``table``, ``markdown``, ``image``, ``file`` or ``link``.
        heading: its title; empty: what stands above it says its key.
        description: plain text.
        media_type: of the content.
        summary: how large it is.
        content: the bytes; of a link its address.
    """

    def __init__(
        self, *, kind: str, heading: str, description: str, media_type: str, summary: str, content: bytes
    ) -> None:
        self.kind = kind
        self.heading = heading
        self.description = description
        self.media_type = media_type
        self.summary = summary
        self.content = content

    # -- in notebooks --------------------------------------------------------------------------------------------------

    def bundle(self) -> dict[str, Any]:
        """The forms in which notebooks show it and keep it."""
        body = {"table": self._table, "markdown": self._markdown, "image": self._image, "link": self._link}
        made = body.get(self.kind, self._file)()
        head = f"<strong>{_escaped(printable(self.heading))}</strong>" if self.heading else ""
        said = f"<p>{_escaped(self.description)}</p>" if self.description else ""
        shown = {"text/html": f"<div>{head}{said}{made}</div>", "text/plain": self.text()}
        if self.media_type in {"image/png", "image/jpeg"}:  # for those that show no HTML
            shown[self.media_type] = base64.b64encode(self.content).decode()
        return shown

    def _table(self) -> str:
        columns, rows, count = table_in(self.content)
        head = "".join(f"<th>{_escaped(name)}</th>" for name in columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{_escaped(_cell(one))}</td>' for one in row)}</tr>" for row in rows[:MOST_ROWS_SHOWN]
        )
        more = f"<p>{_escaped(_more(count))}</p>" if count > MOST_ROWS_SHOWN else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _markdown(self) -> str:
        return str(markdown_reader().render(self._decoded()))

    def _image(self) -> str:
        data = base64.b64encode(self.content).decode()
        alt = html.escape(printable(self.heading or self.summary), quote=True)
        return f'<div><img alt="{alt}" style="max-width:100%" src="data:{self.media_type};base64,{data}"></div>'

    def _link(self) -> str:
        address = self._decoded()
        if not address.lower().startswith(_CLICKABLE):
            return f"<p>{_escaped(address)}</p>"
        target = html.escape(address, quote=True)
        return f'<p><a href="{target}" target="_blank" rel="noopener noreferrer">{_escaped(address)}</a></p>'

    def _file(self) -> str:
        return f"<p>{_escaped(self.summary)}</p>"

    def _decoded(self) -> str:
        return self.content.decode("utf-8", "replace")

    # -- in words ------------------------------------------------------------------------------------------------------

    def text(self, *, width: int = 100) -> str:
        """It as plain text.

        Args:
            width: columns of the terminal.
        """
        lines = [printable(self.heading)] if self.heading else []
        if self.description:
            lines += [_plain(line) for line in self.description.splitlines()]
        if self.kind == "table":
            lines.append(_table_text(*table_in(self.content), width=width))
        elif self.kind in {"markdown", "link"}:
            lines += [_plain(line) for line in self._decoded().splitlines()]
        else:
            lines.append(printable(self.summary))
        return "\n".join(lines)

    # -- as a file -----------------------------------------------------------------------------------------------------

    def file(self) -> tuple[str, bytes]:
        """The ending and the bytes of the file that it is outside; a file of the user's own has its own ending."""
        if self.kind == "table":
            columns, rows, _ = table_in(self.content)
            out = io.StringIO(newline="")
            writer = csv.writer(out)
            writer.writerows([columns, *rows])
            return ".csv", out.getvalue().encode()
        if self.kind == "markdown":
            return ".md", self.content
        if self.kind == "link":
            return ".txt", self.content + b"\n"
        return _IMAGE_ENDINGS.get(self.media_type, "") if self.kind == "image" else "", self.content


def markdown_reader() -> MarkdownIt:
    """HTML in it is shown as it is written, links that run something are none, nothing is loaded from elsewhere."""
    from markdown_it import MarkdownIt

    return MarkdownIt("js-default", {"html": False}).disable("image")


def table_in(content: bytes) -> tuple[Sequence[str], Sequence[Sequence[Any]], int]:
    """Columns, rows, and the number of rows of the whole table, from a table's content."""
    told: Mapping[str, Any] = json.loads(content)
    return told["columns"], told["rows"], int(told["row_count"])


def _table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], count: int, *, width: int) -> str:
    shown = [[shortened(printable(_cell(one)), WIDEST_COLUMN) for one in row] for row in rows[:MOST_ROWS_SHOWN]]
    table = [[shortened(printable(name), WIDEST_COLUMN) for name in columns], *shown]
    widths = [max(columns_of(row[place]) for row in table) for place in range(len(columns))]
    lines = ["  ".join(padded(one, size) for one, size in zip(row, widths, strict=True)).rstrip() for row in table]
    lines.insert(1, "  ".join("-" * size for size in widths))
    if count > MOST_ROWS_SHOWN:
        lines.append(_more(count))
    return "\n".join(shortened(line, width) for line in lines)


def _more(count: int) -> str:
    return f"... {MOST_ROWS_SHOWN} of {count:,} rows"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _plain(line: str) -> str:
    """A line that does nothing to a terminal; its blanks stay."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    return indent + printable(line)


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
