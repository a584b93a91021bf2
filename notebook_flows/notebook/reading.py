"""Reads a notebook from a file, whatever its age, and says in one sentence why it cannot be read."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import did_you_mean
from notebook_flows.notebook.errors import NotebookError, NotebookNotFound, NotebookUnreadable
from notebook_flows.notebook.oddities import oddities_in

if TYPE_CHECKING:
    from nbformat import NotebookNode

MARKER_TAG = "papermill-error-cell-tag"
"""Of the cells that papermill, and we, put where a run has stopped; they are dropped from what is run again."""

PICTURE_TAG = "notebook-flows-picture"
"""Of the cell that shows how a run has ended; dropped as well."""

_UNTAKEN = re.compile("[\0\ud800-\udfff]")

CELL_TYPES = ("code", "markdown", "raw")


def read_notebook(path: str | Path, *, keeps_marks: bool = False, oddities: list[str] | None = None) -> NotebookNode:
    """The notebook, in nbformat 4.5: every cell has an id, a list of tags, and its text in one piece.

    The cells that an earlier run has put in are taken out, unless they are to be kept.

    Args:
        path: of the file.
        keeps_marks: those cells stay.
        oddities: gets a sentence for all that is not as it should be, and keeps nothing from running.

    Raises:
        NotebookNotFound: there is no such file.
        NotebookUnreadable: it is no JSON, or no notebook.
        NotebookError: the system does not let us read it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotebookNotFound(path, f"does not exist.{_instead(path)}") from None
    except IsADirectoryError:
        raise NotebookUnreadable(path, "is a folder, not a file.") from None
    except UnicodeDecodeError:
        raise NotebookUnreadable(path, "is not a notebook: it is not text in UTF-8.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise NotebookError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return notebook_from_text(text, path, keeps_marks=keeps_marks, oddities=oddities)


def _instead(path: str | Path) -> str:
    """The likely slip among the notebooks beside it."""
    try:
        return did_you_mean(Path(path).name, [one.name for one in Path(path).parent.glob("*.ipynb")])
    except (OSError, ValueError):
        return ""


def notebook_from_text(
    text: str, path: object = "", *, keeps_marks: bool = False, oddities: list[str] | None = None
) -> NotebookNode:
    """As `read_notebook`, from the file's text.

    Raises:
        NotebookUnreadable: it is no JSON, or no notebook.
    """
    try:
        known = json.loads(text)
    except json.JSONDecodeError as error:
        what = "is empty" if not text.strip() else f"is not valid JSON: {error.msg} in line {error.lineno}"
        raise NotebookUnreadable(path, f"{what}.") from None
    except RecursionError:
        raise NotebookUnreadable(path, "is not a notebook: its JSON is nested too deeply.") from None
    if not isinstance(known, dict) or "nbformat" not in known:
        raise NotebookUnreadable(path, "is JSON, but not a notebook: it has no 'nbformat'.")
    major = known["nbformat"]
    if not isinstance(major, int):
        raise NotebookUnreadable(path, f"is damaged: its 'nbformat' is {major!r}, and has to be a number.")
    if major > 4 or major < 1:
        if major < 1:
            raise NotebookUnreadable(path, f"says that it is in nbformat {major}, which does not exist.")
        raise NotebookUnreadable(path, f"is in nbformat {major}; 4 is the newest that we can read.")
    minor = known.setdefault("nbformat_minor", 0)
    if not isinstance(minor, int):
        raise NotebookUnreadable(path, f"is damaged: its 'nbformat_minor' is {minor!r}, and has to be a number.")
    if oddities is not None and major == 4:
        oddities += oddities_in(known)
    try:
        found = _upgraded(known, major)
        if not keeps_marks:
            drop_marks(found)
    except _Damaged as error:
        raise NotebookUnreadable(path, f"is damaged: {error}.") from None
    except KeyError as error:  # an old notebook, which lacks it
        raise NotebookUnreadable(path, f"is damaged: it has no {error}.") from None
    except AttributeError as error:  # as nbformat tells the same
        raise NotebookUnreadable(path, f"is damaged: it has no {str(error.name or error)!r}.") from None
    except Exception as error:  # what old or damaged notebooks make nbformat raise is of many kinds
        raise NotebookUnreadable(path, f"is damaged: {type(error).__name__}: {error}.") from None
    return found


class _Damaged(ValueError):  # noqa: N818 - part of a sentence
    """What is wrong with it."""


def _upgraded(known: dict[str, Any], major: int) -> NotebookNode:
    import nbformat
    from nbformat.v4.rwbase import rejoin_lines, strip_transient

    if major < 4:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what nbformat has to say about old files helps nobody
            old = nbformat.versions[major].to_notebook_json(known, minor=known.get("nbformat_minor", 0))
            notebook = nbformat.from_dict(nbformat.convert(old, 4))
    else:
        notebook = nbformat.from_dict(known)
    if not isinstance(notebook.get("cells"), list):
        raise _Damaged("it has no list of cells")
    if not isinstance(notebook.get("metadata"), dict):
        notebook["metadata"] = nbformat.NotebookNode()
    for name in ("kernelspec", "language_info"):
        if not isinstance(notebook.metadata.get(name, {}), dict):
            del notebook.metadata[name]  # it says nothing that anybody could use
    has_ids = major == 4 and notebook.get("nbformat_minor", 0) >= 5
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells, 1):
        _mend(cell, number)
        _identify(cell, number, seen, has_ids=has_ids)
    notebook = strip_transient(rejoin_lines(notebook))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def drop_marks(notebook: NotebookNode) -> None:
    """Take out the cells that an earlier run has put in."""
    notebook.cells = [cell for cell in notebook.cells if not {MARKER_TAG, PICTURE_TAG} & set(cell.metadata.tags)]


def _mend(cell: Any, number: int) -> None:
    """Give a cell what nbformat 4 asks for."""
    import nbformat

    if not isinstance(cell, dict) or cell.get("cell_type") not in CELL_TYPES:
        raise _Damaged(f"cell {number} has no cell_type of {', '.join(CELL_TYPES)}")
    cell.setdefault("source", "")
    lines = [cell["source"]] if isinstance(cell["source"], str) else cell["source"]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise _Damaged(f"the source of cell {number} is no text")
    if cell["cell_type"] == "code" and (found := _UNTAKEN.search("".join(lines))):
        what = "a null character" if found[0] == "\0" else "half of a character (a lone surrogate)"
        raise _Damaged(f"the source of cell {number} has {what}, which no kernel takes")
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = nbformat.NotebookNode()
    tags = cell["metadata"].get("tags")
    cell["metadata"]["tags"] = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    if cell["cell_type"] == "code":
        cell["outputs"] = cell["outputs"] if isinstance(cell.get("outputs"), list) else []
        cell["execution_count"] = cell.get("execution_count")


def _identify(cell: Any, number: int, seen: set[str], *, has_ids: bool) -> None:
    """Give a cell an id where it has none of its own: always the same one for the same file."""
    known_id = cell.get("id")
    if not has_ids or not isinstance(known_id, str) or not known_id or known_id in seen:
        text = "".join(cell["source"])
        cell["id"] = hashlib.sha256(f"{number}\n{text}".encode(errors="replace")).hexdigest()[:8]
    seen.add(cell["id"])
