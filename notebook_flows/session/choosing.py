"""Chooses which cells of a notebook run, by what somebody wishes and by how the notebook stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notebook_flows.errors import FlowError
from notebook_flows.session.selection import Standing, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from notebook_flows.session.outlook import Outlook
    from notebook_flows.session.runvalues import Version
    from notebook_flows.session.selection import Selection, Wish
    from notebook_flows.session.session import Session


class NothingToRun(FlowError):  # noqa: N818 - the sentence that people read
    """There is no task cell."""

    def __str__(self) -> str:
        return "This notebook has no task cell yet: put `%%task` above a cell, and execute it."


def chosen(
    session: Session,
    outlook: Outlook,
    wish: Wish,
    *,
    kept: frozenset[Version],
    changes: Callable[[str], frozenset[str] | None],
) -> Selection:
    """What a wish comes to.

    Args:
        session: of the kernel.
        outlook: how the notebook stands.
        wish: what somebody wants to run.
        kept: versions that are held although the namespace does not hold them.
        changes: see `Standing`.

    Raises:
        SelectionError: it cannot be run.
        NothingToRun: there are no tasks.
    """
    if not outlook.tasks:
        raise NothingToRun
    cell = session.book.parameters_cell
    return select(
        Standing(
            connections=outlook.connections,
            names={key: one.name for key, one in outlook.records.items()},
            stale=outlook.stale,
            can_repeat=lambda key: _why_not_again(outlook, key),
            kept=kept,
            changes=changes,
            bound_by=session.bindings.owner,
            parameters_cell=cell.key if cell is not None and cell.key in outlook.records else None,
            remembered={key: frozenset(one.reference.get("classes", ())) for key, one in outlook.remembered.items()},
        ),
        wish,
    )


def _why_not_again(outlook: Outlook, key: str) -> str:
    """Why an ordinary cell must not be run again by itself; empty if it may."""
    record = outlook.records[key]
    facts = record.facts
    if facts.opaque:
        return f"nobody can see what it does ({facts.opaque[0]})"
    if facts.effects:
        return f"it acts on the world outside ({facts.effects[0]})"
    if record.saved_source is not None:
        return "it was edited and not executed"
    return ""
