"""What tasks that were taken from earlier runs have attached there, for the pages that show them: nothing of this run's events tells it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from notebook_flows.core.lifecycle import S
from notebook_flows.errors import FlowError
from notebook_flows.widget.board import LONGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from notebook_flows.session.page import Page

Titles = dict[tuple[int, int], dict[str, str]]
"""{(task, index): {an artifact's key: its title, or the key}}"""


def tell_what_was_taken(page: Page, numbers: Mapping[int, int] | None = None) -> None:
    """Tell a page of a run that is over, as soon as the history has said it; no run waits for that.

    Args:
        page: shows it.
        numbers: {task's number in the run: its number on the page}; None: they are the same.
    """
    board, run_id = page.teller.board, page.teller.run_id
    if board is None or S.CACHED not in board.state:
        return

    def look() -> None:
        titles = titles_taken(run_id)
        if numbers is not None:
            titles = {(numbers[node], index): one for (node, index), one in titles.items() if node in numbers}
        if titles:
            page.teller.attach(run_id, titles)

    threading.Thread(target=look, name="notebook-flows-picture", daemon=True).start()


def titles_taken(run_id: str) -> Titles:
    """What is attached to the tasks of a run by the earlier ones from which they were taken."""
    from notebook_flows.workspace import event_log
    from notebook_flows.workspace.earlier import artifacts_of

    found: Titles = {}
    try:
        rows = artifacts_of(event_log(), run_id)
    except FlowError:  # no history is kept, or it cannot be read: a click on the task says no more
        return found
    for row in rows:
        if row.from_run:
            found.setdefault((row.node, row.index), {})[row.key] = (row.title or row.key)[:LONGEST_MESSAGE]
    return found
