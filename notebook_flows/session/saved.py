"""The notebook's file, as it was saved last: which file it is, and its code cells."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_NAME = "notebook"


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentCell:
    """A code cell of the document.

    Attributes:
        cell_id: None in files older than nbformat 4.5.
    """

    source: str
    cell_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The code cells of a notebook, in order.

    Attributes:
        written_us: when, in microseconds since 1970; what was executed later may be newer than this.
        origin: who told it: ``the saved file`` or ``the runner``.
        is_whole: its ids are the front end's, so that a cell that is not here is not in the notebook.
    """

    cells: tuple[DocumentCell, ...]
    written_us: int
    origin: str = "the saved file"
    is_whole: bool = False


class SavedNotebook:
    """Reads the notebook's file again when it has changed, and not more often.

    Args:
        user_ns: the kernel's namespace, where some front ends leave the file's path.

    Attributes:
        told_name: the notebook's name, if a client has told it; else empty.
    """

    def __init__(self, user_ns: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> None:
        self._user_ns = user_ns
        self._environment = os.environ if environment is None else environment
        self.told_name = ""
        self._seen: tuple[Path, int, int] | None = None
        self._document: Document | None = None
        self._headings: dict[str, str] = {}

    @property
    def path(self) -> Path | None:
        """The file, if it is known and there."""
        for text in (
            self._user_ns.get("__vsc_ipynb_file__"),
            self._user_ns.get("__session__"),
            self._environment.get("JPY_SESSION_NAME"),
        ):
            if isinstance(text, str) and text.endswith(".ipynb"):
                path = Path(text)
                if path.is_absolute() and path.is_file():
                    return path
        return None

    @property
    def name(self) -> str:
        """The notebook's name, for people."""
        if self.told_name:
            return self.told_name
        path = self.path
        return path.stem if path is not None else NO_NAME

    def read(self) -> Document | None:
        """The document as it is saved now; None if no file is known, or if it cannot be read.

        A file that cannot be read is being written, or is no notebook: then the order of execution has to do.
        """
        path = self.path
        if path is None:
            return None
        try:
            facts = path.stat()
            seen = (path, facts.st_mtime_ns, facts.st_size)
            if seen != self._seen:
                notebook = json.loads(path.read_bytes())
                self._document = document_of(notebook, facts.st_mtime_ns // 1000)
                self._headings = headings_of(notebook)
                self._seen = seen
        except (OSError, ValueError):
            self._seen = self._document = None
            self._headings = {}
        return self._document

    def headings(self) -> dict[str, str]:
        """{cell's id: the heading that it stands below}, as the notebook is saved now."""
        self.read()
        return self._headings


def document_of(notebook: Any, written_us: int) -> Document | None:
    """The code cells of a notebook, nbformat 4; None if it is none.

    Cells without text are no cells: nothing is executed for them.
    """
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return None
    found = [cell for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    made = [document_cell(cell) for cell in found]
    return Document(cells=tuple(cell for cell in made if cell.source.strip()), written_us=written_us)


def headings_of(notebook: Any) -> dict[str, str]:
    r"""{id of a code cell: the nearest heading of markdown above it}.

    >>> headings_of({"cells": [{"cell_type": "markdown", "source": "# One\n## Two ##\ntext"},
    ...                        {"cell_type": "code", "id": "c1", "source": "1"}]})
    {'c1': 'Two'}
    """
    found: dict[str, str] = {}
    heading = ""
    for cell in notebook.get("cells", ()) if isinstance(notebook, dict) else ():
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", "")
        text = source if isinstance(source, str) else "".join(map(str, source))
        if cell.get("cell_type") == "markdown":
            heading = next((one for line in reversed(text.splitlines()) if (one := _heading(line))), heading)
        elif heading and isinstance(cell.get("id"), str):
            found[cell["id"]] = heading
    return found


def _heading(line: str) -> str:
    """The text of a line that is a heading, else nothing; comments of code in a text are taken for one, too."""
    marks, _, text = line.strip().partition(" ")
    return text.strip().rstrip("#").strip() if marks and set(marks) == {"#"} and len(marks) <= 6 else ""


def document_cell(cell: Mapping[str, Any]) -> DocumentCell:
    """One cell, from its JSON."""
    source = cell.get("source", "")
    metadata = cell.get("metadata") or {}
    identity = cell.get("id")
    return DocumentCell(
        source=source if isinstance(source, str) else "".join(source),
        cell_id=identity if isinstance(identity, str) else None,
        tags=words(metadata.get("tags")),
    )


def words(tags: Any) -> tuple[str, ...]:
    """Tags, whatever a front end has put in their place."""
    listed: Sequence[Any] = tags if isinstance(tags, list | tuple) else ()
    return tuple(tag for tag in listed if isinstance(tag, str))
