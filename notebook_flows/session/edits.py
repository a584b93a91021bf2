"""Cells that were edited and not executed since: what was executed last is what runs, and that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notebook_flows.session.cellbook import CellBook


def told_edits(book: CellBook) -> str:
    """A line on the task cells that run as they were executed, though they were edited since; empty if none was.

    Args:
        book: the cells of the notebook, which look into its file.
    """
    edited = [repr(one.name) for one in book.edited_not_executed() if one.is_task]
    if not edited:
        return ""
    return (
        f"Edited and not executed since: {', '.join(edited)}. What was executed last is what runs; execute the cell to "
        "take the new text.\n"
    )
